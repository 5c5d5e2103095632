"""`render`: Gaussians and cameras in, pictures out, whichever backend does the work."""

from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.checks import check_gaussians, check_intrinsics, check_poses
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.rendering.request import Request, checked
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig, Renders

Backend = Literal["auto", "gsplat", "numba", "torch"]


def render(
    splats: Gaussians,
    c2w: Float[Tensor, "*batch view 4 4"],
    intrinsics: Float[Tensor, "*batch view 3 3"],
    width: int,
    height: int,
    near: float = 0.01,
    far: float = 1e10,
    background: float | int | Float[Tensor, " 3"] | Float[Tensor, "*batch view 3"] = 0.5,
    backend: Backend = "auto",
    depth: bool = True,
    antialiased: bool = False,
) -> Renders:
    """Pictures of `splats` from every camera of their scene.

    Args:
        splats: Gaussians of one scene or of a batch of scenes, in the frame of the cameras.
        c2w: OpenCV camera-to-world matrices, rigid.
        intrinsics: in pixels of the picture; the first pixel's centre is at (0.5, 0.5). No gradient reaches them.
        width, height: of the picture, pixels.
        near, far: z-depths outside of which Gaussians are left out, in the frame's units.
        background: what shows where the Gaussians let light through: a number, one colour, or a colour per view.
        backend: "gsplat" (CUDA), "numba" (CPU), "torch" (the slow reference, any device, computes in float64 if the
            Gaussians do); "auto" takes gsplat for CUDA tensors and numba for the others. All follow gsplat:
            16-pixel tiles, 0.3 px^2 blur, alpha in [1/255, 0.999], stop at transmittance 1e-4. Gaussians reach as far
            as in gsplat 1.4; gsplat 1.5, where that is installed, draws a little wider.
        depth: whether to render the expected z-depth, sum(w z) / sum(w); 0 where nothing is.
        antialiased: gsplat's mode of that name instead of its classic one. The blur makes Gaussians that are smaller
            than a pixel larger; here it takes from their opacity in the same measure, so that a picture keeps its
            brightness and its fineness when it is drawn at another size (the 2D filter of Mip-Splatting).

    Returns:
        `Renders`, differentiable in the Gaussians, the cameras and the background.

    Raises:
        ValueError: shapes or devices that do not fit together, sizes or planes out of range, an unknown backend, or one
            that does not run where the tensors are.
    """
    check_gaussians(splats, "splats")
    check_poses(c2w, "c2w")
    check_intrinsics(intrinsics, "intrinsics")
    _check_background(background)
    config = RenderConfig(near, far, background, antialiased)
    return render_cameras(splats, Cameras(c2w, intrinsics, width, height), config, depth, backend)


def _check_background(background: float | Tensor) -> None:
    values = torch.as_tensor(background)
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise UserError(f"background must be RGB in [0, 1], got {values.tolist()}; divide 8-bit values by 255")


def render_cameras(
    splats: Gaussians, cameras: Cameras, config: RenderConfig, depth: bool = True, backend: Backend = "auto"
) -> Renders:
    """`render` for what the rest of the package hands around: cameras and settings as records."""
    return _drawn(checked(splats, cameras, config, depth, backend))[0]


def render_with_info(
    splats: Gaussians, cameras: Cameras, config: RenderConfig, depth: bool = True, backend: Backend = "auto"
) -> tuple[Renders, dict[str, Any]]:
    """`render_cameras` for one scene, with what gsplat's densification strategies ask for.

    The dictionary has gsplat's keys of an unpacked call: means2d [view gaussian 2] (pixels; call `retain_grad()` before
    the backward pass, its `.grad` is there after), radii [view gaussian] (pixels, 0 where not drawn), depths, conics,
    opacities, width, height, n_cameras, tile_size, and gaussian_ids and camera_ids, which are None. On the CPU
    `means2d` receives the gradient but does not hand one on: losses on the positions themselves need gsplat or "torch".
    """
    if cameras.c2w.ndim != 3:
        raise UserError(f"densification works on one scene: c2w must be [view 4 4], got {list(cameras.c2w.shape)}")
    if splats.harmonics is not None:
        raise UserError("gsplat's densification strategies know no harmonics here: use the densification 'budget'")
    return _drawn(checked(splats, cameras, config, depth, backend), tap=True)


def contributions(
    splats: Gaussians,
    cameras: Cameras,
    config: RenderConfig,
    masks: Float[Tensor, "*batch view 1 height width"] | None = None,
    backend: Backend = "auto",
) -> Float[Tensor, "*batch gaussian"]:
    """What each Gaussian adds to the pictures: its blending weights, summed over pixels (times `masks`) and views.

    A picture is linear in the colours, so the weights are the gradient of its sum. Nothing is differentiable here.
    """
    frozen = splats.detach()
    with torch.enable_grad():
        colors = torch.zeros_like(frozen.colors).requires_grad_()
        dark = replace(config, background=0.0)
        grey = replace(frozen, colors=colors, harmonics=None)
        renders = render_cameras(grey, cameras.detach(), dark, depth=False, backend=backend)
        added = renders.rgb[..., :1, :, :]
        (weights,) = torch.autograd.grad((added if masks is None else added * masks).sum(), colors)
    return weights[..., 0]


def _drawn(request: Request, tap: bool = False) -> tuple[Renders, dict[str, Any]]:
    """The pictures with the caller's batch axes, and gsplat's dictionary of the last scene."""
    with torch.autocast(request.viewmats.device.type, enabled=False):
        rgb, alpha, depth, info = _rasterize(request, tap)

    def unflat(picture: Tensor) -> Tensor:
        return picture.reshape(*request.leading, *picture.shape[2:])

    return Renders(unflat(rgb), unflat(alpha), None if depth is None else unflat(depth)), info


def _rasterize(request: Request, tap: bool) -> tuple[Tensor, Tensor, Tensor | None, dict[str, Any]]:
    """Only the backend asked for is imported: numba and gsplat take their time."""
    if request.backend == "gsplat":
        from tokengs_nerfstudio.core.rendering import gsplat_backend

        return gsplat_backend.rasterize(request)
    if request.backend == "numba":
        from tokengs_nerfstudio.core.rendering import numba_backend

        return numba_backend.rasterize(request, tap)
    from tokengs_nerfstudio.core.rendering import torch_backend

    return torch_backend.rasterize(request)
