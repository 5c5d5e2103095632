"""A scene of coloured blobs seen from an arc of cameras, and a network small enough to tune in a second."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.initial import InitialValues
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.types import Gaussians, Views


def small_network(**changes: object) -> TokenGSNetwork:
    torch.manual_seed(0)
    sizes: dict[str, object] = {
        "width": 32, "heads": 2, "encoder_depth": 1, "decoder_depth": 1, "tokens": 32, "gaussians_per_token": 8,
        "scale_cap": 0.3,
        "image_size": (32, 32),
    }  # fmt: skip
    initial = InitialValues(token_std=0.5, head_std=0.1, decoder_scale=0.1)
    return TokenGSNetwork(NetworkConfig(**{**sizes, **changes}), initial=initial)  # type: ignore[arg-type]


def arc_cameras(count: int, radius: float = 2.0, span: float = 0.8) -> Tensor:
    """Cameras on an arc of `span` radians around (0, 0, radius), all looking there; the middle one is the identity."""
    poses = []
    for i in range(count):
        angle = span * (i / max(count - 1, 1) - 0.5)
        pose = torch.eye(4)
        pose[:3, 0] = torch.tensor([math.cos(angle), 0.0, math.sin(angle)])
        pose[:3, 2] = torch.tensor([-math.sin(angle), 0.0, math.cos(angle)])
        pose[:3, 3] = torch.tensor([radius * math.sin(angle), 0.0, radius - radius * math.cos(angle)])
        poses.append(pose)
    return torch.stack(poses)


def blobs(count: int = 60, seed: int = 1) -> Gaussians:
    """Solid blobs of many colours around (0, 0, 2)."""
    generator = torch.Generator().manual_seed(seed)
    rand = lambda *shape: torch.rand(*shape, generator=generator)  # noqa: E731
    return Gaussians(
        means=(rand(count, 3) - 0.5) * torch.tensor([1.6, 1.6, 0.8]) + torch.tensor([0.0, 0.0, 2.0]),
        quats=F.normalize(rand(count, 4) - 0.5, dim=-1),
        scales=0.06 + 0.12 * rand(count, 3),
        opacities=0.6 + 0.35 * rand(count),
        colors=rand(count, 3),
    )


def photos(scene: Gaussians, c2w: Tensor, size: int = 32, focal: float = 1.1) -> Views:
    intrinsics = torch.tensor([[focal * size, 0, size / 2], [0, focal * size, size / 2], [0, 0, 1]])
    intrinsics = intrinsics.expand(len(c2w), 3, 3).contiguous()
    images = render(scene, c2w, intrinsics, size, size, depth=False).rgb
    return Views(images.clamp(0, 1), c2w, intrinsics)


def noisy(scene: Gaussians) -> Gaussians:
    """Somewhat elsewhere, larger, fainter, of other colours."""
    return Gaussians(
        scene.means + 0.05 * torch.randn_like(scene.means),
        scene.quats,
        scene.scales * 1.2,
        scene.opacities * 0.8,
        (scene.colors + 0.1 * torch.randn_like(scene.colors)).clamp(0, 1),
    )


def scene_views(count: int = 5) -> Views:
    """Small photos of `blobs` from so many cameras."""
    return photos(blobs(), arc_cameras(count))


def image_error(gaussians: Gaussians, views: Views) -> float:
    """Mean square difference of renders from photos."""
    size = (views.width, views.height)
    rgb = render(gaussians, views.c2w, views.intrinsics, *size, depth=False).rgb
    return float((rgb.clamp(0, 1) - views.images).square().mean())
