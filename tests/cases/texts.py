"""What stands in transforms.json: its form, its file names, what was done to the capture before."""

import shutil

from cases.draft import Draft, usual


@usual
def focal_length_of_400_digits(draft: Draft) -> None:
    """Error: an integer that no float holds, as `fl_x`."""
    draft.meta["fl_x"] = 10**400


def matrix_entry_of_400_digits(draft: Draft) -> None:
    """Error: an integer that no float holds, in a `transform_matrix`."""
    draft.frames[1]["transform_matrix"][0][3] = 10**400


@usual
def nested_a_hundred_thousand_deep(draft: Draft) -> str:
    """Error: `transforms.json` is not valid JSON."""
    return "[" * 100_000


@usual
def byte_order_mark(draft: Draft) -> bytes:
    """Same: Windows' editors begin a file so."""
    return b"\xef\xbb\xbf" + (draft.folder / "transforms.json").read_bytes()


def utf16(draft: Draft) -> bytes:
    """Error: `transforms.json` is not `UTF-8`."""
    return (draft.folder / "transforms.json").read_text().encode("utf-16")


def lone_surrogate_in_a_name(draft: Draft) -> None:
    """Works: no such file, `1 of 16` is left out."""
    draft.frames[3]["file_path"] = "images/\ud800.png"
    draft.forget_split()


@usual
def markup_in_the_name_of_a_missing_photo(draft: Draft) -> None:
    """Works: `1 of 16` photos is missing, `gone[/x].png`, said as it is written."""
    draft.frames[3]["file_path"] = "images/gone[/x].png"
    draft.forget_split()


def markup_in_the_names_of_all_photos(draft: Draft) -> None:
    """Same: brackets are part of a name."""
    draft.forget_split()
    draft.options = ["tokengs-data", "--eval-interval", "4"]
    for index, frame in enumerate(draft.frames):
        old, frame["file_path"] = draft.photo(index), frame["file_path"].replace("images/", "images/a[/b][red]")
        draft.photo(index).parent.mkdir(exist_ok=True)
        shutil.move(old, draft.photo(index))


def name_of_5000_characters(draft: Draft) -> None:
    """Works: no such file, `1 of 16` is left out."""
    draft.frames[3]["file_path"] = f"images/{'a' * 5000}.png"
    draft.forget_split()


def name_that_is_empty(draft: Draft) -> None:
    """Works: no such file, `1 of 16` is left out."""
    draft.frames[3]["file_path"] = ""
    draft.forget_split()


def name_that_is_the_root(draft: Draft) -> None:
    """Works: no such file, `1 of 16` is left out."""
    draft.frames[3]["file_path"] = "/"
    draft.forget_split()


def link_to_itself(draft: Draft) -> None:
    """Works: no such file, `1 of 16` is left out."""
    path = draft.photo(3)
    path.unlink()
    path.symlink_to(path.name)


def applied_scale_as_text(draft: Draft) -> None:
    """Error: `applied_scale` is no number."""
    draft.meta["applied_scale"] = "big"


def applied_scale_as_list(draft: Draft) -> None:
    """Error: `applied_scale` is no number."""
    draft.meta["applied_scale"] = [1]


def applied_scale_of_nothing(draft: Draft) -> None:
    """Error: `applied_scale` must be positive."""
    draft.meta["applied_scale"] = 0


@usual
def applied_transform_as_text(draft: Draft) -> None:
    """Error: `applied_transform` is no matrix."""
    draft.meta["applied_transform"] = "abc"


def applied_transform_of_two_rows(draft: Draft) -> None:
    """Error: `applied_transform` is no matrix of that shape."""
    draft.meta["applied_transform"] = [[1, 0], [0, 1]]


def applied_transform_null(draft: Draft) -> None:
    """Same: null is as absent."""
    draft.meta["applied_transform"] = None


def applied_scale_null(draft: Draft) -> None:
    """Same: null is as absent."""
    draft.meta["applied_scale"] = None


def orientation_as_list(draft: Draft) -> None:
    """Error: `orientation_override` is no word."""
    draft.meta["orientation_override"] = ["up"]


@usual
def orientation_of_an_unknown_name(draft: Draft) -> None:
    """Error: `orientation_override` is `None` written by hand, `none` would do."""
    draft.meta["orientation_override"] = "None"


def orientation_none(draft: Draft) -> None:
    """Works: Polycam writes it."""
    draft.meta["orientation_override"] = "none"


def one_time_missing(draft: Draft) -> None:
    """Error: all frames have a `time` or none."""
    for index, frame in enumerate(draft.frames[1:]):
        frame["time"] = index


def times_as_text(draft: Draft) -> None:
    """Error: `time` is no number."""
    for index, frame in enumerate(draft.frames):
        frame["time"] = str(index)


def times_null(draft: Draft) -> None:
    """Same: null is as absent."""
    for frame in draft.frames:
        frame["time"] = None


def times_all_equal(draft: Draft) -> None:
    """Same: one moment."""
    for frame in draft.frames:
        frame["time"] = 0.5


@usual
def times_whose_span_is_beyond_a_float(draft: Draft) -> None:
    """Same: all times are numbers from 0 to 1."""
    for index, frame in enumerate(draft.frames):
        frame["time"] = -1.7e308 if index == 0 else 1.7e308


def times_from_a_thousand_on(draft: Draft) -> None:
    """Same: brought to 0 to 1."""
    for index, frame in enumerate(draft.frames):
        frame["time"] = 1000 + index


def files_that_are_not_there_beside_the_photos(draft: Draft) -> None:
    """Same: it is said that depths and points are gone, and done without."""
    draft.meta["ply_file_path"] = "gone.ply"
    for frame in draft.frames:
        frame["depth_file_path"] = "depth/gone.png"


def numbers_as_text(draft: Draft) -> None:
    """Error: `w` is no number."""
    for key in ("w", "h", "fl_x", "fl_y", "cx", "cy"):
        draft.meta[key] = str(draft.meta[key])


def file_of_another_name(draft: Draft) -> None:
    """Same: --data may name a file."""
    draft.write()
    (draft.folder / "transforms.json").rename(draft.folder / "transforms_train.json")
    draft.data = "transforms_train.json"


def keys_that_mean_nothing_here(draft: Draft) -> None:
    """Same: what is not used is said, `lens_maker`."""
    draft.meta["lens_maker"] = "unknown"


@usual
def focal_length_twice(draft: Draft) -> str:
    """Error: `transforms.json` has `'fl_x' 2 times`."""
    return (draft.folder / "transforms.json").read_text().rstrip()[:-1] + ', "fl_x": 20.0}'
