"""Colours that change with the direction they are seen from: real spherical harmonics of degree 1 to 3.

Signs and order are those of 3D Gaussian splatting's files (Kerbl et al. 2023), which gsplat and splatfacto share.
"""

import math
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError

CONSTANT = 0.28209479177387814
"""The harmonic of degree 0, 1 / (2 sqrt(pi)), by which a colour that does not change is stored."""

# Coefficients beside the constant one, by degree.
_COUNTS = {0: 0, 3: 1, 8: 2, 15: 3}
_DIRECTIONS = 64


def count_of(degree: int) -> int:
    """How many coefficients a colour has beside the constant one."""
    return (degree + 1) ** 2 - 1


def degree_of(count: int) -> int:
    """The degree that so many coefficients beside the constant one are of; UserError where there is none."""
    if count not in _COUNTS:
        raise UserError(f"harmonics have 3, 8 or 15 coefficients beside the constant one (degree 1, 2, 3), got {count}")
    return _COUNTS[count]


def basis(directions: Float[Tensor, "*batch 3"], degree: int) -> Float[Tensor, "*batch coefficient"]:
    """The harmonics of degree 1 to `degree` at unit directions."""
    x, y, z = directions.unbind(-1)
    root = math.sqrt(3 / (4 * math.pi))
    values = [-root * y, root * z, -root * x]
    xx, yy, zz = x * x, y * y, z * z
    if degree > 1:
        root = math.sqrt(15 / (4 * math.pi))
        middle = math.sqrt(5 / (16 * math.pi)) * (2 * zz - xx - yy)
        values += [root * x * y, -root * y * z, middle, -root * x * z, root / 2 * (xx - yy)]
    if degree > 2:
        outer, inner = math.sqrt(35 / (32 * math.pi)), math.sqrt(21 / (32 * math.pi))
        mixed = math.sqrt(105 / (4 * math.pi))
        values += [
            -outer * y * (3 * xx - yy),
            mixed * x * y * z,
            -inner * y * (4 * zz - xx - yy),
            math.sqrt(7 / (16 * math.pi)) * z * (2 * zz - 3 * xx - 3 * yy),
            -inner * x * (4 * zz - xx - yy),
            mixed / 2 * z * (xx - yy),
            -outer * x * (xx - 3 * yy),
        ]
    return torch.stack(values[: count_of(degree)], dim=-1)


def seen_colors(
    colors: Float[Tensor, "*batch gaussian 3"],
    harmonics: Float[Tensor, "*batch gaussian coefficient 3"],
    directions: Float[Tensor, "*batch gaussian 3"],
) -> Float[Tensor, "*batch gaussian 3"]:
    """Colours as seen along unit `directions` from the eye, never less than nothing, as in gsplat."""
    values = basis(directions, degree_of(harmonics.shape[-2]))
    return (colors + (values[..., None] * harmonics).sum(-2)).clamp(min=0)


def turned(
    harmonics: Float[Tensor, "*batch gaussian coefficient 3"], rotation: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch gaussian coefficient 3"]:
    """The coefficients of the same colours in a frame whose axes are turned: x' = rotation x.

    Harmonics of one degree turn into those of the same degree; how, follows from their values at enough directions.
    """
    degree = degree_of(harmonics.shape[-2])
    directions, inverse = _sampled(degree)
    before = basis(directions.to(rotation.device) @ rotation.double(), degree)
    matrix = (inverse.to(rotation.device) @ before).to(harmonics)
    return (matrix.unsqueeze(-3) @ harmonics).contiguous()


@cache
def _sampled(degree: int) -> tuple[Float[Tensor, "direction 3"], Float[Tensor, "coefficient direction"]]:
    """Directions all over the sphere, and what finds the coefficients of a function from its values there."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(_DIRECTIONS, 3, generator=generator, dtype=torch.float64)
    directions = torch.nn.functional.normalize(directions, dim=-1)
    return directions, torch.linalg.pinv(basis(directions, degree))
