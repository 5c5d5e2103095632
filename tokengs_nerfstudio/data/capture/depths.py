"""Depths that a capture gives for its photos (`depth_file_path`), as depth cameras of phones write them."""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image

from tokengs_nerfstudio.core.errors import UserError, content_of
from tokengs_nerfstudio.data.capture.images import opened
from tokengs_nerfstudio.data.capture.lens import Lens, Window
from tokengs_nerfstudio.data.capture.transforms_json import FrameRecord, Transforms, finite_number, in_brief, slashed

_log = logging.getLogger(__name__)

UNIT = "depth_unit_scale_factor"
_MILLIMETRES = 1e-3
_EXPECTED = "16 bits a pixel in one channel (millimetres, 0 where nothing is known), or a .npy of [height width]"
# Depth cameras see less finely than photos; by how much the shapes may differ.
_SAME_SHAPE = 0.02


def depth_unit(transforms: Transforms) -> float:
    """How many units of the world one level of a depth file is; ValueError for what is no positive number."""
    given = transforms.shared.get(UNIT)
    if given is None:
        return _MILLIMETRES
    unit = finite_number(given)
    if unit is None or unit <= 0:
        raise UserError(f"'{UNIT}' of {transforms.file} must be a positive number, got {in_brief(given)}")
    return unit


def depth_paths(frames: list[FrameRecord]) -> list[Path | None]:
    """The frames' depth files, None for those without; none at all, which is said, where one is gone.

    ValueError where a path is no text.
    """
    given = [frame.own.get("depth_file_path") for frame in frames]
    for frame, path in zip(frames, given):
        if path is not None and not isinstance(path, str):
            raise UserError(f"'depth_file_path' of {frame} must be the path of a file, got {in_brief(path)}")
    paths = [None if path is None else frame.file.parent / slashed(path) for frame, path in zip(frames, given)]
    gone = [path for path in paths if path is not None and not path.is_file()]
    if not gone:
        return paths
    _log.warning(f"{len(gone)} depth files that {frames[0].file} names are not there ({gone[0]}): depths are not used")
    return [None] * len(paths)


def read_depth(path: Path, size: tuple[int, int], window: Window, lens: Lens) -> Float[ndarray, "height width"]:
    """The part of a photo's depths that `window` shows of the photo of `size` (width, height), through its `lens`
    straightened as the photo is: z-depths in levels of the file, 0 where nothing is known; float32.

    The file may have fewer or more pixels than the photo, in the same shape. Levels are those of the nearest pixel:
    between two surfaces there is none. UserError naming the file where it is none of depths, or of another shape.
    """
    levels = _levels(path)
    height, width = levels.shape
    if abs(width * size[1] / (height * size[0]) - 1) > _SAME_SHAPE:
        raise UserError(
            f"the depths {path} have {width}x{height} pixels, their photo {size[0]}x{size[1]}: give them its shape, or "
            "remove its frame's depth_file_path"
        )
    across, down = width / size[0], height / size[1]
    box = (window.left * across, window.top * down, window.right * across, window.bottom * down)
    shown = np.asarray(Image.fromarray(levels).resize((window.width, window.height), Image.Resampling.NEAREST, box=box))
    if lens.is_pinhole:
        return shown.copy()
    known = lens.undistort((shown > 0).astype(np.float32))
    return np.where(known > 1 - 1e-3, lens.undistort(shown), np.float32(0))


def _levels(path: Path) -> Float[ndarray, "height width"]:
    """What a file holds; what is no positive number is 0."""
    if path.suffix == ".npy":
        with content_of(path, f"depths of {_EXPECTED}", "write it anew, or remove its frame's depth_file_path"):
            levels = np.load(path, allow_pickle=False)
            levels = levels[..., 0] if levels.ndim == 3 and levels.shape[2] == 1 else levels
    else:
        with opened(path) as image:
            wide = image.mode.startswith("I") or image.mode == "F"
            levels = np.asarray(image) if wide else np.zeros(0)
    if levels.ndim != 2 or levels.dtype.kind not in "iuf":
        raise UserError(f"the depths {path} are not {_EXPECTED}; write them so, or remove its frame's depth_file_path")
    levels = levels.astype(np.float32)
    return np.where(np.isfinite(levels) & (levels > 0), levels, np.float32(0))
