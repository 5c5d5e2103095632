"""Captures after reports in the trackers of other projects: names, folders, lenses, units, other dataparsers."""

import shutil
from pathlib import Path

import numpy as np
from cases.draft import HEIGHT, WIDTH, Draft, usual
from PIL import Image


def _rig(draft: Draft, photos: Path, reduced: bool = False) -> None:
    """Two cameras whose photos have the same names in two folders of `photos`."""
    for index, frame in enumerate(draft.frames):
        new = photos / f"cam{'AB'[index % 2]}/{index // 2:04d}.png"
        (draft.folder / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(draft.photo(index), draft.folder / new)
        frame["file_path"] = new.as_posix()
        if reduced:
            half = draft.folder / "images_2" / new.relative_to("images")
            half.parent.mkdir(parents=True, exist_ok=True)
            Image.open(draft.folder / new).resize((WIDTH // 2, HEIGHT // 2)).save(half)
    draft.forget_split()


def two_folders(draft: Draft) -> None:
    """Works: photos of one name in two folders are two photos."""
    _rig(draft, Path("images"))


@usual
def two_folders_reduced(draft: Draft) -> None:
    """Works: images_2 has the folders of images."""
    _rig(draft, Path("images"), reduced=True)
    draft.options = ["tokengs-data", "--downscale-factor", "2"]
    draft.masked = None


@usual
def two_folders_reduced_into_one(draft: Draft) -> None:
    """Error: `images_2` has one photo for `0000.png` of both folders."""
    _rig(draft, Path("images"))
    (draft.folder / "images_2").mkdir()
    for index in range(len(draft.frames)):
        photo = draft.photo(index)
        Image.open(photo).resize((WIDTH // 2, HEIGHT // 2)).save(draft.folder / "images_2" / photo.name)
    draft.options = ["tokengs-data", "--downscale-factor", "2"]


@usual
def reduced_photos_that_are_not_there(draft: Draft) -> None:
    """Works: where there is no images_2, photos are reduced as they are read."""
    draft.options = ["tokengs-data", "--downscale-factor", "2"]


@usual
def suffix_in_capitals_on_disk(draft: Draft) -> None:
    """Same: FRAME.PNG and frame.png are one file on Windows."""
    for index in range(len(draft.frames)):
        photo = draft.photo(index)
        photo.rename(photo.with_suffix(".PNG"))


def paths_of_windows(draft: Draft) -> None:
    """Same: backslashes part folders."""
    for frame in draft.frames:
        frame["file_path"] = frame["file_path"].replace("/", "\\")


@usual
def absolute_paths_of_another_machine(draft: Draft) -> None:
    """Error: `14 of 14` photos do not exist, for `C:/Users/me` is not of this machine."""
    for frame in draft.frames:
        frame["file_path"] = "C:\\Users\\me\\capture\\images\\" + Path(frame["file_path"]).name
    draft.forget_split()


def names_of_other_scripts(draft: Draft) -> None:
    """Works: any letters, blanks, absolute paths."""
    draft.forget_split()
    for index, frame in enumerate(draft.frames):
        photo = draft.photo(index)
        moved = photo.with_name(f"{index:02d} Übung 猫 {photo.name}")
        photo.rename(moved)
        frame["file_path"] = str(moved if index % 2 else moved.relative_to(draft.folder))


def angle_alone_and_no_suffix(draft: Draft) -> None:
    """Same: instant-ngp's form."""
    angle = 2 * np.arctan(WIDTH / 2 / draft.meta["fl_x"])
    for frame in draft.frames:
        frame["file_path"] = "./" + frame["file_path"][:-4]
    frames, draft.meta = draft.frames, {"camera_angle_x": angle}
    draft.meta["frames"] = frames
    draft.options = ["tokengs-data", "--eval-interval", "4"]


@usual
def photos_cropped_to_another_aspect(draft: Draft) -> None:
    """Error: the photos are `64x36`, not of the shape of `64x48`."""
    draft.redraw(lambda picture: picture.crop((0, 6, WIDTH, HEIGHT - 6)))


def principal_point_off_centre(draft: Draft) -> None:
    """Works: a crop whose intrinsics know of it."""
    draft.redraw(lambda picture: picture.crop((WIDTH // 4, 0, WIDTH, HEIGHT * 3 // 4)))
    draft.meta |= {"w": WIDTH - WIDTH // 4, "h": HEIGHT * 3 // 4, "cx": draft.meta["cx"] - WIDTH // 4}


def two_cameras_of_two_sizes(draft: Draft) -> None:
    """Works: every other photo is of another sensor."""
    for index in range(0, len(draft.frames), 2):
        photo, frame = draft.photo(index), draft.frames[index]
        Image.open(photo).crop((12, 9, WIDTH - 12, HEIGHT - 9)).save(photo)
        frame |= {"w": WIDTH - 24, "h": HEIGHT - 18, "fl_x": draft.meta["fl_x"], "fl_y": draft.meta["fl_y"]}
        frame |= {"cx": draft.meta["cx"] - 12, "cy": draft.meta["cy"] - 9}


@usual
def millimetres_as_they_are(draft: Draft) -> None:
    """Works: the run keeps units and origin of the capture, and sees the scene."""
    draft.move(lambda _, pose: pose * np.array([1, 1, 1, 1000.0]) if pose[3, 3] == 1 else pose)
    for frame in draft.frames:
        frame["transform_matrix"][3] = [0, 0, 0, 1]
    draft.options = ["tokengs-data", "--orientation-method", "none", "--center-method", "none"]
    draft.options += ["--auto-scale-poses", "False"]


@usual
def poses_of_nerfstudio_data_scaled(draft: Draft) -> None:
    """Error: a camera of another dataparser whose axes are `no rotation`, `frame_00001.png`."""
    draft.move(lambda _, pose: pose @ np.diag([2, 2, 2, 1.0]))
    draft.options = ["nerfstudio-data"]


def poses_of_nerfstudio_data_left_handed(draft: Draft) -> None:
    """Error: a camera of another dataparser whose axes are `no rotation`, `frame_00001.png`."""
    draft.move(lambda _, pose: pose @ np.diag([-1, 1, 1, 1.0]))
    draft.options = ["nerfstudio-data"]


def poses_of_nerfstudio_data_in_one_place(draft: Draft) -> None:
    """Error: all cameras are in `one place`."""
    first = draft.frames[0]["transform_matrix"]
    draft.move(lambda _, __: first)
    draft.options = ["nerfstudio-data", "--auto-scale-poses", "False"]


@usual
def palette_with_nerfstudio_data(draft: Draft) -> None:
    """Same: one reader of photos for all dataparsers."""
    draft.redraw(lambda picture: picture.quantize(256))
    draft.options = ["nerfstudio-data"]


def cmyk_with_nerfstudio_data(draft: Draft) -> None:
    """Same: one reader of photos for all dataparsers."""
    draft.redraw(lambda picture: picture.convert("CMYK"), suffix=".jpg", quality=97)
    draft.tolerance = 0.03
    draft.options = ["nerfstudio-data"]


def principal_point_outside_with_nerfstudio_data(draft: Draft) -> None:
    """Error: the principal point of `frame_00001.png` lies outside of the photo."""
    draft.meta["cx"] = 5000.0
    draft.options = ["nerfstudio-data"]
