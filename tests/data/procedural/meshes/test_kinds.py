import math

import numpy as np
import pytest

from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.procedural.generation import box_distance
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.arrangement import Arrangement, Hold, about_z
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.kinds import FEWEST, KINDS, MOST, random_mesh_scene
from tokengs_nerfstudio.data.procedural.meshes.paths import UP, CameraPath
from tokengs_nerfstudio.data.procedural.meshes.tracing import mesh_scene, trace_on_cpu

VIEWS = 8
SEEDS = range(60)


def drawn(seed: int, sources, library, kind: str | None = None, **options):
    """A scene of that kind, before it is judged."""
    if kind is not None:
        options["kinds"] = tuple(float(name == kind) for name in KINDS)
    return random_mesh_scene(np.random.default_rng(seed), MeshSceneConfig(sources, **options), library, VIEWS)


def angle_between_axes(c2w: np.ndarray) -> float:
    """Largest, in degrees."""
    axes = c2w[:, :3, 2]
    return math.degrees(math.acos(np.clip(axes @ axes.T, -1, 1).min()))


def test_a_seed_is_a_scene(sources):
    config = MeshSceneConfig(sources)
    first, again, other = (mesh_scene(np.random.default_rng(seed), config, 3) for seed in (4, 4, 5))
    assert np.array_equal(first.parts.instances, again.parts.instances)
    assert np.array_equal(first.parts.environment, again.parts.environment)
    assert np.array_equal(first.c2w, again.c2w)
    assert not np.array_equal(first.c2w, other.c2w)


def test_kinds_come_by_their_shares(sources, library):
    counts = dict.fromkeys(KINDS, 0)
    for seed in range(300):
        counts[drawn(seed, sources, library).kind] += 1
    for name, share in zip(KINDS, MeshSceneConfig().kinds):
        assert abs(counts[name] / 300 - share) < 4 * math.sqrt(share * (1 - share) / 300)


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_have_ten_to_sixty_meshes(sources, kind):
    config = MeshSceneConfig(sources, kinds=tuple(float(name == kind) for name in KINDS))
    counts = [len(mesh_scene(np.random.default_rng(seed), config, VIEWS).parts.instances) for seed in range(20)]
    assert min(counts) >= FEWEST == 10
    assert max(counts) <= MOST == 60


@pytest.mark.parametrize("kind", KINDS)
def test_no_camera_is_inside_a_mesh_or_below_the_ground(sources, library, kind, monkeypatch):
    seen = []

    def clear(self, path):
        original(self, path)
        seen.append((self, path))

    original = Arrangement.clear_the_way
    monkeypatch.setattr(Arrangement, "clear_the_way", clear)
    for seed in SEEDS:
        drawn(seed, sources, library, kind)
    for arrangement, path in seen:
        boxes = arrangement.boxes()
        loose = [item.hold is not Hold.FIXED for item in arrangement.items]
        away = box_distance(path.positions, boxes.centre, boxes.rotation, boxes.half)[loose]
        assert away.size == 0 or away.min() > 0
        assert path.positions[:, 2].min() > 0
    assert len(seen) == len(SEEDS)


@pytest.mark.parametrize("kind", KINDS)
def test_cameras_are_rigid_and_keep_the_horizon_level_up_to_their_roll(sources, library, kind):
    for seed in SEEDS:
        scene = drawn(seed, sources, library, kind, roll=5.0)
        rotation = scene.c2w[:, :3, :3]
        assert np.allclose(rotation @ rotation.transpose(0, 2, 1), np.eye(3), atol=1e-9)
        assert np.allclose(np.linalg.det(rotation), 1)
        assert 16 <= math.degrees(scene.fov) <= 65
        if kind != "above":
            flat = np.linalg.norm(scene.c2w[:, :2, 2], axis=-1)
            assert (abs(scene.c2w[:, 2, 0]) <= math.sin(math.radians(5.0)) * flat + 1e-9).all()


def test_axes_are_apart_as_captures_of_each_kind_have_them(sources, library):
    """Half of all captures go round their subject, fronts are seen from one side, drones look down."""
    apart = {kind: [] for kind in KINDS}
    for kind in KINDS:
        for seed in SEEDS:
            scene = drawn(seed, sources, library, kind)
            apart[kind].append(angle_between_axes(scene.c2w[:4]))
            if kind == "above":
                assert scene.c2w[:, 2, 2].mean() < -0.35
    assert np.quantile(apart["object"], 0.7) > 100
    assert np.quantile(apart["object"], 0.1) < 20
    assert np.quantile(apart["facade"], 0.75) < 40
    assert np.quantile(apart["above"], 0.4) < 20
    assert np.quantile(apart["above"], 0.9) > 40
    assert np.quantile(apart["room"], 0.2) < 30
    assert np.quantile(apart["room"], 0.8) > 80
    assert np.quantile(apart["yard"], 0.7) > 80


def test_what_a_camera_touches_goes_and_what_hides_the_subject_too(library):
    arrangement = Arrangement(library)
    spots = {"behind": (0, 9.0), "hiding": (0.1, -3.0), "aside": (2.5, -3.0), "touching": (0.4, -4.0)}
    for place in spots.values():
        arrangement.put(1, (*place, -0.3), 0.3, about_z(0.0))
    arrangement.put(1, (0.1, -3.0, -0.5), 0.5, about_z(0.0), hold=Hold.SUBJECT)
    arrangement.put(1, (0.0, -4.0, -0.5), 0.5, about_z(0.0), hold=Hold.SUBJECT)
    arrangement.put(1, (0.0, -4.0, -0.5), 0.5, about_z(0.0), hold=Hold.FIXED)
    arrangement.clear_the_way(CameraPath(np.array([[0.0, -4.0, 0.0]]), np.zeros((1, 3)), UP))
    left = [tuple(item.place[:2]) for item in arrangement.items]
    assert left == [spots["behind"], spots["aside"], (0.1, -3.0), (0.0, -4.0)]


def test_meshes_stand_on_their_lowest_point(library):
    arrangement = Arrangement(library)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    arrangement.put(1, (1.0, 2.0, 0.5), 0.7, turn)
    boxes = arrangement.boxes()
    reach = abs(boxes.rotation[0].T) @ boxes.half[0]
    assert boxes.centre[0, 2] - reach[2] == pytest.approx(0.5)
    parts = arrangement.parts(np.zeros(at.ENVIRONMENT))
    matrix = parts.instances[0, at.MATRIX : at.MATRIX + 9].reshape(3, 3)
    assert np.allclose(matrix @ (turn * 0.7), np.eye(3))
    assert parts.instances[0, at.VOLUME] == pytest.approx(0.7**3)


def test_pictures_are_exposed_to_a_brightness_and_show_something(sources, library):
    config = MeshSceneConfig(sources, brightness=(0.4, 0.5))
    means, deviations = [], []
    for seed in range(30):
        scene = mesh_scene(np.random.default_rng(seed), config, 3)
        rgb, _ = trace_on_cpu(library, scene, 24, 24, antialias=False)
        means.append(rgb.mean())
        deviations.append(rgb.std((1, 2, 3)).min())
    assert np.quantile(means, 0.75) > 0.35  # highlights may hold it down
    assert max(means) < 0.55
    assert min(deviations) > 0.02


def test_ranges_and_shares_in_disorder_are_told():
    with pytest.raises(ValueError, match=r"meshes\.fov"):
        ProceduralCurriculumConfig(meshes=MeshSceneConfig(fov=(60.0, 20.0))).source()
    with pytest.raises(ValueError, match="not all of them may be 0"):
        ProceduralCurriculumConfig(meshes=MeshSceneConfig(kinds=(0.0,) * 6)).source()
