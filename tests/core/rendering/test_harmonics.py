"""Gaussians whose colours change with the direction, in every renderer that runs here."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from made.scenes import arc_cameras, blobs

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.harmonics import seen_colors
from tokengs_nerfstudio.core.rendering import render, render_cameras, render_with_info
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig, Renders, Similarity

SIZE = 24


def shiny(count: int = 12, degree: int = 3) -> Gaussians:
    generator = torch.Generator().manual_seed(3)
    return replace(blobs(count), harmonics=0.3 * torch.randn(count, (degree + 1) ** 2 - 1, 3, generator=generator))


def cameras(views: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    size = torch.full((views,), float(SIZE))
    return arc_cameras(views), intrinsics_matrix(size, size, size / 2, size / 2)


def drawn(splats: Gaussians, backend: str = "numba") -> Renders:
    return render(splats, *cameras(), SIZE, SIZE, backend=backend)  # type: ignore[arg-type]


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_every_view_sees_its_own_colours(backend: str, degree: int) -> None:
    splats, (c2w, intrinsics) = shiny(degree=degree), cameras()
    assert splats.harmonics is not None
    pictures = drawn(splats, backend)
    assert pictures.rgb.shape == (3, 3, SIZE, SIZE)
    for view in range(3):
        at = slice(view, view + 1)
        seen = seen_colors(splats.colors, splats.harmonics, F.normalize(splats.means - c2w[view, :3, 3], dim=-1))
        plain = Cameras(c2w[at], intrinsics[at], SIZE, SIZE), RenderConfig()
        alone = render_cameras(replace(splats, colors=seen, harmonics=None), *plain, backend=backend)  # type: ignore[arg-type]
        torch.testing.assert_close(pictures.rgb[view], alone.rgb[0], atol=2e-6, rtol=1e-5)
        torch.testing.assert_close(pictures.alpha[view], alone.alpha[0])


def test_gradients_of_the_kernels_are_those_of_the_reference() -> None:
    weights = torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    found = {}
    for backend in ("numba", "torch"):
        splats = shiny().leaves()
        (drawn(splats, backend).rgb * weights).sum().backward()
        found[backend] = {name: value.grad for name, value in splats.tensors()}
    assert found["numba"]["harmonics"].abs().max() > 0.1
    for name, gradient in found["numba"].items():
        torch.testing.assert_close(gradient, found["torch"][name], atol=2e-3, rtol=2e-3, msg=name)


def test_a_batch_of_scenes_and_another_frame_show_the_same() -> None:
    splats, (c2w, intrinsics) = shiny(), cameras()
    alone = drawn(splats)
    both = Gaussians.stack([splats, replace(splats, colors=splats.colors.flip(0))])
    pictures = render(both, c2w.repeat(2, 1, 1, 1), intrinsics.repeat(2, 1, 1, 1), SIZE, SIZE)
    assert pictures.rgb.shape == (2, 3, 3, SIZE, SIZE)
    torch.testing.assert_close(pictures.rgb[0], alone.rgb)
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.7, 0.2], [0.7, 0.0, 0.4], [-0.2, -0.4, 0.0]]))
    moved = Similarity(turn, torch.tensor([0.3, -1.0, 0.5]), torch.tensor(2.0))
    there = render(splats.transformed(moved), moved.cameras(c2w), intrinsics, SIZE, SIZE)
    torch.testing.assert_close(there.rgb, alone.rgb, atol=2e-4, rtol=1e-4)


def test_strategies_of_gsplat_are_told_that_there_are_harmonics() -> None:
    c2w, intrinsics = cameras()
    with pytest.raises(UserError, match="densification 'budget'"):
        render_with_info(shiny(), Cameras(c2w, intrinsics, SIZE, SIZE), RenderConfig())
