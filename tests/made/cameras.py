"""Random cameras and changes of frame."""

import torch
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.types import Similarity


def random_rotations(count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    q, r = torch.linalg.qr(torch.randn(count, 3, 3, dtype=dtype))
    q = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None, :]
    return q * torch.linalg.det(q)[:, None, None]


def random_cameras(count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    c2w = torch.eye(4, dtype=dtype).repeat(count, 1, 1)
    c2w[:, :3, :3] = random_rotations(count, dtype)
    c2w[:, :3, 3] = torch.randn(count, 3, dtype=dtype)
    return c2w


def random_similarity() -> Similarity:
    return Similarity(
        random_rotations(1)[0], torch.randn(3, dtype=torch.float64), torch.tensor(2.5, dtype=torch.float64)
    )


def pinhole(intrinsics: Tensor) -> Tensor:
    return intrinsics_matrix(*intrinsics.unbind(-1))
