"""gsplat's functions where its kernels cannot run: its argument names, shapes and layouts, computed by the reference.

What gsplat leaves unwritten, the projections of Gaussians that are not drawn, is NaN here: nothing may depend on it.
"""

import inspect
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tokengs_nerfstudio.core.rendering import torch_backend
from tokengs_nerfstudio.core.rendering.request import Request
from tokengs_nerfstudio.core.types import Gaussians

NAMES = ("rasterization", "fully_fused_projection", "isect_tiles", "isect_offset_encode", "rasterize_to_pixels")


class FakeGsplat(types.ModuleType):
    """A module in gsplat's place, of a version; `calls` records what was asked for, by the names of the parameters.

    Arguments go through the signature of the installed gsplat where that has the same version.
    """

    def __init__(self, version: tuple[int, ...]) -> None:
        super().__init__("gsplat")
        self.version_numbers = version
        self.extent: torch_backend.Extent = "alpha_cut" if version >= (1, 5) else "three_sigma"
        self.calls: list[tuple[str, dict[str, Any]]] = []
        for name in NAMES:
            setattr(self, name, self._recorded(name, getattr(self, f"_{name}"), installed(name, version)))

    def called(self, name: str) -> list[dict[str, Any]]:
        return [arguments for called, arguments in self.calls if called == name]

    def _recorded(self, name: str, compute: Callable[..., Any], signature: inspect.Signature | None) -> Any:
        def call(*positional: Any, **named: Any) -> Any:
            bound = (signature or inspect.signature(compute)).bind(*positional, **named).arguments
            self.calls.append((name, bound))
            return compute(**bound)

        return call

    def _rasterization(
        self, means, quats, scales, opacities, colors, viewmats, Ks, width, height, near_plane, far_plane,
        radius_clip, eps2d, packed, tile_size, backgrounds, render_mode, rasterize_mode,
    ):  # fmt: skip
        scenes = means.shape[:-2]
        views, count = viewmats.shape[-3], means.shape[-2]
        assert len(scenes) == 0 or self.version_numbers >= (1, 5, 3), "only then is there an axis for scenes"
        assert quats.shape == (*scenes, count, 4)
        assert (scales.shape, colors.shape, opacities.shape) == (means.shape, means.shape, means.shape[:-1])
        assert (viewmats.shape, Ks.shape) == ((*scenes, views, 4, 4), (*scenes, views, 3, 3))
        assert backgrounds.shape == (*scenes, views, 3)
        assert (radius_clip, eps2d, packed, tile_size) == (0.0, 0.3, False, 16)
        assert rasterize_mode in ("classic", "antialiased")
        one = [x if scenes else x[None] for x in (means, quats, scales, opacities, colors, viewmats, Ks, backgrounds)]
        request = Request(
            Gaussians(*one[:5]), *one[5:], width, height, near_plane, far_plane,
            depth=render_mode == "RGB+ED", antialiased=rasterize_mode == "antialiased", backend="torch",
            leading=(len(one[0]), views),
        )  # fmt: skip
        rgb, alpha, depth, info = torch_backend.rasterize(request, self.extent)
        picture = (rgb if depth is None else torch.cat([rgb, depth], -3)).movedim(-3, -1)
        radii = info["radii"]
        info = {**info, "radii": radii if self.extent == "three_sigma" else radii[..., None].expand(*radii.shape, 2)}
        results = picture, alpha.movedim(-3, -1)
        return *(results if scenes else (result[0] for result in results)), info

    def _fully_fused_projection(
        self, means, covars, quats, scales, viewmats, Ks, width, height, eps2d, near_plane, far_plane, radius_clip,
        packed, calc_compensations=False, opacities=None,
    ):  # fmt: skip
        assert covars is None
        assert means.ndim == 2
        assert all(x.is_contiguous() for x in (means, quats, scales, viewmats, Ks))
        assert (radius_clip, eps2d, packed) == (0.0, 0.3, False)
        assert (opacities is not None) == (self.version_numbers >= (1, 5))
        weights = torch.ones(len(means)) if opacities is None else opacities
        splats = torch_backend.project(
            means, quats, scales, weights, viewmats, Ks, width, height, near_plane, far_plane, self.extent,
            calc_compensations,
        )  # fmt: skip
        drawn = (splats["radii"] > 0).all(-1)
        written = [unwritten(splats[name], drawn) for name in ("means2d", "depths", "conics")]
        radii = splats["radii"].to(torch.int32)
        # These alone come zeroed.
        compensations = splats["compensations"] * drawn if calc_compensations else None
        return (radii.amax(-1) if self.extent == "three_sigma" else radii), *written, compensations

    def _isect_tiles(self, means2d, radii, depths, tile_size, tile_width, tile_height, packed, n_cameras):
        cameras, count = depths.shape
        assert (packed, n_cameras, means2d.shape) == (False, cameras, (cameras, count, 2))
        reach = (radii if radii.ndim == 3 else radii[..., None].expand(*radii.shape, 2)).float()
        found = []
        for camera in range(cameras):
            splats = (means2d[camera].detach(), depths[camera].detach(), reach[camera])
            order, first, end = torch_backend.list_tiles(*splats)
            for gaussian, low, high in zip(order.tolist(), first.tolist(), end.tolist()):
                for y in range(max(int(low[1]), 0), min(int(high[1]), tile_height)):
                    for x in range(max(int(low[0]), 0), min(int(high[0]), tile_width)):
                        found.append(
                            (camera * tile_height * tile_width + y * tile_width + x, camera * count + gaussian)
                        )
        found.sort(key=lambda pair: pair[0])  # stable: from front to back within a tile
        tiles, order = torch.tensor(found, dtype=torch.int64).reshape(-1, 2).T.contiguous()
        return None, tiles, order.to(torch.int32)

    def _isect_offset_encode(self, isect_ids, n_cameras, tile_width, tile_height):
        tiles = torch.arange(n_cameras * tile_height * tile_width)
        return torch.searchsorted(isect_ids, tiles).reshape(n_cameras, tile_height, tile_width)

    def _rasterize_to_pixels(
        self, means2d, conics, colors, opacities, image_width, image_height, tile_size, isect_offsets, flatten_ids,
        backgrounds, packed,
    ):  # fmt: skip
        cameras, count, _ = means2d.shape
        assert (conics.shape, colors.shape[:2]) == ((cameras, count, 3), (cameras, count))
        assert opacities.shape == (cameras, count)
        assert backgrounds.shape == (cameras, colors.shape[-1])
        assert not packed
        ends = [*isect_offsets.flatten().tolist()[1:], len(flatten_ids)]
        flat = [x.flatten(0, 1) for x in (means2d, conics, opacities, colors)]
        _, rows, columns = isect_offsets.shape
        padded = means2d.new_zeros(cameras, rows * tile_size, columns * tile_size, colors.shape[-1] + 1)
        for number, (start, end) in enumerate(zip(isect_offsets.flatten().tolist(), ends)):
            here = flatten_ids[start:end].long()
            camera, row, column = number // (rows * columns), number // columns % rows, number % columns
            assert ((here // count) == camera).all(), "a splat of another camera"
            ys, xs = (k * tile_size + torch.arange(tile_size) + 0.5 for k in (row, column))
            pixels = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1).reshape(-1, 1, 2)
            splats = [x[here] for x in flat]
            picture, left = torch_backend.composite(splats[0] - pixels, *splats[1:])
            tile = torch.cat([picture + left * backgrounds[camera], 1 - left], -1)
            top, across = row * tile_size, column * tile_size
            place = (camera, slice(top, top + tile_size), slice(across, across + tile_size))
            padded = padded.index_put(tuple(_index(place)), tile.reshape(tile_size, tile_size, -1))
        whole = padded[:, :image_height, :image_width]
        return whole[..., :-1], whole[..., -1:]


def _index(place: tuple[int, slice, slice]) -> list[Tensor]:
    camera, rows, columns = place
    ys, xs = (torch.arange(s.start, s.stop) for s in (rows, columns))
    return [torch.tensor(camera), ys[:, None], xs[None, :]]


def unwritten(values: Tensor, drawn: Tensor) -> Tensor:
    kept = drawn.reshape(*drawn.shape, *[1] * (values.ndim - drawn.ndim))
    return torch.where(kept, values, torch.full_like(values, float("nan")))


def installed(name: str, version: tuple[int, ...]) -> inspect.Signature | None:
    """The signature of the function of that name, where gsplat is installed and has that version."""
    try:
        import gsplat
    except ImportError:
        return None
    numbers = tuple(int(part) for part in gsplat.__version__.split(".")[:3])
    return inspect.signature(getattr(gsplat, name)) if numbers == version else None
