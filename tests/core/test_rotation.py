import math

import torch
from made.cameras import random_cameras, random_rotations

from tokengs_nerfstudio.core.rotation import (
    invert_rigid,
    matrix_from_quaternion,
    nearest_rotation,
    quaternion_from_matrix,
    rigid_motion,
    rotation_vector,
    slerp,
)


def test_quaternions_of_all_half_turns() -> None:
    for axis in range(3):
        rotation = -torch.eye(3, dtype=torch.float64)
        rotation[axis, axis] = 1
        torch.testing.assert_close(matrix_from_quaternion(quaternion_from_matrix(rotation)), rotation)
    rotations = random_rotations(64)
    torch.testing.assert_close(matrix_from_quaternion(quaternion_from_matrix(rotations)), rotations)


def test_inverse_of_rigid_transforms() -> None:
    c2w = random_cameras(4)
    torch.testing.assert_close(invert_rigid(c2w) @ c2w, torch.eye(4, dtype=torch.float64).expand(4, 4, 4))


def test_rigid_motions_are_rigid() -> None:
    motion = rigid_motion(torch.tensor([[0.0, math.pi / 2, 0.0]]), torch.tensor([[1.0, 2.0, 3.0]]))
    torch.testing.assert_close(motion[0, :3, :3] @ torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(motion[0, :3, 3], torch.tensor([1.0, 2.0, 3.0]))


def test_rotation_vectors_are_what_the_rotation_was_made_of() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(20, 3, dtype=torch.float64), dim=-1)
    vectors = vectors * torch.linspace(0, 3, 20, dtype=torch.float64)[:, None]
    vectors[1] = vectors[1] * 1e-7
    turned = rigid_motion(vectors, torch.zeros_like(vectors))[:, :3, :3]
    torch.testing.assert_close(rotation_vector(turned), vectors, rtol=1e-6, atol=1e-12)


def test_the_nearest_rotation_is_one_also_of_what_mirrors() -> None:
    rotations = random_rotations(16)
    torch.testing.assert_close(nearest_rotation(rotations), rotations)
    mirroring = rotations @ torch.diag(torch.tensor([3.0, 2.0, -1.0], dtype=rotations.dtype))
    nearest = nearest_rotation(torch.cat([mirroring, rotations * 2.5]))
    torch.testing.assert_close(nearest, torch.cat([rotations, rotations]))


def test_slerp_turns_by_a_share_of_the_angle_about_one_axis():
    """Against the exponential map; quaternions that are nearly or wholly alike stay what they are."""
    turn = torch.tensor([[0.3, -1.1, 0.7]]).double()
    whole, part = (rigid_motion(share * turn, torch.zeros(1, 3).double())[:, :3, :3] for share in (1.0, 0.3))
    start = torch.tensor([[1.0, 0, 0, 0]]).double()
    end = quaternion_from_matrix(whole)
    torch.testing.assert_close(matrix_from_quaternion(slerp(start, end, 0.3)), part)
    torch.testing.assert_close(slerp(start, end, 1.0), end)
    several = slerp(start.expand(2, 4), end.expand(2, 4), torch.tensor([[0.0], [0.3]]).double())
    torch.testing.assert_close(matrix_from_quaternion(several[1:]), part)
    near = torch.nn.functional.normalize(start + 1e-5 * end, dim=-1)
    torch.testing.assert_close(slerp(start, near, 0.5), torch.nn.functional.normalize(start + near, dim=-1))
    assert torch.equal(slerp(start, start, 0.7), start)
