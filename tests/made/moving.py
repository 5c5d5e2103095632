"""A scene in which one thing moves and turns, photos of it at their times, and a network that has learned it."""

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from made.scenes import arc_cameras, blobs, photos, small_network

from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.types import Example, Gaussians, Views
from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture

RATE = 4e-3
MOVER = 60
"""The number of the Gaussian that moves; those before it stand still."""
BOUND = ((-0.7, -0.35, 1.5), (0.7, 0.35, 1.5))
# The arc of the context's cameras as seen from its first one, where networks want it.
CAMERAS = canonical_frame(arc_cameras(4), "first", "constant", 1.0)
BASELINE = float((arc_cameras(4)[0] - arc_cameras(4)[3])[:3, 3].norm())


def scene_at(time: float) -> Gaussians:
    """Dim blobs, and before them a long red one that goes from left to right and turns by 100 degrees."""
    still, angle = blobs(MOVER), 0.5 * math.radians(100) * time
    start, end = torch.tensor(BOUND)
    mover = Gaussians(
        means=torch.lerp(start, end, time)[None],
        quats=torch.tensor([[math.cos(angle), 0.0, 0.0, math.sin(angle)]]),
        scales=torch.tensor([[0.3, 0.1, 0.1]]),
        opacities=torch.tensor([0.99]),
        colors=torch.tensor([[1.0, 0.1, 0.05]]),
    )
    return Gaussians.cat([replace(still, colors=still.colors * torch.tensor([0.1, 0.4, 0.4])), mover]).transformed(
        CAMERAS
    )


def photos_at(times: list[float], cameras: int | None = None, size: int = 32) -> Views:
    """One photo at each time, by the cameras of an arc in turn."""
    c2w = CAMERAS.cameras(arc_cameras(cameras or len(times)))
    taken = [photos(scene_at(time), c2w[[place % len(c2w)]], size) for place, time in enumerate(times)]
    return replace(Views.cat(taken), times=torch.tensor(times))


CONTEXT_TIMES = [0.0, 0.35, 0.7, 1.0]
CONTEXT = photos_at(CONTEXT_TIMES)


@cache
def moving_network(steps: int = 300) -> TokenGSNetwork:
    """Static and dynamic tokens, trained on photos of the scene at many times: what is red moves, and it has to."""
    torch.manual_seed(0)
    network = small_network(
        tokens=24,
        dynamic_tokens=8,
        time_channels=2,
        frame="first",
        scale_value=BASELINE,
        image_size=(32, 32),
        num_context=4,
    )
    for embedding in (network.time_embedding, network.target_time_embedding):
        assert embedding is not None
        # A step moves all 64 weights of a channel alike: these are left as they are.
        torch.nn.init.normal_(embedding.requires_grad_(False).conv.weight, std=0.03)
    optimizer = torch.optim.Adam([value for value in network.parameters() if value.requires_grad], lr=RATE)
    seen = photos_at([place / 8 for place in range(9)], cameras=3)
    for step in range(steps):
        place = (5 * step) % 9
        splats = network(CONTEXT.unsqueeze(), time=place / 8)[0]
        one = seen.select([place])
        loss = (
            (
                render_cameras(splats, one.cameras, network.config.rendering(Example(CONTEXT, one)), False).rgb
                - one.images
            )
            .square()
            .mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
    return network.eval().requires_grad_(False)


def write_moving_capture(folder: Path, size: int = 64) -> Path:
    """The context photos, then eight others at other times, of which two are held out."""
    context, others = photos_at(CONTEXT_TIMES, size=size), photos_at([place / 7 for place in range(8)], 5, size)
    return write_nerfstudio_capture(folder, Views.cat([context, others]), test=[6, 9])
