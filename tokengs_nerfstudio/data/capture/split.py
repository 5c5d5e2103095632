"""Which frames of a capture may be learned from, and which are kept for evaluation: decided here and nowhere else."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np

from tokengs_nerfstudio.core.errors import UserError, in_short
from tokengs_nerfstudio.data.capture.transforms_json import Transforms, one_spelling

_log = logging.getLogger(__name__)

EvalMode = Literal["interval", "fraction", "filename", "all"]


@dataclass(frozen=True)
class FrameSplit:
    """Indices of the frames to learn from and of the frames to evaluate on."""

    train: list[int]
    test: list[int]


@dataclass(frozen=True)
class SplitRule:
    """How frames are held out where a capture does not name them itself, counted in order of file name.

    `interval`: every so many frames one is held out, and none of fewer frames than that. `fraction`: such a share of
    the frames is learned from. `filename`: by "train" or "eval" in the file's name. `all`: none is held out.
    """

    eval_mode: EvalMode = "interval"
    interval: int = 8
    fraction: float = 0.9


DEFAULT_SPLIT = SplitRule()


@dataclass(frozen=True)
class SplitLists:
    """`{train,val,test}_filenames` of a file in one spelling; a list that is missing or empty names no frame."""

    file: Path
    train: frozenset[str]
    val: frozenset[str]
    test: frozenset[str]

    @property
    def held_out(self) -> frozenset[str]:
        return self.val | self.test

    def holds_out(self, file_path: str) -> bool:
        """Whether a frame of that path is kept for evaluation."""
        return one_spelling(file_path) in self.held_out


def split_lists(transforms: Transforms) -> SplitLists:
    """The split that a file names itself. Says which frames it lists both for training and for evaluation.

    ValueError for what is no list of names, and for names that are none of the file's frames.
    """
    known = {one_spelling(frame.file_path) for frame in transforms.frames}
    train, val, test = (_listed_names(transforms, f"{part}_filenames", known) for part in ("train", "val", "test"))
    lists = SplitLists(transforms.file, train, val, test)
    both = sorted(lists.train & lists.held_out)
    if both:
        _log.warning(
            f"{transforms.file} lists {len(both)} frames for training that it also lists for evaluation "
            f"({in_short(both)}); they are held out: remove them from one of the lists"
        )
    return lists


def _listed_names(transforms: Transforms, key: str, known: set[str]) -> frozenset[str]:
    names: Any = transforms.shared.get(key)
    if names is None:
        return frozenset()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"'{key}' of {transforms.file} must be a list of file paths")
    listed = frozenset(map(one_spelling, names))
    unknown = sorted(listed - known)
    if unknown:
        raise UserError(
            f"'{key}' of {transforms.file} names no frame of it: {in_short(unknown)}; expected the frames' 'file_path'"
        )
    return listed


def split_frames(
    lists: SplitLists, file_paths: Sequence[str], rule: SplitRule = DEFAULT_SPLIT, files: Sequence[str] | None = None
) -> FrameSplit:
    """The frames to learn from and those to evaluate on, as positions in `file_paths`, each in order of file name.

    Where the file lists frames, its lists decide and `rule` does not matter: what is listed for `test` or `val` is
    never learned from; `test` is evaluated on, `val` where there is no frame of `test`, and the rest where the file
    lists training frames alone. Frames of one and the same photo stay together: by their file paths, or by `files`,
    which name the photos where several paths lead to one. `test` may be empty.

    ValueError for a rule that means nothing, and where no frame is left to learn from.
    """
    spelled = [one_spelling(file_path) for file_path in file_paths]
    photos = _photos(spelled, files or spelled)
    chosen = _by_lists(lists, photos) if lists.train or lists.held_out else _by_rule(rule, [p.name for p in photos])
    if not chosen.train:
        raise UserError(
            f"all {len(file_paths)} frames of {lists.file} are held out for evaluation, none is left to reconstruct "
            "from; change train_filenames and test_filenames there, or where it has none, eval_mode"
        )

    def frames(part: list[int]) -> list[int]:
        return [position for place in part for position in photos[place].positions]

    return FrameSplit(frames(chosen.train), frames(chosen.test))


@dataclass(frozen=True)
class _Photo:
    """A photo, all the names that frames have for it, and which frames those are."""

    names: frozenset[str]
    positions: list[int]

    @property
    def name(self) -> str:
        return min(self.names, key=PurePosixPath)


def _photos(names: Sequence[str], files: Sequence[str]) -> list[_Photo]:
    """The photos in order of file name."""
    places: dict[str, list[int]] = {}
    for position, file in enumerate(files):
        places.setdefault(file, []).append(position)
    photos = [_Photo(frozenset(names[place] for place in found), found) for found in places.values()]
    return sorted(photos, key=lambda photo: PurePosixPath(photo.name))


def _by_lists(lists: SplitLists, photos: Sequence[_Photo]) -> FrameSplit:
    def within(listed: frozenset[str], but: frozenset[str] = frozenset()) -> list[int]:
        return [place for place, photo in enumerate(photos) if photo.names & listed and not photo.names & but]

    everything = frozenset(name for photo in photos for name in photo.names)
    if not lists.held_out:
        return FrameSplit(within(lists.train), within(everything, lists.train))
    train = within(lists.train or everything, lists.held_out)
    return FrameSplit(train, within(lists.test) or within(lists.val))


def _by_rule(rule: SplitRule, names: list[str]) -> FrameSplit:
    if rule.eval_mode == "interval":
        return split_by_interval(len(names), rule.interval)
    if rule.eval_mode == "fraction":
        return split_by_fraction(len(names), rule.fraction)
    if rule.eval_mode == "filename":
        return split_by_name(names)
    if rule.eval_mode == "all":
        return FrameSplit(list(range(len(names))), [])
    raise UserError(f"eval_mode must be one of {', '.join(get_args(EvalMode))}, got {rule.eval_mode!r}")


def split_by_interval(count: int, interval: int) -> FrameSplit:
    """Every `interval`-th frame from the first on is kept for evaluation, none of fewer frames than `interval`.

    ValueError for an interval below 2.
    """
    if interval < 2:
        raise UserError(f"the interval between evaluation frames must be at least 2, got {interval}")
    frames = list(range(count))
    if count < interval:
        return FrameSplit(frames, [])
    return FrameSplit([index for index in frames if index % interval], frames[::interval])


def split_by_fraction(count: int, train_fraction: float) -> FrameSplit:
    """As nerfstudio has it: the given part of the frames, evenly spread from the first to the last, is learned from
    (rounded up), the rest is kept for evaluation. ValueError for a fraction outside (0, 1]."""
    if not 0 < train_fraction <= 1:
        raise UserError(f"the fraction of frames to train on must lie in (0, 1], got {train_fraction}")
    train = np.linspace(0, count - 1, math.ceil(count * train_fraction), dtype=int).tolist()
    return FrameSplit(train, [index for index in range(count) if index not in set(train)])


def split_by_name(names: Sequence[str]) -> FrameSplit:
    """Files with "train" in their own name are learned from, others with "eval" in it kept for evaluation.

    ValueError naming a file with neither.
    """
    own = [PurePosixPath(name).name for name in names]
    neither = [name for name in own if "train" not in name and "eval" not in name]
    if neither:
        raise UserError(
            f"eval_mode filename wants 'train' or 'eval' in every file name, not so in {in_short(neither)}; rename "
            "the files, or choose another eval_mode"
        )
    train = [place for place, name in enumerate(own) if "train" in name]
    return FrameSplit(train, [place for place, name in enumerate(own) if "train" not in name])
