"""Scenes for the renderer's tests, and a loss that weighs every output."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tokengs_nerfstudio.core.rendering.request import Request, checked
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig, Renders


@dataclass(frozen=True)
class Scene:
    """Gaussians, cameras and what `render` needs beside them."""

    splats: Gaussians
    c2w: Tensor
    intrinsics: Tensor
    width: int
    height: int

    def to(self, dtype: torch.dtype) -> "Scene":
        return Scene(self.splats.to(dtype), self.c2w.to(dtype), self.intrinsics.to(dtype), self.width, self.height)

    @property
    def arguments(self) -> tuple[Gaussians, Tensor, Tensor, int, int]:
        return self.splats, self.c2w, self.intrinsics, self.width, self.height

    @property
    def request(self) -> tuple[Gaussians, Cameras, RenderConfig]:
        """The same as records."""
        return self.splats, Cameras(self.c2w, self.intrinsics, self.width, self.height), RenderConfig()

    def requested(
        self, background: float | Tensor, depth: bool = True, backend: str = "auto", antialiased: bool = False
    ) -> Request:
        """The same as a backend is asked."""
        splats, cameras, config = self.request
        config = replace(config, background=background, antialiased=antialiased)
        return checked(splats, cameras, config, depth, backend)


def orbit(views: int, distance: float = 2.2) -> Tensor:
    """OpenCV cameras on a wavy arc, all looking at the origin."""
    poses = []
    for k in range(views):
        angle = 0.5 * k
        eye = (
            torch.tensor([math.sin(angle), 0.3 * math.sin(3 * angle), -math.cos(angle)], dtype=torch.float64) * distance
        )
        forward = -eye / eye.norm()
        right = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), forward)
        right = right / right.norm()
        pose = torch.eye(4, dtype=torch.float64)
        pose[:3, :3] = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)
        pose[:3, 3] = eye
        poses.append(pose)
    return torch.stack(poses)


def pinhole(views: int, width: int, height: int) -> Tensor:
    """Intrinsics whose two focal lengths differ and whose principal point is a little off the centre."""
    focal = 1.1 * max(width, height)
    matrix = torch.tensor([[focal, 0, 0.51 * width], [0, 1.03 * focal, 0.48 * height], [0, 0, 1]], dtype=torch.float64)
    return matrix.expand(views, 3, 3).clone()


def random_scene(
    count: int,
    width: int,
    height: int,
    views: int = 1,
    seed: int = 0,
    size: tuple[float, float] = (0.02, 0.3),
    opacity: tuple[float, float] = (0.1, 0.9),
) -> Scene:
    """Gaussians in a cube of side 1.4 before `views` cameras, in float32."""
    g = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=g, dtype=torch.float64)

    splats = Gaussians(
        means=(uniform(count, 3) - 0.5) * 1.4,
        quats=torch.nn.functional.normalize(torch.randn(count, 4, generator=g, dtype=torch.float64), dim=-1),
        scales=size[0] * (size[1] / size[0]) ** uniform(count, 3),
        opacities=opacity[0] + (opacity[1] - opacity[0]) * uniform(count),
        colors=uniform(count, 3),
    )
    return Scene(splats, orbit(views), pinhole(views, width, height), width, height).to(torch.float32)


def scene_of(
    means: list[list[float]], scales: list[list[float]], opacities: list[float], width: int, height: int
) -> Scene:
    """Hand-placed Gaussians before one camera at the origin that looks along z."""
    g = torch.Generator().manual_seed(3)
    splats = Gaussians(
        means=torch.tensor(means),
        quats=torch.nn.functional.normalize(torch.randn(len(means), 4, generator=g), dim=-1),
        scales=torch.tensor(scales),
        opacities=torch.tensor(opacities),
        colors=torch.rand(len(means), 3, generator=g),
    )
    return Scene(splats, torch.eye(4)[None], pinhole(1, width, height).float(), width, height)


def trainable(scene: Scene) -> tuple[Scene, list[Tensor]]:
    """A copy whose Gaussians and poses are leaves that take gradients, and those leaves."""
    splats = scene.splats.map(lambda values: values.clone().requires_grad_())
    leaves = [values for _, values in splats.tensors()]
    c2w = scene.c2w.clone().requires_grad_()
    return Scene(splats, c2w, scene.intrinsics, scene.width, scene.height), [*leaves, c2w]


def weighted_sum(renders: Renders, mask: Tensor, seed: int = 0) -> Tensor:
    """A loss with random weights on rgb, alpha and depth where `mask` [.. view height width] allows.

    Depth counts only where something is: nearby, sum(w z) / sum(w) is ill conditioned.
    """
    g = torch.Generator().manual_seed(seed)

    def weighted(picture: Tensor, allowed: Tensor) -> Tensor:
        weights = torch.rand(picture.shape, generator=g, dtype=torch.float64).to(picture.dtype)
        return (picture * weights * allowed).sum()

    allowed = mask[..., None, :, :].to(renders.rgb.dtype)
    loss = weighted(renders.rgb, allowed) + weighted(renders.alpha, allowed)
    if renders.depth is not None:
        loss = loss + weighted(renders.depth, allowed * (renders.alpha.detach() > 0.05))
    return loss
