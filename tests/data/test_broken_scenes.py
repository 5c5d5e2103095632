import logging
from types import SimpleNamespace
from typing import Any

import pytest

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.broken_scenes import BrokenScenes


def scenes(count: int) -> list[Any]:
    return [SimpleNamespace(name=f"scene-{number}") for number in range(count)]


def fail(scene: Any) -> None:
    raise UserError(f"{scene.name} is damaged")


def test_a_broken_scene_is_named_once_and_not_tried_again(caplog):
    broken, (first, *_), tried = BrokenScenes(40, 0.05), scenes(40), []
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert broken.attempt(first, lambda scene: tried.append(scene) or fail(scene)) is None
    assert len(tried) == len(broken) == 1
    assert caplog.text.count("scene-0 is damaged") == 1


def test_sound_scenes_give_what_is_read_of_them():
    broken = BrokenScenes(2, 0.0)
    assert broken.attempt(scenes(1)[0], lambda scene: scene.name) == "scene-0"
    assert len(broken) == 0


def test_too_many_are_an_error_with_their_number_and_names():
    broken, made = BrokenScenes(40, 0.05), scenes(40)
    for scene in made[:2]:
        assert broken.attempt(scene, fail) is None
    with pytest.raises(
        UserError, match=r"3 of 40 scenes are broken, more than a share of 0\.05: scene-0, scene-1, scene-2 \("
    ):
        broken.attempt(made[2], fail)
    with pytest.raises(UserError, match=r"1 of 1 scenes are broken"):
        BrokenScenes(1).attempt(made[0], fail)


def test_defects_are_not_taken_for_broken_scenes():
    with pytest.raises(ZeroDivisionError):
        BrokenScenes(1, 1.0).attempt(scenes(1)[0], lambda scene: 1 / 0)
