"""Poses: any unit and origin, what is no camera, what cannot be known."""

import numpy as np
from cases.draft import Draft, usual


def _placed(factor: float = 1.0, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)):
    def change(_: int, pose: np.ndarray) -> np.ndarray:
        pose[:3, 3] = pose[:3, 3] * factor + np.array(offset)
        return pose

    return change


def _axes(change):
    def moved(_: int, pose: np.ndarray) -> np.ndarray:
        pose[:3, :3] = change(pose[:3, :3])
        return pose

    return moved


@usual
def utm(draft: Draft) -> None:
    """Same: georeferenced, in metres."""
    draft.move(_placed(10, (500_123.4, 4_649_776.2, 121.3)))


def hundred_million_units_off(draft: Draft) -> None:
    """Same: an offset is no part of a scene."""
    draft.move(_placed(offset=(1e8, 1e8, 1e8)))


@usual
def nanometres(draft: Draft) -> None:
    """Same: units cancel."""
    draft.move(_placed(1e-9))


def units_of_1e_minus_30(draft: Draft) -> None:
    """Same: units cancel."""
    draft.move(_placed(1e-30))


def units_of_1e12(draft: Draft) -> None:
    """Same: units cancel."""
    draft.move(_placed(1e12))


def units_of_1e30(draft: Draft) -> None:
    """Same: units cancel."""
    draft.move(_placed(1e30))


def units_of_1e200(draft: Draft) -> None:
    """Same: units cancel."""
    draft.move(_placed(1e200))


def one_position_beyond_float32(draft: Draft) -> None:
    """Error: `frame_00002.png` is so far away that nothing is left of the others."""
    draft.frames[2]["transform_matrix"][0][3] = 1e39


@usual
def one_camera_a_million_units_away(draft: Draft) -> None:
    """Error: `frame_00002.png` is so far away that nothing is left of the others."""
    draft.frames[2]["transform_matrix"][0][3] += 1e6


@usual
def one_camera_a_thousand_units_away(draft: Draft) -> None:
    """Works: that `frame_00002.png` is far from the others is said."""
    draft.frames[2]["transform_matrix"][0][3] += 1e3


@usual
def all_equal(draft: Draft) -> None:
    """Error: all cameras are in `one place`."""
    first = draft.frames[0]["transform_matrix"]
    draft.move(lambda _, __: first)


def all_the_identity(draft: Draft) -> None:
    """Error: all cameras are in `one place`."""
    draft.move(lambda _, __: np.eye(4))


def no_translation(draft: Draft) -> None:
    """Error: all cameras are in `one place`."""
    draft.move(_placed(0.0))


def no_translation_far_away(draft: Draft) -> None:
    """Error: all cameras are in `one place`."""
    draft.move(_placed(0.0, (500_123.4, 4_649_776.2, 121.3)))


@usual
def left_handed(draft: Draft) -> None:
    """Error: a `transform_matrix` that `mirrors`."""
    draft.move(_axes(lambda axes: axes * [-1, 1, 1]))


def world_mirrored(draft: Draft) -> None:
    """Error: a `transform_matrix` that `mirrors`."""
    draft.move(lambda _, pose: pose * np.array([1, 1, -1, 1.0])[:, None])


def axes_doubled(draft: Draft) -> None:
    """Same: a common scale of the axes is no part of a camera; it is said, `scale`."""
    draft.move(_axes(lambda axes: 2 * axes))


def axes_of_a_billionth(draft: Draft) -> None:
    """Same: a common scale of the axes is no part of a camera; it is said, `scale`."""
    draft.move(_axes(lambda axes: 1e-9 * axes))


def axes_sheared_by_four_percent(draft: Draft) -> None:
    """Error: a `transform_matrix` that squeezes."""
    draft.move(_axes(lambda axes: axes * [1.045, 1, 1]))


def axes_of_three_digits(draft: Draft) -> None:
    """Same: rounding."""
    draft.move(_axes(lambda axes: np.round(axes, 4)))


def transposed(draft: Draft) -> None:
    """Error: the last row of a `transform_matrix`."""
    draft.move(lambda _, pose: pose.T)


def rotation_transposed(draft: Draft) -> None:
    """Works: that cannot be known."""
    draft.move(_axes(np.transpose))


def world_to_camera(draft: Draft) -> None:
    """Works: that cannot be known."""
    draft.move(lambda _, pose: np.linalg.inv(pose))


def opencv_axes(draft: Draft) -> None:
    """Works: that cannot be known."""
    draft.move(_axes(lambda axes: axes * [1, -1, -1]))


def poses_of_other_photos(draft: Draft) -> None:
    """Works: that cannot be known."""
    poses = [frame["transform_matrix"] for frame in draft.frames]
    draft.move(lambda index, _: poses[(index + 5) % len(poses)])


def three_rows(draft: Draft) -> None:
    """Same: the fourth row says nothing."""
    draft.move(lambda _, pose: pose[:3])


def matrix_of_texts(draft: Draft) -> None:
    """Error: a `transform_matrix` of texts."""
    matrix = draft.frames[0]["transform_matrix"]
    draft.frames[0]["transform_matrix"] = [[str(value) for value in row] for row in matrix]


def matrix_of_truths(draft: Draft) -> None:
    """Error: a `transform_matrix` of truths."""
    draft.frames[0]["transform_matrix"] = [[row == column for column in range(4)] for row in range(4)]


def matrix_null(draft: Draft) -> None:
    """Error: a `transform_matrix` of nothing."""
    draft.frames[0]["transform_matrix"] = None


def matrix_an_object(draft: Draft) -> None:
    """Error: a `transform_matrix` of the wrong kind."""
    draft.frames[0]["transform_matrix"] = {"a": 1}


def matrix_of_sixteen_in_a_row(draft: Draft) -> None:
    """Error: a `transform_matrix` of the wrong shape."""
    draft.frames[0]["transform_matrix"] = [value for row in draft.frames[0]["transform_matrix"] for value in row]
