import cv2
import numpy as np
import pytest

from tokengs_nerfstudio.data.posing.photos import Photo
from tokengs_nerfstudio.data.posing.pictures import Looks, Picture
from tokengs_nerfstudio.data.posing.reasons import advice, mostly_turns, reasons, told, turns_only
from tokengs_nerfstudio.data.posing.solution import Comparison, Solution

SIZE = (320, 240)
LENS = np.array([[280.0, 0, 160], [0, 280, 120], [0, 0, 1]])


def turn(yaw: float, pitch: float = 0.0) -> np.ndarray:
    return LENS @ cv2.Rodrigues(np.array([pitch, yaw, 0.02]))[0] @ np.linalg.inv(LENS)


def step(sideways: float, forward: float, yaw: float = 0.0) -> np.ndarray:
    """Between two photos of a wall that is tilted by a third."""
    normal = np.array([0.3, 0, 0.95])
    moved = cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0] + np.outer([sideways, 0, forward], normal)
    return 3 * LENS @ moved @ np.linalg.inv(LENS)


def test_a_turn_is_told_from_a_step_before_a_wall():
    for homography in (turn(0.1), turn(-0.4, 0.1), 7 * turn(0.02)):
        assert turns_only(homography, SIZE)
        assert turns_only(np.linalg.inv(homography), SIZE)
    for homography in (step(0.1, 0), step(0.3, 0.1), step(0, 0.2), step(0.3, 0, 0.1), step(-0.2, 0.05, 0.2)):
        assert not turns_only(homography, SIZE)


def seen(contrast: float = 40.0, sharpness: float = 0.5) -> Picture:
    photo = Photo(None, "x", SIZE, False, (), None)  # type: ignore[arg-type]
    return Picture(photo, "x", SIZE, Looks(contrast, sharpness))


def solution(comparisons: list[Comparison], placed: tuple[int, ...] = ()) -> Solution:
    nothing = Solution.empty()
    keypoints = {index: 50 if index == 4 else 900 for index in range(9)}
    c2w = {index: np.eye(4) for index in placed}
    return Solution(c2w, {}, nothing.points, nothing.colors, [], keypoints, comparisons)


@pytest.fixture
def no_types(no_shape_checks):
    """Photos here have no file."""


def test_each_photo_has_its_reason(no_types):
    pictures = [seen(), seen(), None, seen(contrast=1), seen(), seen(sharpness=0.02), seen(), seen(), seen()]
    found = solution(
        [
            Comparison((0, 1), 300, None),
            Comparison((1, 6), 14, None),
            Comparison((1, 7), 80, turn(0.1)),
            Comparison((0, 8), 80, None),
        ],
        placed=(0, 1),
    )
    why = reasons(pictures, found)
    assert why == {2: "unreadable", 3: "plain", 4: "plain", 5: "blurred", 6: "alone", 7: "turned", 8: "loose"}
    names = [f"{index}.jpg" for index in range(9)]
    assert told(names, why).startswith("3.jpg, 4.jpg (too plain, dark or overexposed); 2.jpg (cannot be read); ")
    assert advice(names, why).startswith("photograph textured things")
    assert told(names, dict.fromkeys(range(5), "blurred")) == "5 photos: 0.jpg, 1.jpg, 2.jpg, ... (blurred)"


def test_a_camera_that_mostly_turned_has_no_depth():
    sizes = dict.fromkeys(range(9), SIZE)
    turns = [Comparison((0, k), 200, turn(0.1 * k)) for k in (1, 2, 3)]
    assert mostly_turns(solution(turns), sizes)
    assert mostly_turns(solution([*turns, Comparison((1, 2), 100, None)]), sizes)
    assert not mostly_turns(solution([*turns, Comparison((1, 2), 100, None), Comparison((1, 3), 100, None)]), sizes)
    assert not mostly_turns(solution([]), sizes)
    assert not mostly_turns(solution([Comparison((0, 1), 200, step(0.2, 0))]), sizes)
