"""Rotations and rigid motions: matrices, unit wxyz quaternions, rotation vectors."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.constants import constant


def rotate(rotation: Float[Tensor, "*batch 3 3"], vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    return (rotation @ vector[..., None])[..., 0]


def invert_rigid(c2w: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Inverse of rigid transforms (camera-to-world <-> world-to-camera) without a matrix inversion."""
    rotation = c2w[..., :3, :3].mT
    translation = -rotate(rotation, c2w[..., :3, 3])
    upper = torch.cat([rotation, translation[..., None]], dim=-1)
    return torch.cat([upper, c2w[..., 3:, :]], dim=-2)


def rigid_motion(turn: Float[Tensor, "view 3"], shift: Float[Tensor, "view 3"]) -> Float[Tensor, "view 4 4"]:
    """Motions by a rotation vector (radians, exponential map) and a translation, both in the camera's own axes."""
    zero = torch.zeros_like(turn[:, 0])
    x, y, z = turn.unbind(-1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    upper = torch.cat([torch.linalg.matrix_exp(cross), shift[..., None]], dim=-1)
    last = constant([0.0, 0.0, 0.0, 1.0], upper).expand(len(turn), 1, 4)
    return torch.cat([upper, last], dim=-2)


def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotations nearest to matrices (Frobenius; Kabsch 1976)."""
    left, _, right = torch.linalg.svd(matrix)
    flip = torch.ones_like(matrix[..., 0])
    flip[..., 2] = torch.linalg.det(left @ right).sign()
    return left * flip[..., None, :] @ right


def rotation_vector(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis times angle (radians) of rotations by less than half a turn: the inverse of the exponential map."""
    m = rotation
    axis = torch.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1) / 2
    sine, cosine = axis.norm(dim=-1, keepdim=True), (m.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True) - 1) / 2
    angle = torch.atan2(sine, cosine)
    return axis * torch.where(sine > 1e-9, angle / sine.clamp(min=1e-9), torch.ones_like(sine))


def matrix_from_quaternion(quats: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrices of unit wxyz quaternions; their columns are the turned axes."""
    w, x, y, z = quats.unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def quaternion_from_matrix(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit wxyz quaternions of rotation matrices, by the largest of the four components (Shepperd 1978)."""
    m = rotation
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = torch.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], dim=-1)
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    candidates = torch.stack(
        [
            torch.stack([squares[..., 0], wx, wy, wz], -1),
            torch.stack([wx, squares[..., 1], xy, xz], -1),
            torch.stack([wy, xy, squares[..., 2], yz], -1),
            torch.stack([wz, xz, yz, squares[..., 3]], -1),
        ],
        dim=-2,
    )
    best = squares.argmax(dim=-1)[..., None, None]
    return F.normalize(torch.take_along_dim(candidates, best, dim=-2)[..., 0, :], dim=-1)


def multiply_quaternions(a: Float[Tensor, "*batch 4"], b: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Hamilton product of wxyz quaternions: the rotation b followed by a."""
    aw, av = a[..., :1], a[..., 1:]
    bw, bv = b[..., :1], b[..., 1:]
    real = aw * bw - (av * bv).sum(dim=-1, keepdim=True)
    imaginary = aw * bv + bw * av + torch.linalg.cross(av, bv)
    return torch.cat([real, imaginary], dim=-1)


def slerp(
    a: Float[Tensor, "*batch 4"], b: Float[Tensor, "*batch 4"], weight: float | Float[Tensor, "*batch 1"]
) -> Float[Tensor, "*batch 4"]:
    """The unit quaternion a share `weight` of the way from one to another, turning evenly the way that their signs say.

    Source: Shoemake, Animating rotation with quaternion curves, 1985. Quaternions that are nearly alike are mixed
    linearly, which there is the same.
    """
    cosine = (a * b).sum(-1, keepdim=True).clamp(-1, 1)
    angle = cosine.acos()
    sine = angle.sin()
    near = sine < 1e-3
    shares = [torch.where(near, share, (share * angle).sin() / sine.clamp(min=1e-3)) for share in (1 - weight, weight)]
    return F.normalize(shares[0] * a + shares[1] * b, dim=-1)
