import json
import math

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix, pixel_rays, pluecker, project
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.rotation import invert_rigid, quaternion_from_matrix
from tokengs_nerfstudio.core.types import Gaussians, Similarity, Views


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


def matrix_of(quats: Tensor) -> Tensor:
    w, x, y, z = quats.unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)


def pinhole(intrinsics: Tensor) -> Tensor:
    return intrinsics_matrix(*intrinsics.unbind(-1))


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
        return matrix_of(g.quats) * g.scales[:, None, :]

    linear = similarity.scale * similarity.rotation
    expected = linear @ root(gaussians) @ root(gaussians).mT @ linear.mT
    torch.testing.assert_close(root(moved) @ root(moved).mT, expected)
    torch.testing.assert_close(moved.means, similarity.points(gaussians.means))


def test_quaternions_of_all_half_turns() -> None:
    for axis in range(3):
        rotation = -torch.eye(3, dtype=torch.float64)
        rotation[axis, axis] = 1
        torch.testing.assert_close(matrix_of(quaternion_from_matrix(rotation)), rotation)
    rotations = random_rotations(64)
    torch.testing.assert_close(matrix_of(quaternion_from_matrix(rotations)), rotations)


@pytest.mark.parametrize("frame", ["first", "middle", "mean"])
@pytest.mark.parametrize("rule", ["constant", "max_baseline", "distance", "bound"])
def test_canonical_frame_is_independent_of_world_units(frame: str, rule: str) -> None:
    c2w = random_cameras(5)
    cameras = canonical_frame(c2w, frame, rule).cameras(c2w)
    world = random_similarity()
    if rule == "constant":
        world = Similarity(world.rotation, world.translation, torch.ones_like(world.scale))
    elsewhere = world.cameras(c2w)
    torch.testing.assert_close(canonical_frame(elsewhere, frame, rule).cameras(elsewhere), cameras)


def test_largest_baseline_becomes_the_value() -> None:
    c2w = random_cameras(6)
    centers = canonical_frame(c2w, "first", "max_baseline", 2.0).cameras(c2w)[:, :3, 3]
    assert torch.cdist(centers, centers).max().item() == pytest.approx(2.0)


@pytest.mark.parametrize("frame", ["first", "middle", "mean"])
@pytest.mark.parametrize("rule", ["constant", "max_baseline", "distance", "bound"])
@pytest.mark.parametrize("count", [1, 3])
def test_coincident_cameras_give_a_finite_frame(frame: str, rule: str, count: int) -> None:
    c2w = random_cameras(1).expand(count, 4, 4)
    similarity = canonical_frame(c2w, frame, rule, 0.7)
    cameras = similarity.cameras(c2w)
    torch.testing.assert_close(cameras, torch.eye(4, dtype=torch.float64).expand(count, 4, 4))
    assert similarity.scale.item() == pytest.approx(0.7)


def test_mean_frame_of_cameras_facing_each_other() -> None:
    front = torch.eye(4, dtype=torch.float64)
    back = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64))
    rotation = canonical_frame(torch.stack([front, back]), "mean").rotation
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64))
    assert torch.linalg.det(rotation).item() == pytest.approx(1.0)


def test_unknown_names_are_named() -> None:
    with pytest.raises(ValueError, match="camera frame 'last'"):
        canonical_frame(random_cameras(2), "last")
    with pytest.raises(ValueError, match="scale rule 'median'"):
        canonical_frame(random_cameras(2), "first", "median")
    with pytest.raises(ValueError, match="at least one context camera"):
        canonical_frame(random_cameras(2)[:0])


def test_rays_run_through_their_pixels() -> None:
    c2w = random_cameras(2)
    intrinsics = pinhole(torch.tensor([[20.0, 22.0, 6.5, 4.0], [15.0, 15.0, 5.0, 5.5]], dtype=torch.float64))
    origins, directions = pixel_rays(c2w, intrinsics, 8, 12)
    points = (origins + 3 * directions)[0].flatten(1).T
    pixels, z = project(points, c2w, intrinsics)
    rows, columns = torch.meshgrid(torch.arange(8) + 0.5, torch.arange(12) + 0.5, indexing="ij")
    torch.testing.assert_close(pixels[0], torch.stack([columns, rows], -1).reshape(-1, 2).double())
    assert (z[0] > 0).all()


def test_crop_keeps_points_on_their_pixels() -> None:
    c2w = random_cameras(1)
    intrinsics = pinhole(torch.tensor([[40.0, 40.0, 31.0, 22.0]], dtype=torch.float64))
    images = torch.rand(1, 3, 45, 64, dtype=torch.float64)
    cropped = crop_and_resize(Views(images, c2w, intrinsics), 45, 45)
    torch.testing.assert_close(cropped.images, images[..., 10:55])
    assert (intrinsics - cropped.intrinsics)[0, 0, 2].item() == pytest.approx(10.0)


def test_inverse_of_rigid_transforms() -> None:
    c2w = random_cameras(4)
    torch.testing.assert_close(invert_rigid(c2w) @ c2w, torch.eye(4, dtype=torch.float64).expand(4, 4, 4))


@pytest.fixture(scope="module")
def golden(shared) -> tuple[dict[str, Tensor], dict]:
    tensors = load_file(shared / "golden" / "G4_data_pipeline.safetensors")
    return tensors, json.loads((shared / "golden" / "G4_info.json").read_text())


class TestGolden:
    """The published data pipeline, measured (golden G4)."""

    @pytest.mark.parametrize(
        "case", ["A_first_constant", "B_down_48x64", "C_portrait_70x50", "D_up_20x30", "E_same_32x48"]
    )
    def test_crop_frame_and_rays(self, golden, case: str) -> None:
        tensors, info = golden
        height, width = info[case]["dst_hw"]
        source = Views(tensors[f"{case}.in.rgbs"], tensors[f"{case}.in.c2w"], pinhole(tensors[f"{case}.in.intrinsics"]))
        views = crop_and_resize(source, height, width, published_rounding=True)
        torch.testing.assert_close(views.images, tensors[f"{case}.out.images_all"], atol=1e-5, rtol=0)
        torch.testing.assert_close(
            views.intrinsics, pinhole(tensors[f"{case}.out.intrinsics_all"]), atol=1e-4, rtol=1e-6
        )
        similarity = canonical_frame(views.c2w[:2], "first", "constant", info[case]["scene_scale"])
        cameras = similarity.cameras(views.c2w)
        torch.testing.assert_close(cameras[:2], tensors[f"{case}.out.cam_to_world_input"], atol=1e-5, rtol=1e-5)
        rays = pluecker(cameras, views.intrinsics, height, width)
        torch.testing.assert_close(rays, tensors[f"{case}.out.input"][:, -6:], atol=2e-5, rtol=1e-5)

    @pytest.mark.parametrize("frame", ["first", "mean"])
    @pytest.mark.parametrize("rule", ["constant", "distance", "bound"])
    def test_frames_and_scales(self, golden, frame: str, rule: str) -> None:
        tensors, info = golden
        case = f"S_{frame}_cam_{rule}"
        c2w = tensors["S_shared.in.c2w"].double()
        similarity = canonical_frame(c2w[:2], frame, rule, info[case]["scene_scale"])
        expected = tensors[f"{case}.out.cam_to_world_input"].double()
        torch.testing.assert_close(similarity.cameras(c2w)[:2], expected, atol=2e-5, rtol=1e-5)

    def test_pluecker_of_off_centre_cameras(self, golden) -> None:
        tensors, _ = golden
        rays = pluecker(tensors["F_rays.in.c2w"], pinhole(tensors["F_rays.in.intrinsics"]), 10, 14)
        torch.testing.assert_close(rays, tensors["F_rays.out.plucker"], atol=1e-5, rtol=1e-5)

    def test_exact_crop_moves_the_published_principal_point(self, golden) -> None:
        views = Views(
            torch.zeros(1, 3, 540, 960), torch.eye(4)[None], pinhole(torch.tensor([[500.0, 500.0, 480.0, 270.0]]))
        )
        exact = crop_and_resize(views, 256, 448).intrinsics[0, 0, 2].item()
        published = crop_and_resize(views, 256, 448, published_rounding=True).intrinsics[0, 0, 2].item()
        assert math.isclose(published - exact, 0.237, abs_tol=1e-3)
