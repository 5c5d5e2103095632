"""The gradient of a batch, with the memory of a few scenes' pictures; what is supervised, and how well it is met."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.evaluation import view_psnr
from tokengs_nerfstudio.core.losses import SceneLosses, depth_error, reconstruction_loss
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.rendering.piecewise import gathered, slices
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.perceptual import perceptual_of
from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig, Renders, Views

Predictor = Callable[[Views, Tensor | None], Gaussians]
"""(context, time) -> Gaussians: a `TokenGSNetwork`, or what wraps one."""


def scene_gradients(
    network: Predictor, example: Example, rendering: RenderConfig, config: TrainingConfig, total_scenes: int
) -> dict[str, float]:
    """Add to the parameters the gradient of this example's share in the mean loss over `total_scenes`.

    In each of `config.micro_batches` Gaussians are predicted once; scenes are rendered `config.chunk` at a time and
    one backward pass takes their gradients through the network: memory of one chunk, gradient of the whole batch.
    Returns the losses' shares in their means.
    """
    if config.micro_batches > 1:
        return _accumulated(network, example, rendering, config, total_scenes)
    sums: dict[str, float] = {}
    with gathered(predict(network, example)) as splats:
        for part in slices(example.num_scenes, config.chunk):
            losses = supervised_loss(splats[part], example[part], rendering, config)
            (losses.per_scene.sum() / total_scenes).backward()
            scenes = len(losses.per_scene)
            for name, value in losses.means().items():
                sums[name] = sums.get(name, 0.0) + value * scenes / total_scenes
    return sums


def _accumulated(
    network: Predictor, example: Example, rendering: RenderConfig, config: TrainingConfig, total_scenes: int
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
        results.append(view_psnr(predict(network, part), part.target, network.config.rendering))
    return torch.cat(results)


def predict(network: Predictor, example: Example) -> Gaussians:
    """Gaussians of every scene; a network that embeds time decodes at the time of the scene's first target."""
    times = example.target.times
    return network(example.context, None if times is None else times[:, 0])


def render_targets(splats: Gaussians, example: Example, rendering: RenderConfig, depth: bool = False) -> Renders:
    """The example's target views."""
    return render_cameras(splats, example.target.cameras, rendering, depth=depth)


def supervised_loss(
    splats: Gaussians, example: Example, rendering: RenderConfig, config: TrainingConfig
) -> SceneLosses:
    """Render the example's targets and compare; with depth where the targets bring it and `config` weighs it."""
    truth = example.target.depths if config.depth > 0 else None
    renders = render_targets(splats, example, rendering, depth=truth is not None)
    perceptual = perceptual_of(config.loss)
    losses = reconstruction_loss(renders, example.target, splats, config.loss, perceptual=perceptual)
    if renders.depth is None or truth is None:
        return losses
    error = depth_error(renders.depth, truth)
    return SceneLosses(losses.per_scene + config.depth * error, {**losses.parts, "depth": error})
