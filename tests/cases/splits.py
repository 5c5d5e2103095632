"""Which photos are held out: names that fit nothing, photos on both sides, photos listed twice."""

from pathlib import Path

from cases.draft import Draft, usual


def _names(draft: Draft) -> list[str]:
    draft.forget_split()
    return [frame["file_path"] for frame in draft.frames]


@usual
def names_without_their_folder(draft: Draft) -> None:
    """Error: `test_filenames` names no frame."""
    draft.meta["test_filenames"] = [Path(name).name for name in _names(draft)[::4]]


def one_name_mistyped(draft: Draft) -> None:
    """Error: `test_filenames` has `Frame_00004.png`, which is no frame."""
    names = _names(draft)[::4]
    draft.meta["test_filenames"] = [name.replace("frame_00004", "Frame_00004") for name in names]


def unknown_names_to_train_on(draft: Draft) -> None:
    """Error: ten of twelve `train_filenames` are no frames."""
    names = _names(draft)
    draft.meta["train_filenames"] = names[:2] + [f"images/other_{index}.png" for index in range(10)]


def names_without_suffix(draft: Draft) -> None:
    """Error: `test_filenames` has no suffixes while the frames have."""
    draft.meta["test_filenames"] = [name[:-4] for name in _names(draft)[::4]]


def list_of_numbers(draft: Draft) -> None:
    """Error: `test_filenames` must be a list of file paths."""
    draft.forget_split()
    draft.meta["test_filenames"] = [1, 2]


def list_as_text(draft: Draft) -> None:
    """Error: `test_filenames` must be a list of file paths."""
    draft.meta["test_filenames"] = _names(draft)[0]


def list_as_object(draft: Draft) -> None:
    """Error: `test_filenames` must be a list of file paths."""
    draft.meta["test_filenames"] = {name: 1 for name in _names(draft)[::4]}


def list_as_a_number(draft: Draft) -> None:
    """Error: `train_filenames` must be a list of file paths."""
    draft.meta["train_filenames"] = 3


@usual
def photos_in_both_lists(draft: Draft) -> None:
    """Works: photos of both lists are `held out`, which is said."""
    names = _names(draft)
    draft.meta |= {"train_filenames": names, "test_filenames": names[::4]}


def test_list_null(draft: Draft) -> None:
    """Same: what is not named for training is held out."""
    draft.meta |= {"test_filenames": None, "val_filenames": None}


@usual
def held_out_photos_gone(draft: Draft) -> None:
    """Works: that `nothing is held out` is said."""
    for name in draft.meta["test_filenames"]:
        (draft.folder / name).unlink()


@usual
def every_frame_twice(draft: Draft) -> None:
    """Works: both frames of a photo are on one side; that they are listed `more than once` is said."""
    draft.forget_split()
    draft.meta["frames"] = draft.frames + [dict(frame) for frame in draft.frames]


def every_frame_twice_in_another_spelling(draft: Draft) -> None:
    """Works: both frames of a photo are on one side; that they are listed `more than once` is said."""
    draft.forget_split()
    others = [
        frame | {"file_path": frame["file_path"].replace("images/", "images/../images/")} for frame in draft.frames
    ]
    draft.meta["frames"] = draft.frames + others


@usual
def every_frame_twice_by_a_link(draft: Draft) -> None:
    """Works: a photo and a link to it are on one side; that they are listed `more than once` is said."""
    draft.forget_split()
    (draft.folder / "links").mkdir()
    others = []
    for index, frame in enumerate(draft.frames):
        link = draft.folder / f"links/{index}.png"
        link.symlink_to(draft.photo(index))
        others.append(frame | {"file_path": f"links/{index}.png"})
    draft.meta["frames"] = draft.frames + others


def link_to_a_held_out_photo(draft: Draft) -> None:
    """Works: the photo that the link leads to is `held out`, so is the link."""
    (draft.folder / "links").mkdir()
    (draft.folder / "links/a.png").symlink_to(draft.folder / draft.meta["test_filenames"][1])
    index = [frame["file_path"] for frame in draft.frames].index(draft.meta["test_filenames"][1])
    draft.frames.append(draft.frames[index] | {"file_path": "links/a.png"})
    draft.meta["train_filenames"].append("links/a.png")


@usual
def one_photo_with_two_poses(draft: Draft) -> None:
    """Works: `frame_00000.png` is said to have `different poses`."""
    draft.forget_split()
    draft.frames.append(draft.frames[0] | {"transform_matrix": draft.frames[7]["transform_matrix"]})


def eight_photos(draft: Draft) -> None:
    """Works: one of eight is held out."""
    draft.forget_split()
    draft.meta["frames"] = draft.frames[:8]


def other_spelling_in_the_lists(draft: Draft) -> None:
    """Same: ./images/x and images/x are one."""
    for frame in draft.frames:
        frame["file_path"] = "./" + frame["file_path"]


@usual
def some_frames_twice_with_nerfstudio_data(draft: Draft) -> None:
    """Error: that dataparser splits frames, so some `held out` photos would be trained on."""
    draft.forget_split()
    draft.meta["frames"] = draft.frames + [dict(frame) for frame in draft.frames[3:]]
    draft.options = ["nerfstudio-data", "--eval-mode", "interval"]


def every_frame_twice_with_nerfstudio_data(draft: Draft) -> None:
    """Works: that `0 photos are held out` is said, for that dataparser splits frames."""
    draft.forget_split()
    draft.meta["frames"] = draft.frames + [dict(frame) for frame in draft.frames]
    draft.options = ["nerfstudio-data", "--eval-mode", "interval"]
