import math

import numpy as np
import pytest
from made.moving_reference import UP

from tokengs_nerfstudio.data.procedural.meshes import machines
from tokengs_nerfstudio.data.procedural.meshes.arrangement import Arrangement, Boxes
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.draft import Draft
from tokengs_nerfstudio.data.procedural.meshes.motion import Course

FOOT = np.array([0.4, -0.3, 0.2])


def draft_of(library, sources, seed: int) -> Draft:
    rng, config = np.random.default_rng(seed), MeshSceneConfig(sources)
    return Draft(rng, config, library, Arrangement(library), np.zeros(40), 4, 0.8)


def boxes_of(library, parts) -> Boxes:
    return Arrangement(library, list(parts)).boxes()


def moved(part, time: float, point: np.ndarray) -> np.ndarray:
    return (part.motion.at(time) @ np.array([*point, 1.0]))[:3]


def speed_below(part, centre: np.ndarray, radius: float, time: float, step: float = 1e-5) -> np.ndarray:
    """Of the point of a wheel that touches the ground at a time."""
    hub = moved(part, time, centre)
    there = np.linalg.inv(part.motion.at(time)) @ np.array([*(hub - radius * UP), 1.0])
    return (moved(part, time + step, there[:3]) - moved(part, time - step, there[:3])) / (2 * step)


@pytest.mark.parametrize("seed", range(6))
def test_what_rolls_stands_on_the_ground_and_does_not_slip(library, sources, seed):
    (part,) = machines.roller(draft_of(library, sources, seed), FOOT, 0.3, Course(1.0, ease=0.5))
    boxes = boxes_of(library, [part])
    centre = boxes.centre[0]
    np.testing.assert_allclose(centre, FOOT + 0.3 * UP)
    for time in (0.1, 0.5, 0.8):
        gone = moved(part, time, centre)
        assert gone[2] == pytest.approx(centre[2])
        assert np.linalg.norm(speed_below(part, centre, 0.3, time)) < 1e-6
    assert np.linalg.norm(moved(part, 1.0, centre) - centre) > 0.3


@pytest.mark.parametrize("seed", range(6))
def test_wheels_of_a_cart_go_with_it_and_do_not_slip(library, sources, seed):
    body, *others = machines.cart(draft_of(library, sources, seed), FOOT, 0.5, Course(1.0, ease=-0.4))
    wheels, load = others[:4], others[4:]
    boxes = boxes_of(library, [body, *wheels])
    for number, wheel in enumerate(wheels, 1):
        centre, radius = boxes.centre[number], boxes.half[number, 0]
        assert centre[2] - radius == pytest.approx(FOOT[2])
        apart = np.linalg.norm(centre - boxes.centre[0])
        for time in (0.2, 0.7):
            hub = moved(wheel, time, centre)
            assert np.linalg.norm(hub - moved(body, time, boxes.centre[0])) == pytest.approx(apart)
            assert np.linalg.norm(speed_below(wheel, centre, radius, time)) < 1e-6
    assert len(load) <= 1
    for part in load:
        lowest = boxes_of(library, [part])
        reach = np.abs(lowest.rotation[0][:, 2]) @ lowest.half[0]
        assert lowest.centre[0, 2] - reach == pytest.approx(boxes.centre[0, 2] + boxes.half[0, 2])


@pytest.mark.parametrize("seed", range(6))
def test_an_arm_holds_together_at_its_joints(library, sources, seed):
    courses = [Course(way) for way in (1.0, -1.5, 0.9, 2.0)]
    column, first, second, held = machines.arm(draft_of(library, sources, seed), FOOT, 0.7, courses)
    boxes = boxes_of(library, [column, first, second, held])
    ways = boxes.rotation[1:3, 0] * boxes.half[1:3, :1]
    joints = [boxes.centre[1] - ways[0], boxes.centre[1] + ways[0], boxes.centre[2] + ways[1]]
    np.testing.assert_allclose(joints[1], boxes.centre[2] - ways[1], atol=1e-9)
    for joint, inner, outer in zip(joints, (column, first, second), (first, second, held)):
        for time in (0.3, 1.0):
            np.testing.assert_allclose(moved(inner, time, joint), moved(outer, time, joint), atol=1e-9)
    bent = np.linalg.inv(first.motion.at(1.0)) @ second.motion.at(1.0)
    assert math.acos((np.trace(bent[:3, :3]) - 1) / 2) == pytest.approx(0.4 * 0.9)
    turned = moved(column, 1.0, FOOT + np.array([1.0, 0, 0])) - FOOT
    np.testing.assert_allclose(turned, [math.cos(1.0), math.sin(1.0), 0], atol=1e-9)
