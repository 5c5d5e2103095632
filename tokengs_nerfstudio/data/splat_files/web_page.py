"""One HTML file that shows splats in any browser with WebGL 2, from disk and without a network."""

import base64
import html
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from torch import Tensor

from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.core.geometry.looking import distance_seen
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig, Similarity
from tokengs_nerfstudio.data.splat_files.packing import as_bytes

_PARTS = Path(__file__).parent / "page"
DISTANCE = 5.0
"""how far away, in the page's units, that is which it opens at: what the library's controls are made for"""
_FARTHEST = 1e6
# Cameras hold the world upright where their right side rises less than 30 degrees above its horizon.
_UPRIGHT, _SOME = 0.5, 0.1


@dataclass(frozen=True)
class Opening:
    """Where a page begins: the frame it works in, and its camera there.

    In that frame y points down, what is looked at is at the origin, DISTANCE away from the camera, whose elevation is
    `beta` and whose turn about the axis of y `alpha` (radians).
    """

    from_world: Similarity
    alpha: float
    beta: float
    focal: tuple[float, float]
    """in widths and in heights of the photo"""

    @classmethod
    def at(cls, cameras: Cameras, means: Float[Tensor, "gaussian 3"]) -> "Opening":
        """The first of the photos' `cameras`, upright as all of them together have it; Gaussians at `means`."""
        c2w = cameras.c2w.double().cpu()
        position, forward = c2w[0, :3, 3], c2w[0, :3, 2]
        distance = distance_seen(position.numpy(), forward.numpy(), means.double().cpu().numpy())
        axes = _axes(c2w)
        scale = torch.tensor(DISTANCE / distance, dtype=torch.float64)
        from_world = Similarity(axes, -axes @ (position + distance * forward), scale)
        x, y, z = (-DISTANCE * axes @ forward).tolist()
        focal = (
            float(cameras.intrinsics[0, 0, 0]) / cameras.width,
            float(cameras.intrinsics[0, 1, 1]) / cameras.height,
        )
        return cls(from_world, float(np.arctan2(x, -z)), float(np.arcsin(np.clip(-y / DISTANCE, -1, 1))), focal)


def _axes(c2w: Float[Tensor, "camera 4 4"]) -> Float[Tensor, "3 3"]:
    """Rows: right, down and ahead in the world, down being what is down in the photos together; in the first photo
    alone where that one is held askew."""
    right, down, forward = c2w[0, :3, :3].unbind(1)
    together = c2w[:, :3, 1].mean(0)
    level = together / together.norm().clamp(min=1e-9)
    if together.norm() > _SOME and abs(float(right @ level)) < _UPRIGHT:
        down = level
    # A camera that looks straight down has its upper side ahead.
    ahead = forward - down * (forward @ down)
    if ahead.norm() < _SOME:
        ahead = -c2w[0, :3, 1] + down * (c2w[0, :3, 1] @ down)
    ahead = torch.nn.functional.normalize(ahead, dim=0)
    return torch.stack([torch.linalg.cross(down, ahead), down, ahead])


def write_page(
    path: Path,
    title: str,
    states: Sequence[Gaussians],
    times: Sequence[float],
    cameras: Cameras,
    rendering: RenderConfig,
) -> None:
    """A page that opens at the first of `cameras`, all in one frame with the Gaussians of a scene at its `times`.

    A scene that stands still has one state and no times. Errors as in `write_text`.
    """
    opening = Opening.at(cameras, states[0].means)
    still, moving, packed = _packed([state.transformed(opening.from_world).to(torch.float32) for state in states])
    factor = float(opening.from_world.scale)
    about: dict[str, Any] = {
        "still": still,
        "moving": moving,
        "times": list(times),
        "opening": {"alpha": opening.alpha, "beta": opening.beta, "radius": DISTANCE, "target": [0, 0, 0]},
        "focal": opening.focal,
        "planes": [rendering.near * factor, min(rendering.far * factor, _FARTHEST)],
        "background": as_bytes(torch.as_tensor(rendering.background).float().expand(3).cpu()).tolist(),
    }
    parts = {
        "title": html.escape(title),
        "library": (_PARTS / "gsplat.js").read_text(encoding="utf-8"),
        "scene": json.dumps(about),
        "splats": base64.b64encode(packed).decode(),
        "viewer": (_PARTS / "viewer.js").read_text(encoding="utf-8"),
    }
    text = (_PARTS / "page.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"@@{name}@@", part, 1)
    write_text(path, text)


def _packed(states: Sequence[Gaussians]) -> tuple[int, int, bytes]:
    """How many Gaussians stand still and how many move, and the bytes of both, deflated.

    Those that stand still come first, plane after plane of `_planes`; then those that move, plane after plane with all
    times of each, as differences from the time before.
    """
    planes: list[UInt8[ndarray, "plane gaussian"]] = []
    quats = states[0].quats
    for state in states:
        # q and -q are one rotation: the page goes from one to the next on the shorter way.
        quats = state.quats * torch.where((state.quats * quats).sum(-1, keepdim=True) < 0, -1.0, 1.0)
        planes.append(_planes(state, quats))
    moves: Bool[ndarray, " gaussian"] = np.zeros(planes[0].shape[1], bool)
    for later in planes[1:]:
        moves |= (later != planes[0]).any(0)
    moving = np.stack([state[:, moves] for state in planes], axis=1)
    steps = np.diff(moving, axis=1, prepend=np.zeros_like(moving[:, :1]))
    packed = zlib.compress(planes[0][:, ~moves].tobytes() + (steps.tobytes() if moves.any() else b""), 9)
    return int((~moves).sum()), int(moves.sum()), packed


def _planes(state: Gaussians, quats: Float[Tensor, "gaussian 4"]) -> UInt8[ndarray, "plane gaussian"]:
    """The bytes of Gaussians: of x, y, z the three upper ones of a float, of the scales two, of w, x, y, z one each (-1
    to 1 as 1 to 255), of red, green, blue and opacity one each."""
    colors = torch.cat([state.colors, state.opacities[:, None]], dim=1)
    parts = [
        _upper_bytes(state.means, 3),
        _upper_bytes(state.scales, 2),
        (torch.nn.functional.normalize(quats, dim=-1) * 127 + 128).round().numpy().astype(np.uint8).T,
        as_bytes(colors).T,
    ]
    return np.concatenate(parts)


def _upper_bytes(values: Float[Tensor, "gaussian 3"], count: int) -> UInt8[ndarray, "plane gaussian"]:
    """The upper bytes of 32-bit floats, rounded, the highest first; those of a component lie together."""
    whole = np.ascontiguousarray(values.numpy()).view(np.uint32).astype(np.uint64) + (1 << (31 - 8 * count))
    shifts = np.arange(24, 24 - 8 * count, -8, dtype=np.uint64)
    return (whole.T[:, None] >> shifts[None, :, None]).astype(np.uint8).reshape(-1, len(values))
