"""The gradient of a batch, with the memory of a few scenes' pictures; what is supervised, and how well it is met."""

from collections.abc import Iterator
from dataclasses import fields

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.losses import SceneLosses, depth_error, reconstruction_loss
from tokengs_nerfstudio.core.metrics import psnr
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training_batch import TrainingBatch
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig, Renders


def scene_gradients(
    network: TokenGSNetwork, batch: TrainingBatch, config: TrainingConfig, total_scenes: int
) -> dict[str, float]:
    """Add to the parameters the gradient of this batch's share in the mean loss over `total_scenes`.

    Gaussians are predicted once; scenes are rendered in chunks, which leave their gradients on the Gaussians, and one
    backward pass takes them through the network: memory of one chunk, gradient of the whole batch. Returns the losses'
    shares in their means.
    """
    splats = predict(network, batch)
    leaves = splats.leaves()
    sums: dict[str, float] = {}
    for start in range(0, batch.num_scenes, config.chunk):
        chunk = slice(start, start + config.chunk)
        losses = supervised_loss(leaves[chunk], batch.scenes(chunk), config)
        (losses.per_scene.sum() / total_scenes).backward()
        scenes = len(losses.per_scene)
        for name, value in losses.means().items():
            sums[name] = sums.get(name, 0.0) + value * scenes / total_scenes
    reached = list(_reached(splats, leaves))
    torch.autograd.backward([output for output, _ in reached], [gradient for _, gradient in reached])
    return sums


@torch.no_grad()
def novel_view_psnr(
    network: TokenGSNetwork, batch: TrainingBatch, config: TrainingConfig
) -> Float[Tensor, "batch view"]:
    """PSNR in dB of every target view of the batch, scenes taken in chunks."""
    results = []
    for start in range(0, batch.num_scenes, config.chunk):
        part = batch.scenes(slice(start, start + config.chunk))
        renders = render_targets(predict(network, part), part, config)
        results.append(psnr(renders.rgb, part.target.images))
    return torch.cat(results)


def predict(network: TokenGSNetwork, batch: TrainingBatch) -> Gaussians:
    """Gaussians of every scene; a network that embeds time decodes at the time of the scene's first target."""
    times = batch.target.times
    return network.decode(network.encode(batch.context), time=None if times is None else times[:, 0])


def render_targets(splats: Gaussians, batch: TrainingBatch, config: TrainingConfig, depth: bool = False) -> Renders:
    """The batch's target views."""
    planes = RenderConfig(config.near, config.far, config.background)
    return render_cameras(splats, batch.target.cameras, planes, depth=depth)


def supervised_loss(splats: Gaussians, batch: TrainingBatch, config: TrainingConfig) -> SceneLosses:
    """Render the batch's targets and compare."""
    deep = config.depth > 0 and batch.depth is not None
    renders = render_targets(splats, batch, config, depth=deep)
    losses = reconstruction_loss(renders, batch.target, splats, config.loss)
    if renders.depth is None or batch.depth is None:
        return losses
    error = depth_error(renders.depth, batch.depth)
    return SceneLosses(losses.per_scene + config.depth * error, {**losses.parts, "depth": error})


def _reached(splats: Gaussians, leaves: Gaussians) -> Iterator[tuple[Tensor, Tensor]]:
    """Each predicted tensor with the gradient its detached twin received."""
    for entry in fields(splats):
        gradient = getattr(leaves, entry.name).grad
        if gradient is not None:
            yield getattr(splats, entry.name), gradient
