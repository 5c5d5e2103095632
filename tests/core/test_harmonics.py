"""Colours by direction."""

import pytest
import torch
import torch.nn.functional as F
from made.cameras import random_rotations

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.harmonics import CONSTANT, basis, count_of, degree_of, seen_colors, turned


def directions(count: int) -> torch.Tensor:
    return F.normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=-1)


def test_harmonics_are_orthonormal_over_the_sphere() -> None:
    step = (torch.arange(20000, dtype=torch.float64) + 0.5) / 20000
    angle, height = 10.166407384630519 * torch.arange(20000, dtype=torch.float64), 1 - 2 * step
    across = (1 - height * height).sqrt()
    sphere = torch.stack([across * angle.cos(), across * angle.sin(), height], dim=-1)
    values = torch.cat([torch.full((20000, 1), CONSTANT, dtype=torch.float64), basis(sphere, 3)], dim=1)
    torch.testing.assert_close(
        4 * torch.pi * values.T @ values / 20000, torch.eye(16, dtype=torch.float64), atol=1e-3, rtol=0
    )


def test_signs_and_order_are_those_of_the_files() -> None:
    x, y, z = 0.48, 0.6, 0.64
    values = basis(torch.tensor([x, y, z], dtype=torch.float64), 3)
    some = {
        0: -0.4886025 * y, 1: 0.4886025 * z, 2: -0.4886025 * x, 3: 1.0925484 * x * y, 4: -1.0925484 * y * z,
        6: -1.0925484 * x * z, 9: 2.8906114 * x * y * z, 8: -0.5900436 * y * (3 * x * x - y * y),
        14: -0.5900436 * x * (x * x - 3 * y * y),
    }  # fmt: skip
    for index, value in some.items():
        assert float(values[index]) == pytest.approx(value, rel=1e-6), index


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_what_is_turned_with_the_frame_shows_the_same_colours(degree: int) -> None:
    generator = torch.Generator().manual_seed(1)
    rotation, seen = random_rotations(1)[0], directions(7)
    colors = torch.rand(7, 3, generator=generator, dtype=torch.float64) + 1
    harmonics = 0.2 * torch.randn(7, count_of(degree), 3, generator=generator, dtype=torch.float64)
    before = seen_colors(colors, harmonics, seen)
    after = seen_colors(colors, turned(harmonics, rotation), seen @ rotation.mT)
    torch.testing.assert_close(after, before)
    assert not torch.allclose(seen_colors(colors, harmonics, seen @ rotation.mT), before, atol=1e-3)


def test_no_colour_is_less_than_nothing_and_other_counts_are_refused() -> None:
    dark = seen_colors(torch.zeros(1, 3), torch.tensor([[[0.0] * 3, [-1.0] * 3, [0.0] * 3]]), torch.eye(3)[2:])
    assert torch.equal(dark, torch.zeros(1, 3))
    assert [degree_of(count_of(degree)) for degree in range(4)] == [0, 1, 2, 3]
    with pytest.raises(UserError, match="3, 8 or 15 coefficients"):
        degree_of(4)
