import torch
from made.cameras import pinhole, random_cameras, random_similarity
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion
from tokengs_nerfstudio.core.types import Gaussians


def test_similarity_inverts_and_composes() -> None:
    one, two = random_similarity(), random_similarity()
    points = torch.randn(7, 3, dtype=torch.float64)
    torch.testing.assert_close(one.inverse().points(one.points(points)), points)
    torch.testing.assert_close(two.compose(one).points(points), two.points(one.points(points)))


def test_cameras_and_points_move_together() -> None:
    similarity, c2w = random_similarity(), random_cameras(4)
    points = torch.randn(9, 3, dtype=torch.float64)
    intrinsics = pinhole(torch.tensor([30.0, 32.0, 16.0, 12.0], dtype=torch.float64)).expand(4, 3, 3)
    pixels, z = project(points, c2w, intrinsics)
    moved_pixels, moved_z = project(similarity.points(points), similarity.cameras(c2w), intrinsics)
    torch.testing.assert_close(moved_pixels, pixels)
    torch.testing.assert_close(moved_z, z * similarity.scale)


def test_gaussian_covariances_transform_like_points() -> None:
    similarity = random_similarity()
    quats = torch.nn.functional.normalize(torch.randn(5, 4, dtype=torch.float64), dim=-1)
    scales = torch.rand(5, 3, dtype=torch.float64)
    gaussians = Gaussians(
        torch.randn(5, 3, dtype=torch.float64), quats, scales, torch.rand(5).double(), torch.rand(5, 3).double()
    )
    moved = gaussians.transformed(similarity)

    def root(g: Gaussians) -> Tensor:
        return matrix_from_quaternion(g.quats) * g.scales[:, None, :]

    linear = similarity.scale * similarity.rotation
    expected = linear @ root(gaussians) @ root(gaussians).mT @ linear.mT
    torch.testing.assert_close(root(moved) @ root(moved).mT, expected)
    torch.testing.assert_close(moved.means, similarity.points(gaussians.means))
