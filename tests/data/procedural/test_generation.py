import math

import numpy as np
import pytest

from tokengs_nerfstudio.data.procedural import layout as at
from tokengs_nerfstudio.data.procedural.cameras import look_at, spread_order
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig
from tokengs_nerfstudio.data.procedural.generation import SceneArrays, bounds, box_distance, random_scene
from tokengs_nerfstudio.data.procedural.materials import hsv_to_rgb, random_rotations


def camera_clearance(scene: SceneArrays) -> float:
    """Smallest distance of a camera from the box around a primitive."""
    p = scene.primitives
    half = bounds(p[:, at.KIND], p[:, at.HALF : at.HALF + 3], p[:, at.SHAPE : at.SHAPE + 4])
    rotation = p[:, at.ROTATION : at.ROTATION + 9].reshape(-1, 3, 3)
    return float(box_distance(scene.c2w[:, :3, 3], p[:, at.CENTRE : at.CENTRE + 3], rotation, half).min())


@pytest.fixture(scope="module")
def scenes() -> list[SceneArrays]:
    return [random_scene(np.random.default_rng(seed), ProceduralConfig(), 7) for seed in range(200)]


def test_cameras_keep_clear_of_every_primitive(scenes):
    assert min(camera_clearance(scene) for scene in scenes) > 0.1


def test_clearance_notices_a_camera_inside(scenes):
    scene = scenes[0]
    scene.c2w[3, :3, 3], kept = scene.primitives[0, at.CENTRE : at.CENTRE + 3], scene.c2w[3, :3, 3].copy()
    assert camera_clearance(scene) == 0.0
    scene.c2w[3, :3, 3] = kept


def test_cameras_stay_in_the_room_and_above_the_floor(scenes):
    rooms = [scene for scene in scenes if scene.environment[at.ROOM] > 0.5]
    grounds = [scene for scene in scenes if scene.environment[at.GROUND] > 0.5]
    assert 70 < len(rooms) < 130
    assert 35 < len(grounds) < 85
    for scene in rooms:
        low, high = scene.environment[at.LOW : at.LOW + 3], scene.environment[at.HIGH : at.HIGH + 3]
        assert (scene.c2w[:, :3, 3] > low + 0.1).all()
        assert (scene.c2w[:, :3, 3] < high - 0.1).all()
    for scene in grounds:
        assert (scene.c2w[:, 2, 3] > scene.environment[at.LOW + 2] + 0.1).all()


def test_scenes_keep_to_the_ranges_of_their_config(scenes):
    counts = [len(scene.primitives) for scene in scenes]
    fovs = np.degrees([scene.fov for scene in scenes])
    assert (min(counts), max(counts)) == (3, 12)
    assert fovs.min() >= 16
    assert fovs.max() <= 75
    assert fovs.min() < 20
    assert fovs.max() > 65


def test_every_kind_family_and_light_turns_up(scenes):
    kinds = {int(kind) for scene in scenes for kind in scene.primitives[:, at.KIND]}
    families = {int(family) for scene in scenes for family in scene.materials[:, at.FAMILY]}
    assert kinds == set(range(8))
    assert families == set(range(9))
    for column in (at.LIGHT_POINT, at.SHADOW, at.WRAP):
        share = np.mean([scene.environment[column] > 0 for scene in scenes])
        assert 0.1 < share < 0.9


def test_colours_are_colours_and_often_pale(scenes):
    colours = np.concatenate([s.materials[:, at.COLOURS : at.COLOURS + 9].reshape(-1, 3) for s in scenes])
    assert colours.min() >= 0
    assert colours.max() <= 1
    assert np.median(colours.max(-1) - colours.min(-1)) < 0.3


def test_the_first_views_span_the_path(scenes):
    for scene in scenes:
        points = scene.c2w[:, :3, 3]
        spans = [np.linalg.norm(p[:, None] - p[None], axis=-1).max() for p in (points[:3], points)]
        assert spans[0] >= 0.5 * spans[1]
        assert spans[1] > 0.1 * np.linalg.norm(points, axis=-1).mean()


def test_every_camera_sees_the_subject(scenes):
    for scene in scenes:
        subject = np.einsum("vji,vj->vi", scene.c2w[:, :3, :3], -scene.c2w[:, :3, 3])
        angle = np.arctan2(np.linalg.norm(subject[:, :2], axis=-1), subject[:, 2])
        reach = np.arctan(1.25 / np.linalg.norm(scene.c2w[:, :3, 3], axis=-1))
        assert (angle < 0.5 * scene.fov + reach).all()


def test_cameras_look_where_they_are_told():
    c2w = look_at(np.array([[3.0, 0.0, 0.0]]), np.zeros((1, 3)), np.array([0.0, 0.0, 1.0]), np.zeros(1))[0]
    expected = np.array([[0, 0, -1, 3], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
    assert np.allclose(c2w, expected)
    turned = look_at(np.array([[3.0, 0.0, 0.0]]), np.zeros((1, 3)), np.array([0.0, 0.0, 1.0]), np.array([math.pi / 2]))
    assert np.allclose(turned[0, :3, 0], expected[:3, 1])


def test_the_first_of_the_spread_order_lie_far_apart_and_near_all_others():
    points = np.linspace(0, 1, 9)[:, None] * np.array([[1.0, 0.0, 0.0]])
    order = spread_order(np.random.default_rng(0), points)
    assert sorted(order) == list(range(9))
    gaps = np.abs(points[:, None, 0] - points[None, order[:3], 0]).min(-1)
    assert gaps.max() <= 0.5
    assert np.ptp(points[order[:2], 0]) >= 0.5


def test_hsv_is_the_usual_one():
    hsv = np.array([[0.0, 1.0, 1.0], [1 / 3, 1.0, 0.5], [2 / 3, 0.5, 1.0], [0.3, 0.0, 0.7]])
    rgb = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.5, 0.5, 1.0], [0.7, 0.7, 0.7]])
    assert np.allclose(hsv_to_rgb(hsv), rgb)


def test_upright_rotations_keep_the_vertical():
    upright = np.arange(20) % 2 == 0
    rotations = random_rotations(np.random.default_rng(0), 20, upright)
    assert np.allclose(rotations @ rotations.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(rotations[upright, 2, 2], 1.0)
    assert (rotations[~upright, 2, 2] < 1.0).all()
