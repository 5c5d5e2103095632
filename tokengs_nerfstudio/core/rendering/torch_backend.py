"""The readable reference: what the kernels of `*_kernels.py` compute, in plain torch, differentiated by autograd.

`project`, `list_tiles` and `composite` are the twins of the kernels of the same name. Any device, any float type; the
memory for autograd grows with (pixels x splats of a tile), so it is for small pictures and for tests.
"""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.rendering.request import Request
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion

ALPHA_MAX = 0.999
ALPHA_MIN = 1.0 / 255.0
TRANSMITTANCE_MIN = 1e-4
BLUR = 0.3
TILE = 16

# Beyond so many standard deviations gsplat 1.5 draws nothing, however opaque a Gaussian is.
FARTHEST = 3.33

Projection = dict[str, Tensor]
Extent = Literal["three_sigma", "alpha_cut"]
"""How far a splat reaches. "three_sigma", gsplat 1.4 and our kernels: a square of three standard deviations along the
longest axis. "alpha_cut", gsplat 1.5: a rectangle that ends where alpha falls below 1/255, at the latest after 3.33
standard deviations along x and along y."""


def _drawable(means: Tensor, quats: Tensor, scales: Tensor) -> Bool[Tensor, " gaussian"]:
    """Gaussians whose geometry is finite; the others end as radius (int)NaN = 0 in the kernels."""
    finite = torch.isfinite(means).all(-1) & torch.isfinite(quats).all(-1) & torch.isfinite(scales).all(-1)
    return finite & (quats.abs().sum(-1) > 0)


def _jacobian(points: Tensor, intrinsics: Tensor, width: int, height: int) -> Float[Tensor, "view gaussian 2 3"]:
    """d(pixel)/d(camera point), taken at most 30 % outside of the image, where it would grow without bound."""
    x, y, z = points.unbind(-1)
    fx, fy, cx, cy = (intrinsics[:, i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    margin_x, margin_y = 0.15 * width / fx, 0.15 * height / fy
    x = z * torch.minimum(torch.maximum(x / z, -cx / fx - margin_x), (width - cx) / fx + margin_x)
    y = z * torch.minimum(torch.maximum(y / z, -cy / fy - margin_y), (height - cy) / fy + margin_y)
    zero = torch.zeros_like(z)
    rows = [torch.stack([fx / z, zero, -fx * x / z**2], -1), torch.stack([zero, fy / z, -fy * y / z**2], -1)]
    return torch.stack(rows, -2)


def project(
    means: Float[Tensor, "gaussian 3"],
    quats: Float[Tensor, "gaussian 4"],
    scales: Float[Tensor, "gaussian 3"],
    opacities: Float[Tensor, " gaussian"],
    viewmats: Float[Tensor, "view 4 4"],
    intrinsics: Float[Tensor, "view 3 3"],
    width: int,
    height: int,
    near: float,
    far: float,
    extent: Extent = "three_sigma",
    antialiased: bool = False,
) -> Projection:
    """Splats of one scene: means2d [view gaussian 2], conics [.. 3], depths [..], radii [.. 2] (0 where not drawn).

    With `antialiased` also compensations [..], which opacities are to be multiplied by; the radii know of it.
    """
    near, far = (float(torch.tensor(plane, dtype=means.dtype)) for plane in (near, far))
    drawable = _drawable(means, quats, scales)[:, None]
    means = torch.where(drawable, means, torch.zeros_like(means))
    quats = torch.where(drawable, quats, torch.ones_like(quats))
    scales = torch.where(drawable, scales, torch.ones_like(scales))
    points = means @ viewmats[:, :3, :3].mT + viewmats[:, None, :3, 3]
    live = drawable[:, 0] & (points[..., 2] >= near) & (points[..., 2] <= far)  # a point on a plane is kept
    # Gaussians that are not drawn go on with a harmless point, so that their gradient is zero and not NaN.
    points = torch.where(live[..., None], points, torch.ones_like(points))
    spread = matrix_from_quaternion(quats / quats.norm(dim=-1, keepdim=True)) * scales[:, None, :]
    flat = _jacobian(points, intrinsics, width, height) @ viewmats[:, None, :3, :3] @ spread
    sharp = flat @ flat.mT
    covariance = sharp + BLUR * torch.eye(2, dtype=means.dtype, device=means.device)
    c00, c01, c11 = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    determinant = c00 * c11 - c01 * c01
    focal = torch.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], -1)[:, None]
    means2d = focal * points[..., :2] / points[..., 2:] + intrinsics[:, None, :2, 2]
    compensated = {"compensations": _compensations(flat, sharp)} if antialiased else {}
    with torch.no_grad():
        seen = opacities * compensated["compensations"] if antialiased else opacities
        radii = _square(c00, c11, determinant) if extent == "three_sigma" else _rectangle(c00, c11, seen)
        size = means2d.new_tensor([width, height])
        inside = ((means2d + radii > 0) & (means2d - radii < size)).all(-1)
        radii = torch.where((live & inside & (determinant > 0))[..., None], radii, torch.zeros_like(radii))
    determinant = torch.where(determinant > 0, determinant, torch.ones_like(determinant))
    conics = torch.stack([c11, -c01, c00], -1) / determinant[..., None]
    return {"means2d": means2d, "conics": conics, "depths": points[..., 2], "radii": radii, **compensated}


def _compensations(
    flat: Float[Tensor, "view gaussian 2 3"], sharp: Float[Tensor, "view gaussian 2 2"]
) -> Float[Tensor, "view gaussian"]:
    """sqrt(det before the blur / det after it) for sharp = flat flat^T; 0 for what has no area.

    The determinant before is the squared length of the cross product of the rows of `flat`, in which less cancels.
    """
    before = torch.linalg.cross(flat[..., 0, :], flat[..., 1, :]).square().sum(-1)
    after = before + BLUR * (sharp[..., 0, 0] + sharp[..., 1, 1] + BLUR)
    has_area = before > 0  # elsewhere the root has no slope
    return torch.where(has_area, torch.where(has_area, before / after, 1.0).sqrt(), 0.0)


def _square(c00: Tensor, c11: Tensor, determinant: Tensor) -> Float[Tensor, "view gaussian 2"]:
    """Three standard deviations along the longest axis, rounded up, along x and y alike."""
    middle = 0.5 * (c00 + c11)
    radius = torch.ceil(3.0 * torch.sqrt(middle + torch.sqrt((middle * middle - determinant).clamp(min=0.01))))
    return radius[..., None].expand(*radius.shape, 2)


def _rectangle(c00: Tensor, c11: Tensor, opacities: Tensor) -> Float[Tensor, "view gaussian 2"]:
    """How far along x and along y alpha can reach 1/255, rounded up; 0 for Gaussians that nowhere do."""
    deviations = (2.0 * torch.log(opacities / ALPHA_MIN)).clamp(min=0.0).sqrt().clamp(max=FARTHEST)
    return torch.ceil(deviations[..., None] * torch.stack([c00, c11], -1).sqrt())


def list_tiles(
    means2d: Float[Tensor, "gaussian 2"], depths: Float[Tensor, " gaussian"], radii: Float[Tensor, "gaussian 2"]
) -> tuple[Int[Tensor, " splat"], Float[Tensor, "splat 2"], Float[Tensor, "splat 2"]]:
    """The drawn splats of one view from front to back, and the first and past-the-last tile (x, y) of each."""
    drawn = torch.nonzero((radii > 0).all(-1))[:, 0]
    order = drawn[torch.sort(depths[drawn], stable=True).indices]
    centre, reach = means2d[order] / TILE, radii[order] / TILE
    return order, torch.floor(centre - reach), torch.ceil(centre + reach)


def composite(
    offsets: Float[Tensor, "pixel splat 2"],
    conics: Float[Tensor, "splat 3"],
    opacities: Float[Tensor, " splat"],
    features: Float[Tensor, "splat channel"],
) -> tuple[Float[Tensor, "pixel channel"], Float[Tensor, "pixel 1"]]:
    """One tile from front to back: features weighted by alpha * transmittance, and the transmittance that is left."""
    dx, dy = offsets.unbind(-1)
    sigma = 0.5 * (conics[:, 0] * dx * dx + conics[:, 2] * dy * dy) + conics[:, 1] * dx * dy
    raw = opacities * torch.exp(-sigma)
    alpha = torch.where(raw < ALPHA_MAX, raw, torch.full_like(raw, ALPHA_MAX))  # NaN becomes 0.999
    alpha = torch.where((sigma >= 0) & (alpha >= ALPHA_MIN), alpha, torch.zeros_like(alpha))
    after = torch.cumprod(1 - alpha, -1)
    drawn = after.detach() > TRANSMITTANCE_MIN  # the splat that would cross the limit is left out, and all behind it
    alpha = alpha * drawn
    after = torch.where(drawn, after, torch.ones_like(after))
    before = torch.cat([torch.ones_like(after[:, :1]), after[:, :-1]], -1)
    weights = alpha * before
    return weights @ features, 1 - weights.sum(-1, keepdim=True)


def _picture(request: Request, scene: int, view: int, splats: Projection) -> tuple[Tensor, Tensor]:
    """Features [4 height width] (RGB over the background, depth sum) and transmittance [1 height width] of one view."""
    g, device = request.splats, request.viewmats.device
    means2d, depths = splats["means2d"][view], splats["depths"][view]
    features = torch.cat([g.colors[scene], depths[:, None]], -1)
    order, first, end = list_tiles(means2d.detach(), depths.detach(), splats["radii"][view])
    pictures = means2d.new_zeros(4, request.height, request.width)
    through = means2d.new_ones(1, request.height, request.width)
    rows = []
    for top in range(0, request.height, TILE):
        columns = []
        for left in range(0, request.width, TILE):
            tile = torch.tensor([left // TILE, top // TILE], device=device)
            here = order[((first <= tile) & (end > tile)).all(-1)]
            ys = torch.arange(top, min(top + TILE, request.height), device=device)
            xs = torch.arange(left, min(left + TILE, request.width), device=device)
            pixels = torch.stack(torch.meshgrid(xs + 0.5, ys + 0.5, indexing="xy"), -1).reshape(-1, 1, 2)
            offsets = means2d[here] - pixels.to(means2d.dtype)
            opacities = g.opacities[scene, here]
            if request.antialiased:
                opacities = opacities * splats["compensations"][view, here]
            colors, left_over = composite(offsets, splats["conics"][view, here], opacities, features[here])
            columns.append(torch.cat([colors, left_over], -1).T.reshape(5, len(ys), len(xs)))
        rows.append(torch.cat(columns, -1))
    whole = torch.cat(rows, -2)
    pictures, through = whole[:4], whole[4:]
    background = torch.cat([request.background[scene, view], pictures.new_zeros(1)])
    return pictures + through * background[:, None, None], through


def _info(request: Request, splats: Projection) -> dict[str, Any]:
    """gsplat's dictionary for one scene."""
    opacities = request.splats.opacities[0].expand_as(splats["depths"])
    return {
        **{name: splats[name] for name in ("means2d", "conics", "depths")},
        "radii": splats["radii"].amax(-1).to(torch.int32),
        "opacities": opacities * splats["compensations"] if request.antialiased else opacities,
        "camera_ids": None,
        "gaussian_ids": None,
        "width": request.width,
        "height": request.height,
        "tile_size": TILE,
        "n_cameras": request.views,
    }


def rasterize(request: Request, extent: Extent = "three_sigma") -> tuple[Tensor, Tensor, Tensor | None, dict[str, Any]]:
    """rgb [scene view 3 height width], alpha and expected depth [scene view 1 height width], the last scene's info."""
    pictures, alphas, info = [], [], {}
    for scene in range(request.scenes):
        g = request.splats
        splats = project(
            g.means[scene], g.quats[scene], g.scales[scene], g.opacities[scene], request.viewmats[scene],
            request.intrinsics[scene], request.width, request.height, request.near, request.far, extent,
            request.antialiased,
        )  # fmt: skip
        info = _info(request, splats)
        views = [_picture(request, scene, view, splats) for view in range(request.views)]
        pictures.append(torch.stack([picture for picture, _ in views]))
        alphas.append(torch.stack([1 - through for _, through in views]))
    picture, alpha = torch.stack(pictures), torch.stack(alphas)
    depth = picture[..., 3:, :, :] / alpha.clamp(min=1e-10) if request.depth else None
    return picture[..., :3, :, :], alpha, depth, info
