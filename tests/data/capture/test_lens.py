import numpy as np
import pytest

from tokengs_nerfstudio.data.capture.lens import Lens, Window, centred_window

PINHOLE = Lens(50.0, 52.0, 21.0, 16.0)


def test_window_of_equal_aspect_is_the_whole_image():
    window = centred_window((40, 30), (20, 15))
    assert window == Window(0, 0, 40, 30, 20, 15)
    assert not window.is_whole
    assert centred_window((40, 30), (40, 30)).is_whole


@pytest.mark.parametrize(
    ("source", "expected"),
    [((60, 30), (10, 0, 50, 30)), ((40, 31), (0, 0.5, 40, 30.5)), ((20, 30), (0, 7.5, 20, 22.5))],
)
def test_window_is_centred_and_has_the_aspect_shown(source, expected):
    window = centred_window(source, (40, 30))
    assert (window.left, window.top, window.right, window.bottom) == pytest.approx(expected)


def test_a_point_moves_through_a_window_as_the_picture_does():
    window = Window(4.0, 1.5, 34.0, 24.0, 20, 15)
    point = np.array([0.1, -0.05, 1.0])
    before, after = PINHOLE.matrix @ point, PINHOLE.through(window).matrix @ point
    expected = (before[:2] - [4.0, 1.5]) * [20 / 30, 15 / 22.5]
    np.testing.assert_allclose(after[:2], expected, atol=1e-12)


def test_a_pinhole_lens_changes_nothing():
    image = np.random.default_rng(0).random((30, 40, 3), dtype=np.float32)
    lens = Lens(50.0, 52.0, 21.0, 16.0, (0.0,) * 5)
    assert lens.undistort(image) is image
    assert lens.pinhole(40, 30) == PINHOLE


def brown(x: np.ndarray, y: np.ndarray, k1: float, k2: float, p1: float, p2: float, k3: float) -> list[np.ndarray]:
    """Where Brown's model (OpenCV's documentation of camera calibration) puts a direction, before the intrinsics."""
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return [
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    ]


def equidistant(x: np.ndarray, y: np.ndarray, k1: float, k2: float, k3: float, k4: float) -> list[np.ndarray]:
    """The same for OpenCV's fisheye model."""
    r = np.hypot(x, y)
    theta = np.arctan(r)
    bent = theta * (1 + k1 * theta**2 + k2 * theta**4 + k3 * theta**6 + k4 * theta**8)
    return [x * bent / r, y * bent / r]


LENSES = [
    (Lens(120.0, 118.0, 83.0, 57.5, (-0.2, 0.05, 0.004, -0.003, 0.01)), brown),
    (Lens(140.0, 150.0, 77.0, 61.0, (0.15, 0.0, 0.0, 0.0, 0.0)), brown),
    (Lens(70.0, 72.0, 79.0, 60.5, (0.02, -0.01, 0.003, -0.001), fisheye=True), equidistant),
]


@pytest.mark.parametrize(("lens", "model"), LENSES)
def test_undistorted_pixels_are_what_the_model_says(lens, model):
    """A picture whose red is its column and green its row says, after undistortion, where each pixel came from."""
    columns, rows = np.meshgrid(np.arange(160) + 0.5, np.arange(120) + 0.5)
    picture = np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.float32)
    new = lens.pinhole(160, 120)
    x, y = (columns - new.cx) / new.fx, (rows - new.cy) / new.fy
    u, v = model(x, y, *lens.coefficients)
    expected = np.stack([lens.fx * u + lens.cx, lens.fy * v + lens.cy], axis=-1)
    # Every pixel shows something of the photo, but for OpenCV's coarse search of the valid rectangle.
    assert expected.min() > -0.5
    assert (expected < [160.5, 120.5]).all()
    # Pixels that reach over the edge repeat the last ones.
    inside = (expected > 0.5).all(axis=-1) & (expected < [159.5, 119.5]).all(axis=-1)
    error = lens.undistort(picture)[inside, :2] - expected[inside]
    # OpenCV samples at multiples of 1/32 pixel.
    assert np.abs(error).max() < 1 / 64 + 0.002
    assert np.abs(error.mean(axis=0)).max() < 0.002
    assert inside.mean() > 0.97


@pytest.mark.parametrize(
    "lens",
    [
        Lens(50.0, 50.0, 80.0, 60.0, (-1.0, 0.2, 0.0, 0.0, 0.0)),
        Lens(50.0, 50.0, 80.0, 60.0, (0.0, 0.0, 0.0, 0.0), fisheye=True),
    ],
    ids=["folded", "beyond 180 degrees"],
)
def test_distortion_that_leaves_no_view_is_an_error(lens):
    with pytest.raises(ValueError, match="leaves no pinhole view of a 160x120 image"):
        lens.pinhole(160, 120)
