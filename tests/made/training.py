"""Random scenes and small networks for the tests of the training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tokengs_nerfstudio.core.geometry.frame import FrameRule
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig
from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.core.training.parallel import Threads
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.procedural.tracing import ProceduralScene

SMALL = replace(
    PRESETS["tiny-plain"], width=32, heads=2, encoder_depth=1, decoder_depth=1, tokens=12, gaussians_per_token=8
)

_FEW = {"width": 32, "heads": 2, "encoder_depth": 1, "decoder_depth": 2, "tokens": 12, "gaussians_per_token": 8}
KINDS = {
    "published": replace(PRESETS["tiny-plain"], **_FEW),
    "ours": replace(PRESETS["tiny"], **_FEW),
    "moving": replace(PRESETS["tiny-dynamic"], **_FEW, dynamic_tokens=4),
}
"""Small networks with all that those of their kind have."""


def posed_cameras(scenes: int, views: int) -> torch.Tensor:
    """Cameras side by side that look along +z with small random turns."""
    axis = 0.2 * torch.randn(scenes, views, 3)
    skew = torch.zeros(scenes, views, 3, 3)
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -axis[..., 2], axis[..., 1], -axis[..., 0]
    c2w = torch.eye(4).repeat(scenes, views, 1, 1)
    c2w[..., :3, :3] = torch.matrix_exp(skew - skew.mT)
    c2w[..., :3, 3] = torch.randn(scenes, views, 3) * torch.tensor([1.0, 1.0, 0.3]) - torch.tensor([0.0, 0.0, 2.0])
    return c2w


def random_views(scenes: int = 2, views: int = 3, size: int = 16) -> Views:
    intrinsics = torch.tensor([[18.0, 0.0, 7.0], [0.0, 17.0, 9.0], [0.0, 0.0, 1.0]]).expand(scenes, views, 3, 3)
    smooth = torch.nn.functional.interpolate(torch.rand(scenes * views, 3, 4, 4), size=size, mode="bilinear")
    return Views(smooth.reshape(scenes, views, 3, size, size), posed_cameras(scenes, views), intrinsics)


def write_captures(folder: Path, count: int = 2, frames: int = 7) -> Path:
    """A folder of small captures of procedural scenes."""
    for number in range(count):
        scene = ProceduralScene(number, frames, 20, 32)
        write_nerfstudio_capture(folder / f"capture-{number}", scene.load(range(frames)))
    return folder


def random_example(scenes: int = 2) -> Example:
    views = random_views(scenes, 4)
    example = Example(views.select([0, 1, 2]), views.select([3, 0]))
    return example.moved(FrameRule("middle").of(example.context.c2w))


def held_out_example(network: NetworkConfig, scenes: int) -> Example:
    """Procedural scenes that no training has, in the network's frame."""
    batches = Batches(ProceduralCurriculumConfig().source(), network)
    return batches.placed(batches.held_out(scenes))


def small_training(threads: int | None = None, architecture: NetworkConfig = SMALL, **changes: Any) -> NetworkTraining:
    torch.manual_seed(3)
    network = TokenGSNetwork(architecture, initial=SCRATCH)
    workers = None if threads is None else Threads(network, threads)
    return NetworkTraining(network, TrainingConfig(**{"matrix_rate": 0.0, **changes}), workers)
