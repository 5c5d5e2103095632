"""What cameras of every kind that nerfstudio knows see: values known from geometry."""

import math

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras, CameraType

from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.outputs import Outputs, Sight, token_colors

GREY = torch.full((3,), 0.5)
# nerfstudio's world seen by a camera at its origin: x right, y up, -z forward.
FORWARD, RIGHT, UP, BEHIND = (0.0, 0, -1), (1.0, 0, 0), (0.0, 1, 0), (0.0, 0, 1)


def dots(*positions: tuple[float, float, float], scale: float = 0.05) -> Gaussians:
    """A red Gaussian, then a green one, then a blue one."""
    count = len(positions)
    return Gaussians(
        means=torch.tensor(positions),
        quats=torch.tensor([[1.0, 0, 0, 0]] * count),
        scales=torch.full((count, 3), scale),
        opacities=torch.tensor([0.9, 0.6, 0.3])[:count],
        colors=torch.eye(3)[:count],
    )


def sight(gaussians: Gaussians) -> Sight:
    return Sight(gaussians, RenderConfig(), GREY)


def camera(kind: CameraType, width: int = 128, height: int = 64, focal: tuple[float, float] | None = None) -> Cameras:
    """As `ns-render camera-path` makes them: panoramas of all kinds have fx = width / 2, fy = height."""
    fx, fy = focal or (width / 2, float(height))
    pose = torch.eye(4)[None, :3]
    return Cameras(pose, fx, fy, width / 2, height / 2, width, height, camera_type=kind)


def place(outputs: Outputs, channel: int) -> tuple[float, float]:
    """(column, row) of the middle of what stands out in one colour, in pixels."""
    weight = (outputs["rgb"][..., channel] - 0.5).clamp(min=0)
    rows, columns = torch.meshgrid(*(torch.arange(size) + 0.5 for size in weight.shape), indexing="ij")
    return float((weight * columns).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())


def test_an_equirectangular_picture_goes_all_round():
    outputs = sight(dots(FORWARD, RIGHT, UP)).outputs(camera(CameraType.EQUIRECTANGULAR))
    assert place(outputs, 0) == pytest.approx((64, 32), abs=0.3)
    assert place(outputs, 1) == pytest.approx((96, 32), abs=0.3)
    assert place(outputs, 2)[1] < 4
    behind = sight(dots(BEHIND)).outputs(camera(CameraType.EQUIRECTANGULAR))["rgb"]
    assert behind[32, 0, 0] > 0.6
    assert behind[32, 127, 0] > 0.6
    assert behind[32, 64].tolist() == pytest.approx([0.5] * 3, abs=1e-6)


def test_an_equirectangular_picture_agrees_with_perspective_ones():
    """At every pixel of a perspective picture to the left."""
    around = [
        (2 * math.cos(angle), 0.3 * math.sin(5 * angle), 2 * math.sin(angle)) for angle in torch.arange(0, 6.2, 0.4)
    ]
    count = len(around)
    gaussians = Gaussians(
        means=torch.tensor(around),
        quats=torch.tensor([[1.0, 0, 0, 0]] * count),
        scales=torch.full((count, 3), 0.15),
        opacities=torch.full((count,), 0.9),
        colors=torch.rand(count, 3, generator=torch.Generator().manual_seed(1)),
    )
    panorama = sight(gaussians).outputs(camera(CameraType.EQUIRECTANGULAR, 512, 256))["rgb"]
    left = camera(CameraType.PERSPECTIVE, 64, 64, (64.0, 64.0))
    left.camera_to_worlds = torch.tensor([[[0.0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0]]])
    expected = sight(gaussians).outputs(left)["rgb"]
    directions = left.generate_rays(0, keep_shape=True).directions
    longitude = torch.atan2(directions[..., 0], -directions[..., 2])
    at = torch.stack([longitude / math.pi, -2 * directions[..., 1].asin() / math.pi], dim=-1)
    shown = torch.nn.functional.grid_sample(panorama.movedim(-1, 0)[None], at[None], align_corners=False)[0]
    assert float((shown.movedim(0, -1) - expected).abs().mean()) < 0.01
    assert float((expected - 0.5).abs().max()) > 0.2


def test_a_fisheye_picture_has_angles_as_distances():
    """Equidistant: 60 degrees off the axis lie f * pi / 3 from the middle; a perspective camera has f * tan."""
    focal = (40.0, 40.0)
    gaussians = dots(FORWARD, (math.sin(math.pi / 3), 0.0, -math.cos(math.pi / 3)))
    outputs = sight(gaussians).outputs(camera(CameraType.FISHEYE, 128, 64, focal))
    assert place(outputs, 0) == pytest.approx((64, 32), abs=0.3)
    assert place(outputs, 1) == pytest.approx((64 + 40 * math.pi / 3, 32), abs=0.5)


def test_the_middle_pixel_of_a_fisheye_is_seen():
    """With an odd size the optical axis meets a pixel's centre, where nerfstudio's rays are nan."""
    outputs = sight(dots(FORWARD)).outputs(camera(CameraType.FISHEYE, 65, 65, (40.0, 40.0)))
    assert outputs["rgb"].isfinite().all()
    assert outputs["rgb"][32, 32, 0] > 0.9


def test_an_orthophoto_shows_things_where_they_are():
    """Two of one size above each other's columns: near and far look the same."""
    gaussians = dots((0.5, 0.25, -0.5), (-0.5, 0.25, -3.0), scale=0.1)
    outputs = sight(gaussians).outputs(camera(CameraType.ORTHOPHOTO, 128, 64, (32.0, 32.0)))
    assert place(outputs, 0) == pytest.approx((64 + 16, 32 - 8), abs=0.3)
    assert place(outputs, 1) == pytest.approx((64 - 16, 32 - 8), abs=0.3)
    assert float(outputs["depth"][24, 80]) == pytest.approx(0.5, abs=0.02)
    assert float(outputs["depth"][24, 48]) == pytest.approx(3.0, abs=0.02)


@pytest.mark.parametrize(
    ("left", "right", "turn"),
    [
        (CameraType.VR180_L, CameraType.VR180_R, math.pi / 64),
        (CameraType.OMNIDIRECTIONALSTEREO_L, CameraType.OMNIDIRECTIONALSTEREO_R, 2 * math.pi / 128),
    ],
)
def test_two_eyes_see_near_things_apart(left, right, turn):
    """64 mm between nerfstudio's eyes: at 0.2 they differ by 2 * atan(0.032 / 0.2), about 18 degrees."""
    gaussians = dots((0.0, 0.0, -0.2), scale=0.005)
    width = round(2 * math.pi / turn) // (2 if "VR180" in left.name else 1)
    columns = [place(sight(gaussians).outputs(camera(kind, width, 64)), 0)[0] for kind in (left, right)]
    assert (columns[0] - columns[1]) * turn == pytest.approx(2 * math.atan(0.16), abs=0.02)


def test_a_distorted_perspective_camera_is_rendered_distorted():
    """Brown's k1 = 0.2 moves what a straight lens shows at radius r (in focal lengths) to r (1 + 0.2 r^2)."""
    bent = camera(CameraType.PERSPECTIVE, 128, 64, (64.0, 64.0))
    bent.distortion_params = torch.tensor([[0.2, 0, 0, 0, 0, 0]])
    outputs = sight(dots((0.7, 0.0, -1.0), scale=0.01)).outputs(bent)
    assert place(outputs, 0)[0] == pytest.approx(64 + 64 * 0.7 * (1 + 0.2 * 0.49), abs=0.7)


@pytest.mark.parametrize("kind", [CameraType.PERSPECTIVE, CameraType.EQUIRECTANGULAR])
def test_poses_of_nan_are_refused(kind):
    broken = camera(kind)
    broken.camera_to_worlds[0, 1, 3] = math.nan
    with pytest.raises(ValueError, match="pose"):
        sight(dots(FORWARD)).outputs(broken)


def test_cameras_that_can_show_nothing_are_refused():
    sheared, closed = camera(CameraType.PERSPECTIVE), camera(CameraType.PERSPECTIVE, focal=(math.inf, math.inf))
    sheared.camera_to_worlds[0, 1, 1] = 5
    with pytest.raises(ValueError, match="axes are no rotation"):
        sight(dots(FORWARD)).outputs(sheared)
    with pytest.raises(ValueError, match="field of view"):
        sight(dots(FORWARD)).outputs(closed)


@pytest.mark.parametrize("kind", [CameraType.PERSPECTIVE, CameraType.EQUIRECTANGULAR, CameraType.ORTHOPHOTO])
def test_no_gaussians_leave_the_background(kind):
    outputs = sight(dots(FORWARD).select(slice(0, 0))).outputs(camera(kind))
    assert outputs["rgb"].shape == (64, 128, 3)
    assert (outputs["rgb"] == 0.5).all()
    assert (outputs["accumulation"] == 0).all()


def test_opacity_is_that_of_the_gaussians_seen():
    outputs = sight(dots((-0.5, 0.0, -1.0), (0.5, 0.0, -1.0))).outputs(
        camera(CameraType.PERSPECTIVE, 128, 64, (64.0, 64.0))
    )
    assert float(outputs["opacity"][32, 32]) == pytest.approx(0.9, abs=0.01)
    assert float(outputs["opacity"][32, 96]) == pytest.approx(0.6, abs=0.01)
    assert float(outputs["opacity"][0, 0]) == 0


def test_tokens_have_colours_of_their_own():
    colors = token_colors(torch.arange(512))
    assert len(colors.unique(dim=0)) > 450
    assert colors.min() >= 0.2
    assert (colors.max(dim=-1).values == 1).all()
    gaussians = dots((-0.5, 0.0, -1.0), (0.5, 0.0, -1.0))
    looked_at = Sight(gaussians, RenderConfig(), GREY, lambda: torch.tensor([3, 4]))
    shown = looked_at.outputs(camera(CameraType.PERSPECTIVE, 128, 64, (64.0, 64.0)))["token"]
    torch.testing.assert_close(shown[32, 32], 0.9 * token_colors(torch.tensor([3]))[0] + 0.05, atol=0.02, rtol=0)


def test_what_nobody_asks_for_is_not_made():
    made = []
    outputs = Outputs({"rgb": torch.zeros(2, 2, 3)}, {"token": lambda: made.append(1) or torch.ones(2, 2, 3)})
    assert list(outputs) == ["rgb", "token"]
    assert "token" in outputs
    assert not made
    assert outputs["token"].sum() == outputs["token"].sum() == 12
    assert made == [1]
    outputs["rgba"] = torch.zeros(2, 2, 4)
    assert len(outputs) == 3
    del outputs["rgba"]
    assert len(outputs) == 2


def test_cameras_of_one_size_are_rendered_together():
    several = Outputs.stack([sight(dots(FORWARD)).outputs(camera(CameraType.PERSPECTIVE)) for _ in range(2)])
    assert several["rgb"].shape == (2, 64, 128, 3)
    other = sight(dots(FORWARD)).outputs(camera(CameraType.PERSPECTIVE, 64, 64))
    with pytest.raises(ValueError, match="size"):
        Outputs.stack([other, sight(dots(FORWARD)).outputs(camera(CameraType.PERSPECTIVE))])


def test_a_pixel_is_as_sure_as_what_is_seen_and_not_at_all_where_nothing_is():
    gaussians = dots((-0.5, 0.0, -1.0), (0.5, 0.0, -1.0))
    looked_at = Sight(gaussians, RenderConfig(), GREY, confidence=torch.tensor([0.8, 0.1]))
    perspective = camera(CameraType.PERSPECTIVE, 128, 64, (64.0, 64.0))
    shown = looked_at.outputs(perspective)["confidence"]
    assert shown.shape == (64, 128, 1)
    assert float(shown[32, 32]) == pytest.approx(0.9 * 0.8, abs=0.02)
    assert 0 < float(shown[32, 96]) < 0.1
    assert float(shown[0, 0]) == 0
    right = looked_at.without(torch.tensor([True, False])).outputs(perspective)["confidence"]
    assert float(right[32, 32]) == 0
    assert torch.equal(right[32, 96], shown[32, 96])
    assert "confidence" not in Sight(gaussians, RenderConfig(), GREY).outputs(perspective)


def test_outputs_are_told_by_their_names():
    """nerfstudio prints its keys for a name that is none of them."""
    outputs = Outputs({"rgb": torch.zeros(1, 1, 3)}, {"token": lambda: torch.zeros(1, 1, 3)})
    assert str(outputs.keys()) == "KeysView(Outputs(rgb, token))"
