"""An independent renderer for the tests: float64, every pixel against every Gaussian, the formulas written out.

It also says which pixels are fragile: where a hard decision (alpha against 1/255 and 0.999, the stop, a rounded radius
or tile edge) is so close that float32 may well decide otherwise.
"""

import math

import torch
from made.random_scenes import Scene
from torch import Tensor

from tokengs_nerfstudio.core.types import Gaussians, Renders

TILE = 16


def rotation(quaternion: Tensor) -> Tensor:
    """Of one wxyz quaternion, by the product of its left and right multiplication matrices."""
    w, x, y, z = quaternion / (quaternion**2).sum().sqrt()
    left = torch.stack([w, -x, -y, -z, x, w, -z, y, y, z, w, -x, z, -y, x, w]).reshape(4, 4)
    right = torch.stack([w, x, y, z, -x, w, -z, y, -y, z, w, -x, -z, -y, x, w]).reshape(4, 4)
    return (left @ right)[1:, 1:]


class Splat:
    """One Gaussian seen by one camera; None of it where `drawn` is False."""

    def __init__(
        self, g: Gaussians, n: int, w2c: Tensor, k: Tensor, width: int, height: int, near: float, far: float,
        cut: bool, antialiased: bool,
    ):  # fmt: skip
        self.drawn, self.fragile = False, False
        finite = all(bool(torch.isfinite(t[n]).all()) for t in (g.means, g.quats, g.scales))
        point = w2c[:3, :3] @ g.means[n] + w2c[:3, 3]
        if not finite or point[2] < near or point[2] > far:
            return
        fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
        spread = rotation(g.quats[n]) @ torch.diag(g.scales[n])
        world = w2c[:3, :3] @ spread @ spread.T @ w2c[:3, :3].T
        u = (point[0] / point[2]).clamp(-cx / fx - 0.15 * width / fx, (width - cx) / fx + 0.15 * width / fx)
        v = (point[1] / point[2]).clamp(-cy / fy - 0.15 * height / fy, (height - cy) / fy + 0.15 * height / fy)
        zero = torch.zeros_like(u)
        across, down = torch.stack([fx, zero, -fx * u]), torch.stack([zero, fy, -fy * v])
        jacobian = torch.stack([across, down]) / point[2]
        sharp = jacobian @ world @ jacobian.T
        covariance = sharp + 0.3 * torch.eye(2, dtype=torch.float64)
        middle, determinant = covariance.trace() / 2, torch.linalg.det(covariance)
        deviation = float(torch.sqrt(middle + torch.sqrt((middle**2 - determinant).clamp(min=0.01))).detach())
        self.radius = math.ceil(3 * deviation)
        self.mean = torch.stack([fx * point[0] / point[2] + cx, fy * point[1] / point[2] + cy])
        self.inverse, self.depth = torch.linalg.inv(covariance), point[2]
        self.opacity, self.color = g.opacities[n], g.colors[n]
        if antialiased:
            self.opacity = self.opacity * torch.sqrt(torch.linalg.det(sharp) / determinant)
        if not cut:
            self.tiles, self.drawn = (-math.inf, math.inf, -math.inf, math.inf), True
            return
        x, y = self.mean.tolist()
        if not (-self.radius < x < width + self.radius and -self.radius < y < height + self.radius):
            return
        edges = [(x - self.radius) / TILE, (x + self.radius) / TILE, (y - self.radius) / TILE, (y + self.radius) / TILE]
        self.fragile = abs(3 * deviation - round(3 * deviation)) < 1e-4 or any(abs(e - round(e)) < 1e-5 for e in edges)
        self.tiles = math.floor(edges[0]), math.ceil(edges[1]), math.floor(edges[2]), math.ceil(edges[3])
        self.drawn = True


def _near(value: Tensor, limit: float) -> Tensor:
    return (value.detach() / limit - 1).abs() < 1e-5


def _view(splats: list[Splat], width: int, height: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted colours and depth [4 height width], transmittance [height width], fragile pixels [height width]."""
    rows, columns = torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    through, done = torch.ones_like(x), torch.zeros_like(x, dtype=torch.bool)
    fragile, picture = done.clone(), torch.zeros(4, height, width, dtype=torch.float64)
    for s in sorted((s for s in splats if s.drawn), key=lambda s: s.depth.item()):
        offset = torch.stack([s.mean[0] - x - 0.5, s.mean[1] - y - 0.5])
        sigma = torch.einsum("ihw,ij,jhw->hw", offset, s.inverse, offset) / 2
        raw = s.opacity * torch.exp(-sigma)
        alpha = raw.clamp(max=0.999)
        left, right, top, bottom = s.tiles
        tile = (x // TILE >= left) & (x // TILE < right) & (y // TILE >= top) & (y // TILE < bottom) & ~done
        seen = tile & (alpha >= 1 / 255)
        after = through * (1 - alpha)
        fragile |= tile & (_near(raw, 1 / 255) | _near(raw, 0.999) | (seen & _near(after, 1e-4)))
        fragile |= torch.full_like(fragile, s.fragile)
        drawn = seen & (after > 1e-4)
        done = done | (seen & ~drawn)
        weight = torch.where(drawn, alpha * through, torch.zeros_like(through))
        picture = picture + weight * torch.cat([s.color, s.depth[None]])[:, None, None]
        through = torch.where(drawn, after, through)
    return picture, through, fragile


def render(
    scene: Scene, background: Tensor | float = 0.5, near: float = 0.01, far: float = 1e10, cut: bool = True,
    antialiased: bool = False,
) -> tuple[Renders, Tensor]:  # fmt: skip
    """Pictures of one scene in float64, and the pixels [view height width] that are fragile.

    With `cut`, Gaussians end at three standard deviations, as in gsplat 1.4; without, nowhere.
    """
    pictures, alphas, fragiles = [], [], []
    fill = torch.as_tensor(background, dtype=torch.float64).expand(len(scene.c2w), 3)
    for c2w, k, behind in zip(scene.c2w, scene.intrinsics, fill):
        rotation_back = c2w[:3, :3].T  # poses are rigid, up to float32's rounding
        w2c = torch.cat([rotation_back, -(rotation_back @ c2w[:3, 3:])], dim=1)
        sizes = (scene.width, scene.height)
        limits = (*sizes, near, far, cut, antialiased)
        splats = [Splat(scene.splats, n, w2c, k, *limits) for n in range(scene.splats.count)]
        picture, through, fragile = _view(splats, *sizes)
        alphas.append(1 - through[None])
        depth = picture[3:] / alphas[-1].clamp(min=1e-10)
        pictures.append(torch.cat([picture[:3] + through * behind[:, None, None], depth]))
        fragiles.append(fragile)
    whole = torch.stack(pictures)
    return Renders(whole[:, :3], torch.stack(alphas), whole[:, 3:]), torch.stack(fragiles)
