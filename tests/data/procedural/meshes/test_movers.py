from dataclasses import replace

import numpy as np
import pytest

from tokengs_nerfstudio.core.ranges import check
from tokengs_nerfstudio.data.procedural.meshes.arrangement import Hold
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig, MovementConfig
from tokengs_nerfstudio.data.procedural.meshes.kinds import composed, random_mesh_scene
from tokengs_nerfstudio.data.procedural.meshes.movers import WAYS, Sight, random_moving_scene, set_in_motion
from tokengs_nerfstudio.data.procedural.meshes.paths import UP, CameraPath

NAMES = ("glide", "roll", "swing", "spin", "cart", "arm", "deform")


def config_of(sources, way: int | None = None, **options) -> MeshSceneConfig:
    ways = tuple(float(way is None or k == way) for k in range(len(WAYS)))
    return MeshSceneConfig(sources, movement=MovementConfig(ways=ways, **options))


def put(sources, library, seed: int, way: int):
    """A scene before and after something was set in motion, and its way of cameras."""
    composition = composed(np.random.default_rng(seed), config_of(sources, way), library, 6)
    before = list(composition.draft.scene.items)
    set_in_motion(composition.draft, Sight(composition.path, composition.draft.fov))
    return before, composition.draft.scene.items, composition


@pytest.mark.parametrize("way", range(len(NAMES)), ids=NAMES)
def test_every_way_moves_something_and_nothing_that_is_fixed(sources, library, way):
    found, parts = 0, set()
    for seed in range(12):
        before, items, _ = put(sources, library, seed, way)
        moving = [item for item in items if item.motion is not None]
        found += bool(moving)
        assert all(item.hold is not Hold.FIXED for item in moving)
        parts.add(len(moving))
        assert len(items) - len(before) == (len(moving) if NAMES[way] in ("roll", "cart", "arm") else 0)
        for item in moving:
            assert abs(item.motion.at(0.5) - item.motion.at(0.0)).max() > 1e-6
    assert found >= 5
    assert parts - {0} <= {"cart": {5, 6}, "arm": {4}}.get(NAMES[way], {1})


@pytest.mark.parametrize("way", range(len(NAMES)), ids=NAMES)
def test_what_moves_touches_no_camera_and_is_seen(sources, library, way):
    for seed in range(12):
        _, items, composition = put(sources, library, seed, way)
        path, movement = composition.path, composition.draft.scene.movement()
        moving = list(movement.motions)
        for time in np.linspace(0, 1, 7):
            for number in moving:
                matrix = items[number].motion.at(time)
                corners = movement.centre[number] @ matrix[:3, :3].T + matrix[:3, 3]
                away = np.linalg.norm(corners[:, None] - path.positions, axis=-1)
                assert away.min() > 0.05 * np.linalg.norm(path.targets - path.positions, axis=-1).min()
        if moving:
            middle, reach = movement.centre[moving].mean(1), np.linalg.norm(movement.axes[moving], axis=(-2, -1)).max(1)
            assert (Sight(path, composition.draft.fov).of(middle, reach) > 0).any()


def test_sight_is_a_share_of_the_picture():
    path = CameraPath(np.array([[0.0, -4.0, 0.0]]), np.zeros((1, 3)), UP)
    sight = Sight(path, 2 * np.arctan(0.5))
    places = np.array([[0.0, 0, 0], [1.0, 0, 0], [2.1, 0, 0], [0, -5.0, 0], [0, 30.0, 0]])
    seen = sight.of(places, np.full(5, 0.5))[:, 0]
    assert seen.tolist() == pytest.approx([0.25, 0.25, 0, 0, 0])
    assert sight.touched(np.array([[0.0, -3.0, 0]]), np.array([0.6]))
    assert not sight.touched(np.array([[0.0, -3.0, 0]]), np.array([0.4]))


def test_a_scene_has_so_many_movers_as_find_a_place(sources, library):
    config = config_of(sources, NAMES.index("spin"), movers=(2, 2))
    scenes = [random_moving_scene(np.random.default_rng(seed), config, library, 4) for seed in range(8)]
    counts = [len(scene.movement.motions) for scene in scenes]
    assert max(counts) == 2
    assert np.mean(counts) > 1


def test_still_scenes_have_no_movement(sources, library):
    scene = random_mesh_scene(np.random.default_rng(0), replace(MeshSceneConfig(sources), moving=1.0), library, 4)
    assert scene.movement is None
    assert scene.times is None


def test_shares_that_are_all_zero_are_told():
    with pytest.raises(ValueError, match=r"ways is .*; not all of them may be 0"):
        check(MovementConfig(ways=(0.0,) * 7))
    with pytest.raises(ValueError, match=r"cameras is .*; not all of them may be 0"):
        check(MovementConfig(cameras=(0.0,) * 3))
