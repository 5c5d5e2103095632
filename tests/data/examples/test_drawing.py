from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.random import Generator

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.broken_scenes import BrokenScenes
from tokengs_nerfstudio.data.examples.drawing import Drawing


@dataclass
class Made:
    """Scenes number 0 and so on; what is drawn of one is its number and a random one, in the first pixel's colours."""

    files: list[str]
    broken: tuple[int, ...] = ()

    def drawing(self, kept_out: int = 1, most: float = 1.0) -> Drawing:
        scenes = [SimpleNamespace(name=f"scene-{i}", number=i, source=file) for i, file in enumerate(self.files)]
        return Drawing(scenes[kept_out:], scenes[:kept_out], BrokenScenes(len(scenes), most))

    def example(self, scene: Any, rng: Generator) -> Example:
        drawn = float(rng.random())
        if scene.number in self.broken:
            raise UserError("damaged")
        images = torch.zeros(1, 3, 2, 2)
        images[0, 0, 0, 0], images[0, 1, 0, 0] = scene.number, drawn
        views = Views(images, torch.eye(4)[None], torch.eye(3)[None])
        return Example(views, views)

    def numbers(self, example: Example) -> list[tuple[int, float]]:
        return [(int(number), float(drawn)) for number, drawn in example.context.images[:, 0, :2, 0, 0]]


def test_every_scene_is_drawn_and_those_kept_out_never():
    made = Made([str(i) for i in range(6)])
    drawing = made.drawing(kept_out=2)
    drawn = [
        n for seed in range(20) for n, _ in made.numbers(drawing.draw(4, np.random.default_rng(seed), made.example))
    ]
    assert set(drawn) == {2, 3, 4, 5}
    assert [n for n, _ in made.numbers(drawing.held_out(5, made.example))] == [0, 1, 0, 1, 0]


def test_scenes_of_a_batch_come_from_one_file_where_files_hold_several():
    made = Made(["a", "a", "a", "b", "b", "b", "b"])
    drawing, seen = made.drawing(), set()
    for seed in range(40):
        numbers = {n for n, _ in made.numbers(drawing.draw(3, np.random.default_rng(seed), made.example))}
        assert numbers <= {1, 2} or numbers <= {3, 4, 5, 6}
        seen |= numbers
    assert seen == {1, 2, 3, 4, 5, 6}


def test_another_scene_takes_the_place_of_a_broken_one_the_same_whether_it_was_known_or_not():
    made = Made([str(i) for i in range(5)], broken=(2, 3))
    known, some = made.drawing(), []
    for seed in range(12):
        rngs = [np.random.default_rng(seed) for _ in range(2)]
        first, second = (drawing.draw(4, rng, made.example) for drawing, rng in zip((known, made.drawing()), rngs))
        assert made.numbers(first) == made.numbers(second)
        assert rngs[0].random() == rngs[1].random()
        some += [n for n, _ in made.numbers(first)]
    assert set(some) == {1, 4}
    assert len(known.broken) == 2


def test_broken_scenes_that_are_kept_out_change_nothing_for_the_others():
    files = [str(i) for i in range(5)]
    whole, damaged = Made(files), Made(files, broken=(1,))
    assert whole.numbers(whole.drawing(3).held_out(2, whole.example))[0] == (0, pytest.approx(0.636962, abs=1e-5))
    found = damaged.numbers(damaged.drawing(3).held_out(4, damaged.example))
    assert [n for n, _ in found] == [0, 2, 0, 2]
    assert [drawn for _, drawn in found] == [pytest.approx(np.random.default_rng(i).random()) for i in range(4)]


def test_where_all_are_broken_it_is_said():
    made = Made(["a", "b", "c"], broken=(0, 1, 2))
    with pytest.raises(UserError, match="all 1 scenes that are kept out are broken"):
        made.drawing().held_out(2, made.example)
    with pytest.raises(UserError, match=r"2 of 3 scenes are broken, more than a share of 0\.4"):
        made.drawing(most=0.4).draw(2, np.random.default_rng(0), made.example)
