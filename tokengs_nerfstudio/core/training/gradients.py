"""The gradient of a batch, with the memory of a few scenes' pictures; what is supervised, and how well it is met."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.evaluation import view_psnr
from tokengs_nerfstudio.core.losses import SceneLosses, depth_error, reconstruction_loss
from tokengs_nerfstudio.core.losses.places import place_error
from tokengs_nerfstudio.core.network.memory import DecodedStages
from tokengs_nerfstudio.core.network.surfaces import surface_error
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.rendering.piecewise import gathered, slices
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.perceptual import perceptual_of
from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig, Renders

Predictor = Callable[..., Any]
"""A `TokenGSNetwork`, or what wraps one: (context, time) -> Gaussians, (context, time, after) -> DecodedStages."""
RenderingOf = Callable[[Example], RenderConfig]
"""How the Gaussians of some scenes are rendered: `NetworkConfig.rendering`."""


def scene_gradients(
    network: Predictor, example: Example, rendering: RenderingOf, config: TrainingConfig, total_scenes: int
) -> dict[str, float]:
    """Add to the parameters the gradient of this example's share in the mean loss over `total_scenes`.

    In each of `config.micro_batches` Gaussians are predicted once; scenes are rendered `config.chunk` at a time and
    one backward pass takes their gradients through the network: memory of one chunk, gradient of the whole batch.
    Returns the losses' shares in their means.
    """
    if config.micro_batches > 1:
        return _accumulated(network, example, rendering, config, total_scenes)
    sums: dict[str, float] = {}
    with gathered(_predict_stages(network, example, config)) as stages:
        for part in slices(example.num_scenes, config.chunk):
            scenes = example[part]
            losses = staged_loss(stages[part], scenes, rendering(scenes), config)
            (losses.per_scene.sum() / total_scenes).backward()
            for name, value in losses.means().items():
                sums[name] = sums.get(name, 0.0) + value * scenes.num_scenes / total_scenes
    return sums


def _accumulated(
    network: Predictor, example: Example, rendering: RenderingOf, config: TrainingConfig, total_scenes: int
) -> dict[str, float]:
    """`scene_gradients` of one part of the scenes after another."""
    sums: dict[str, float] = {}
    size = -(-example.num_scenes // config.micro_batches)
    for part in slices(example.num_scenes, size):
        whole = replace(config, micro_batches=1)
        for name, share in scene_gradients(network, example[part], rendering, whole, total_scenes).items():
            sums[name] = sums.get(name, 0.0) + share
    return sums


@torch.no_grad()
def novel_view_psnr(network: TokenGSNetwork, example: Example, chunk: int) -> Float[Tensor, "batch view"]:
    """PSNR in dB of every target view of the batch (canonical frame), `chunk` scenes taken at a time."""
    results = []
    for selection in slices(example.num_scenes, chunk):
        part = example[selection]
        results.append(view_psnr(predict(network, part), part.target, network.config.rendering(part)))
    return torch.cat(results)


def predict(network: Predictor, example: Example) -> Gaussians:
    """Gaussians of every scene; a network that embeds time decodes at the time of the scene's first target."""
    return network(example.context, _target_time(example))


def _predict_stages(network: Predictor, example: Example, config: TrainingConfig) -> DecodedStages:
    return network(example.context, _target_time(example), config.supervised_blocks)


def _target_time(example: Example) -> Float[Tensor, " batch"] | None:
    times = example.target.times
    return None if times is None else times[:, 0]


def render_targets(splats: Gaussians, example: Example, rendering: RenderConfig, depth: bool = False) -> Renders:
    """The example's target views."""
    return render_cameras(splats, example.target.cameras, rendering, depth=depth)


def staged_loss(
    stages: DecodedStages, example: Example, rendering: RenderConfig, config: TrainingConfig
) -> SceneLosses:
    """The mean of what is decoded after each of `config.supervised_blocks`, weighted by the blocks' numbers."""
    blocks = config.supervised_blocks or (1,)
    total, parts = torch.zeros_like(stages.gaussians.opacities[:, 0, 0]), dict[str, Tensor]()
    for number, block in enumerate(blocks):
        anchors = None if stages.anchors is None else stages.anchors[:, number]
        splats = stages.gaussians.map(lambda values, number=number: values[:, number])
        losses = supervised_loss(splats, example, rendering, config, anchors)
        if stages.dynamic and config.dynamic.weight:
            losses = _with_dynamic(losses, splats.select(slice(-stages.dynamic, None)), example, rendering, config)
        weight = block / sum(blocks)
        total = total + weight * losses.per_scene
        parts = {name: parts.get(name, 0.0) + weight * value for name, value in losses.parts.items()}
    if stages.surfaces is not None and example.context.depths is not None and config.surfaces:
        parts["surfaces"] = surface_error(stages.surfaces, example.context.depths)
        total = total + config.surfaces * parts["surfaces"]
    return SceneLosses(total, parts)


def _with_dynamic(
    losses: SceneLosses, splats: Gaussians, example: Example, rendering: RenderConfig, config: TrainingConfig
) -> SceneLosses:
    """Losses, and beside them those of the dynamic tokens' Gaussians `splats`, rendered alone."""
    alone = supervised_loss(splats, _what_moves(example, rendering), rendering, config).per_scene
    parts = {**losses.parts, "dynamic": alone}
    if example.target.moving is not None and example.target.depths is not None:
        parts["places"] = place_error(splats.means, example.target)
        alone = alone + config.dynamic.places * parts["places"]
    return SceneLosses(losses.per_scene + config.dynamic.weight * alone, parts)


def _what_moves(example: Example, rendering: RenderConfig) -> Example:
    """Targets that show nothing but what moves, where that is known."""
    target = example.target
    if target.moving is None:
        return example
    background = torch.as_tensor(rendering.background).to(target.images)
    images = torch.where(
        target.moving > 0, target.images, background[..., None, None] if background.ndim else background
    )
    depths = None if target.depths is None else target.depths * target.moving
    return replace(example, target=replace(target, images=images, depths=depths))


def supervised_loss(
    splats: Gaussians,
    example: Example,
    rendering: RenderConfig,
    config: TrainingConfig,
    anchors: Float[Tensor, "batch token 3"] | None = None,
) -> SceneLosses:
    """Render the example's targets and compare; with depth where the targets bring it and `config` weighs it."""
    truth = example.target.depths if config.depth > 0 else None
    renders = render_targets(splats, example, rendering, depth=truth is not None)
    perceptual = perceptual_of(config.loss)
    losses = reconstruction_loss(renders, example.target, splats, config.loss, anchors=anchors, perceptual=perceptual)
    if renders.depth is None or truth is None:
        return losses
    error = depth_error(renders.depth, truth)
    return SceneLosses(losses.per_scene + config.depth * error, {**losses.parts, "depth": error})
