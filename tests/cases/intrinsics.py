"""Focal lengths, principal points, distortion and the size that they are written for."""

import math

from cases.draft import HEIGHT, WIDTH, Draft, usual
from PIL import Image


def _angle(draft: Draft) -> float:
    return 2 * math.atan(WIDTH / 2 / draft.meta["fl_x"])


def _focal_times(draft: Draft, factor: float) -> None:
    draft.meta |= {key: factor * draft.meta[key] for key in ("fl_x", "fl_y", "cx", "cy")}


@usual
def principal_point_far_outside(draft: Draft) -> None:
    """Error: `cx` lies outside of the photo."""
    draft.meta["cx"] = 5000.0


def principal_point_negative(draft: Draft) -> None:
    """Error: `cx` lies outside of the photo."""
    draft.meta |= {"cx": -400.0, "cy": -300.0}


@usual
def divided_by_the_size(draft: Draft) -> None:
    """Error: `fl_x` is in `pixels`."""
    draft.meta |= {"fl_x": draft.meta["fl_x"] / WIDTH, "fl_y": draft.meta["fl_y"] / HEIGHT, "cx": 0.5, "cy": 0.5}


def principal_point_divided_by_the_size(draft: Draft) -> None:
    """Error: `cx` is in `pixels`."""
    draft.meta |= {"cx": 0.5, "cy": 0.5}


def focal_length_of_nothing(draft: Draft) -> None:
    """Error: `fl_x` means a field of view of 180 degrees."""
    draft.meta |= {"fl_x": 1e-30, "fl_y": 1e-30}


def focal_length_of_a_nonillion(draft: Draft) -> None:
    """Error: `fl_x` means a field of view of 0 degrees."""
    draft.meta |= {"fl_x": 1e30, "fl_y": 1e30}


def focal_length_beyond_float32(draft: Draft) -> None:
    """Error: `fl_x` means a field of view of 0 degrees."""
    draft.meta |= {"fl_x": 1e300, "fl_y": 1e300}


def focal_lengths_far_apart(draft: Draft) -> None:
    """Error: `fl_y` is 20 times `fl_x`."""
    draft.meta["fl_y"] = 20 * draft.meta["fl_x"]


@usual
def own_focal_length_in_x_shared_in_y(draft: Draft) -> None:
    """Same: a frame's own fl_x never meets the shared fl_y of another lens."""
    own = draft.meta["fl_x"]
    draft.meta |= {"fl_x": own * 3, "fl_y": own * 3}
    for frame in draft.frames:
        frame["fl_x"] = own


def own_angle_in_x_shared_focal_length_in_y(draft: Draft) -> None:
    """Same: a frame's own angle never meets the shared fl_y of another lens."""
    angle = _angle(draft)
    draft.meta |= {"fl_x": draft.meta["fl_x"] * 3, "fl_y": draft.meta["fl_x"] * 3}
    for frame in draft.frames:
        frame["camera_angle_x"] = angle


@usual
def angle_and_focal_length_disagree(draft: Draft) -> None:
    """Error: `fl_x` and `camera_angle_x` contradict each other."""
    draft.meta["camera_angle_x"] = 2.5


def angle_and_focal_length_agree(draft: Draft) -> None:
    """Same: instant-ngp writes both."""
    draft.meta["camera_angle_x"] = _angle(draft)


def angle_in_degrees(draft: Draft) -> None:
    """Error: `camera_angle_x` is in `radians`."""
    draft.meta["camera_angle_x"] = math.degrees(_angle(draft))
    del draft.meta["fl_x"], draft.meta["fl_y"]


def field_of_view_in_radians(draft: Draft) -> None:
    """Error: `x_fov` is in `degrees`."""
    draft.meta["x_fov"] = _angle(draft)
    del draft.meta["fl_x"], draft.meta["fl_y"]


@usual
def size_of_another_aspect(draft: Draft) -> None:
    """Error: the photos are `64x48`, not of the shape of `400x100`."""
    draft.meta |= {"w": 400, "h": 100}


def size_that_is_square(draft: Draft) -> None:
    """Error: the photos are `64x48`, not of the shape of `1000x1000`."""
    draft.meta |= {"w": 1000, "h": 1000}


@usual
def width_alone(draft: Draft) -> None:
    """Same: the height follows from the photo."""
    _focal_times(draft, 4)
    draft.meta["w"] = 4 * WIDTH
    del draft.meta["h"]


def height_alone(draft: Draft) -> None:
    """Same: the width follows from the photo."""
    _focal_times(draft, 4)
    draft.meta["h"] = 4 * HEIGHT
    del draft.meta["w"]


def size_four_times_the_photos(draft: Draft) -> None:
    """Same: intrinsics follow the photos."""
    _focal_times(draft, 4)
    draft.meta |= {"w": 4 * WIDTH, "h": 4 * HEIGHT}


def _full_and_half(draft: Draft, full: int, named: str = "images_2") -> None:
    """The clean photos as the half-size ones of a capture whose full photos are `full` pixels wide."""
    (draft.folder / named).mkdir()
    for index in range(len(draft.frames)):
        photo = Image.open(draft.photo(index))
        photo.save(draft.folder / named / draft.photo(index).name)
        photo.resize((full, full * HEIGHT // WIDTH)).save(draft.photo(index), compress_level=1)


@usual
def reduced_photos_asked_for_without_size(draft: Draft) -> None:
    """Same: focal lengths are those of the full photos, which --downscale-factor halves."""
    _full_and_half(draft, 2 * WIDTH)
    _focal_times(draft, 2)
    del draft.meta["w"], draft.meta["h"]
    draft.options = ["tokengs-data", "--downscale-factor", "2"]


@usual
def reduced_photos_chosen_without_size(draft: Draft) -> None:
    """Same: focal lengths are those of the full photos, above 1600 pixels images_2 is read."""
    _full_and_half(draft, 1664, "images_2")
    _focal_times(draft, 1664 / WIDTH)
    del draft.meta["w"], draft.meta["h"]


def photos_replaced_by_smaller_ones_without_size(draft: Draft) -> None:
    """Error: `cx` shows that the intrinsics are those of other photos."""
    _focal_times(draft, 4)
    del draft.meta["w"], draft.meta["h"]


@usual
def fisheye_as_text(draft: Draft) -> None:
    """Error: `is_fisheye` is the text "false"."""
    del draft.meta["camera_model"]
    draft.meta["is_fisheye"] = "false"


@usual
def model_unknown(draft: Draft) -> None:
    """Error: `FULL_OPENCV` is not known."""
    draft.meta["camera_model"] = "FULL_OPENCV"


def model_of_panoramas(draft: Draft) -> None:
    """Error: `EQUIRECTANGULAR` is not known."""
    draft.meta["camera_model"] = "EQUIRECTANGULAR"


def model_in_small_letters(draft: Draft) -> None:
    """Error: `opencv` is not known, `OPENCV` is."""
    draft.meta["camera_model"] = "opencv"


def pinhole_with_distortion(draft: Draft) -> None:
    """Error: `PINHOLE` has no `k1`."""
    draft.meta["k1"] = 0.3


def distortion_as_text(draft: Draft) -> None:
    """Error: `k1` is no number."""
    draft.meta |= {"camera_model": "OPENCV", "k1": "0.1"}


def distortion_of_a_million(draft: Draft) -> None:
    """Error: the `distortion` leaves no view."""
    draft.meta |= {"camera_model": "OPENCV", "k1": 1e6}


def distortion_of_a_failed_calibration(draft: Draft) -> None:
    """Error: the `distortion` leaves no view."""
    draft.meta |= {"camera_model": "OPENCV", "k1": -44.85, "k2": 1017.4, "p1": 0.62, "p2": 0.94}


@usual
def coefficients_of_the_rational_model(draft: Draft) -> None:
    """Error: `k5` is not known."""
    draft.meta |= {"camera_model": "OPENCV", "k1": 0.1, "k5": 0.5, "k6": 0.5}


def coefficients_of_the_rational_model_of_nothing(draft: Draft) -> None:
    """Same: coefficients that are 0 change nothing."""
    draft.meta |= {"camera_model": "OPENCV", "k5": 0.0, "k6": 0.0}


@usual
def radius_of_a_fisheye(draft: Draft) -> None:
    """Works: that `fisheye_crop_radius` is not looked at is said."""
    draft.meta |= {"camera_model": "OPENCV_FISHEYE", "k1": 0.01, "fisheye_crop_radius": WIDTH // 2}


def distortion_list_with_a_truth(draft: Draft) -> None:
    """Error: `distortion_params` must be numbers."""
    draft.meta |= {"camera_model": "OPENCV", "distortion_params": [True, 0, 0, 0, 0, 0]}


def distortion_list_of_400_digits(draft: Draft) -> None:
    """Error: `distortion_params` must be numbers."""
    draft.meta |= {"camera_model": "OPENCV", "distortion_params": [10**400, 0, 0, 0, 0, 0]}


def focal_length_in_y_null(draft: Draft) -> None:
    """Same: it follows from that in x."""
    draft.meta["fl_y"] = None


def focal_length_a_truth(draft: Draft) -> None:
    """Error: `fl_x` is no number."""
    draft.meta["fl_x"] = True


@usual
def null_in_every_frame(draft: Draft) -> None:
    """Same: a null is nothing, and hides nothing that the file says."""
    keys = ("fl_x", "cx", "w", "h", "k1", "distortion_params", "camera_model", "mask_path", "time")
    for frame in draft.frames:
        frame |= dict.fromkeys(keys)
    draft.meta |= {"distortion_params": None, "k1": 0.0}


@usual
def photo_turned_among_others(draft: Draft) -> None:
    """Error: `cx, cy` of the file are none of `frame_00005.png`, which is `48x64`."""
    Image.open(draft.photo(5)).transpose(Image.Transpose.ROTATE_90).save(draft.photo(5))
    draft.frames[5] |= {"w": HEIGHT, "h": WIDTH}


def fisheye_and_not(draft: Draft) -> None:
    """Error: `is_fisheye` and the camera model `OPENCV` contradict each other."""
    draft.meta |= {"camera_model": "OPENCV", "is_fisheye": True}
