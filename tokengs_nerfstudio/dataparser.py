"""`tokengs-data`: captures in nerfstudio's or instant-ngp's transforms.json as they really are.

nerfstudio imports this module while its own configuration modules are still loading: it may import nothing that leads
to nerfstudio's data managers, models or method configurations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from nerfstudio.cameras.camera_utils import auto_orient_and_center_poses
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox
from nerfstudio.data.utils.dataparsers_utils import get_train_eval_split_filename
from nerfstudio.plugins.registry_dataparser import DataParserSpecification
from nerfstudio.utils.rich_utils import CONSOLE
from torch import Tensor

from tokengs_nerfstudio.bridge import distortion_of_lens, nerfstudio_poses
from tokengs_nerfstudio.data.capture.images import is_turned, stored_size
from tokengs_nerfstudio.data.capture.lens import Lens
from tokengs_nerfstudio.data.capture.split import split_by_fraction, split_by_interval
from tokengs_nerfstudio.data.capture.transforms_json import (
    FrameRecord,
    Transforms,
    camera_to_world,
    frame_times,
    lens_of,
    mask_paths,
    read_transforms,
    recorded_size,
)

_SUFFIXES = (".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG")
_LARGEST_AUTOMATIC_SIDE = 1600


@dataclass
class TokenGSDataParserConfig(DataParserConfig):
    """Captures in the transforms.json form of nerfstudio or instant-ngp."""

    _target: type = field(default_factory=lambda: TokenGSDataParser)
    data: Path = Path()
    """Folder with a transforms.json, or a JSON file of that form."""
    downscale_factor: int | None = None
    """Read images_N instead of images. If not set: the first whose longer side is at most 1600 pixels."""
    eval_mode: Literal["interval", "fraction", "filename", "all"] = "interval"
    """How images are held out for evaluation where the capture does not name them itself (train_filenames):
    every eval_interval-th, a fraction, by "train" or "eval" in the file name, or none (all serve both ends)."""
    eval_interval: int = 8
    """Every so many images one is held out, in order of file name. A capture with fewer images is used whole."""
    train_split_fraction: float = 0.9
    """Share of the images to reconstruct from, where eval_mode is fraction."""
    orientation_method: Literal["pca", "up", "vertical", "none"] = "up"
    """How the world is turned."""
    center_method: Literal["poses", "focus", "none"] = "poses"
    """Where the world's origin is put."""
    auto_scale_poses: bool = True
    """Scale the world so that all cameras lie within +-1."""
    scale_factor: float = 1.0
    """Further factor on the camera positions."""


@dataclass(frozen=True)
class _Frame:
    """One image of the capture and its camera."""

    record: FrameRecord
    image: Path
    size: tuple[int, int]
    """Width and height."""
    lens: Lens


class TokenGSDataParser(DataParser):
    """Reads a transforms.json once; frames without an image file are reported and left out."""

    config: TokenGSDataParserConfig  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, config: TokenGSDataParserConfig):
        super().__init__(config)
        self.downscale_factor = config.downscale_factor
        self._frames: list[_Frame] | None = None

    @property
    def includes_time(self) -> bool:  # type: ignore[override]
        """Whether every frame has a time. Never raises: nerfstudio asks before anything is loaded."""
        try:
            frames = read_transforms(self.config.data).frames
        except (FileNotFoundError, ValueError):
            return False
        return all("time" in frame.own for frame in frames)

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        transforms = read_transforms(self.config.data)
        if self._frames is None:
            self._frames = self._read(transforms)
        frames, shared = self._frames, transforms.shared
        poses, transform, scale = self._place([frame.record for frame in frames], shared)
        indices = split_indices(self.config, shared, [frame.record.file_path for frame in frames], split)
        times = frame_times([frame.record for frame in frames])
        chosen = [frames[index] for index in indices]
        return DataparserOutputs(
            image_filenames=[frame.image for frame in chosen],
            cameras=_cameras(chosen, poses[indices], None if times is None else times[indices]),
            scene_box=SceneBox(aabb=torch.tensor([[-1.0] * 3, [1.0] * 3])),
            mask_filenames=self._masks(chosen),
            dataparser_scale=scale * float(shared.get("applied_scale", 1.0)),
            dataparser_transform=_from_original(shared, transform),
        )

    def _place(self, records: list[FrameRecord], shared: Mapping[str, Any]) -> tuple[Tensor, Tensor, float]:
        """All poses [frame, 3, 4] in nerfstudio's frame, the [3, 4] transform into it and the scale."""
        c2w = torch.from_numpy(np.stack([camera_to_world(record) for record in records])).float()
        poses = torch.cat([nerfstudio_poses(c2w), c2w[:, 3:]], dim=1)
        method = shared.get("orientation_override", self.config.orientation_method)
        poses, transform = auto_orient_and_center_poses(poses, method=method, center_method=self.config.center_method)
        scale = self.config.scale_factor
        extent = float(poses[:, :3, 3].abs().max())
        if self.config.auto_scale_poses and extent > 1e-6:  # one view, or all from one place: there is no extent
            scale /= extent
        poses[:, :3, 3] *= scale
        return poses[:, :3], transform, scale

    def _read(self, transforms: Transforms) -> list[_Frame]:
        folder = transforms.file.parent
        records = sorted(transforms.frames, key=lambda record: _slashed(record.file_path))
        found = [(record, self._image_path(folder, record.file_path)) for record in records]
        missing = [record.file_path for record, path in found if not path.is_file()]
        if len(missing) == len(found):
            _check_cameras_suffice(records, found[0][1])
        elif missing:
            CONSOLE.log(
                f"[yellow]{len(missing)} of {len(found)} frames of {self.config.data} have no image file and are "
                f"left out: {_shortened(missing)}"
            )
            found = [(record, path) for record, path in found if path.is_file()]
        return [_frame(record, path) for record, path in found]

    def _image_path(self, folder: Path, file_path: str) -> Path:
        """The image file of a frame; instant-ngp and Blender captures leave the suffix out."""
        plain = folder / _slashed(file_path)
        if not plain.is_file():
            plain = next((p for p in (Path(f"{plain}{s}") for s in _SUFFIXES) if p.is_file()), plain)
        if self.downscale_factor is None and plain.is_file():
            self.downscale_factor = _automatic_factor(folder, plain)
        if self.downscale_factor in (None, 1):
            return plain
        return folder / f"images_{self.downscale_factor}" / plain.name

    def _masks(self, frames: list[_Frame]) -> list[Path] | None:
        """The frames' masks, in masks_N where the photos are in images_N."""
        masks = mask_paths([frame.record for frame in frames])
        if masks is None or self.downscale_factor in (None, 1):
            return masks
        folder = frames[0].record.file.parent / f"masks_{self.downscale_factor}"
        return [folder / mask.name for mask in masks]


def split_indices(
    config: TokenGSDataParserConfig, shared: Mapping[str, Any], names: Sequence[str], split: str
) -> list[int]:
    """Which frames belong to `split` (train, val or test), as positions in `names` (file_path entries, sorted).

    Where nothing is held out, the evaluation splits are the train split: nerfstudio cannot do without cameras there.
    Raises ValueError where nothing is left to reconstruct from.
    """
    train, held_out = _named_splits(shared, names) or _chosen_splits(config, names)
    if not train:
        raise ValueError(
            f"all {len(names)} images of {config.data} are held out for evaluation, none is left to reconstruct from; "
            "change --eval-mode, or train_filenames in its transforms.json"
        )
    return held_out if held_out and split != "train" else train


def _named_splits(shared: Mapping[str, Any], names: Sequence[str]) -> tuple[list[int], list[int]] | None:
    """The splits that the capture itself names, if it does; `val` and `test` stand in for each other."""
    place = {_slashed(name): index for index, name in enumerate(names)}

    def indices(key: str) -> list[int]:
        entries = shared.get(f"{key}_filenames") or []
        return sorted(place[path] for path in map(_slashed, entries) if path in place)

    train, test, val = indices("train"), indices("test"), indices("val")
    held_out = test or val
    if not (train or held_out):
        return None
    if not train:
        return [index for index in place.values() if index not in {*test, *val}], held_out
    if not any(f"{key}_filenames" in shared for key in ("test", "val")):
        held_out = [index for index in place.values() if index not in set(train)]
    return train, held_out


def _chosen_splits(config: TokenGSDataParserConfig, names: Sequence[str]) -> tuple[list[int], list[int]]:
    everything = list(range(len(names)))
    if config.eval_mode == "all":
        return everything, everything
    if config.eval_mode == "filename":
        train, held_out = get_train_eval_split_filename(list(names))
        return [int(index) for index in train], [int(index) for index in held_out]
    if config.eval_mode == "fraction":
        parts = split_by_fraction(len(names), config.train_split_fraction)
        return parts.train, parts.test
    if len(names) < config.eval_interval:
        return everything, []
    parts = split_by_interval(len(names), config.eval_interval)
    return parts.train, parts.test


def _check_cameras_suffice(records: list[FrameRecord], first: Path) -> None:
    """Without any image a capture still serves to view, render or export a finished run, if it says the image size."""
    if any(recorded_size(record) is None for record in records):
        raise FileNotFoundError(
            f"none of the {len(records)} images that {records[0].file} lists exists; the first would be {first}. "
            "Check the file_path entries"
        )
    CONSOLE.log(f"[yellow]None of the images that {records[0].file} lists exists: only its cameras can be used")


def _frame(record: FrameRecord, image: Path) -> _Frame:
    recorded = recorded_size(record)
    if image.is_file():
        size = _pixels(record, image)
    else:
        assert recorded is not None  # checked before any frame is made
        size = (round(recorded[0]), round(recorded[1]))
    written_for = size if recorded is None else recorded
    lens = lens_of(record, *written_for).scaled(size[0] / written_for[0], size[1] / written_for[1])
    return _Frame(record, image, size, lens)


def _pixels(record: FrameRecord, image: Path) -> tuple[int, int]:
    """Width and height of an image as its intrinsics mean it: as stored, or turned by its EXIF entry."""
    stored, recorded = stored_size(image), recorded_size(record)
    if recorded is None or (recorded[0] - recorded[1]) * (stored[0] - stored[1]) >= 0:
        return stored
    if not is_turned(image):
        raise ValueError(
            f"{record} is recorded as {recorded[0]:g}x{recorded[1]:g}, but {image} is {stored[0]}x{stored[1]}; "
            "correct 'w' and 'h', or put back the images that the poses were made from"
        )
    return stored[1], stored[0]


def _cameras(frames: list[_Frame], poses: Tensor, times: np.ndarray | None) -> Cameras:
    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32)[:, None]

    size = torch.tensor([frame.size for frame in frames], dtype=torch.int32)
    kinds = [CameraType.FISHEYE if frame.lens.fisheye else CameraType.PERSPECTIVE for frame in frames]
    return Cameras(
        camera_to_worlds=poses,
        fx=column([frame.lens.fx for frame in frames]),
        fy=column([frame.lens.fy for frame in frames]),
        cx=column([frame.lens.cx for frame in frames]),
        cy=column([frame.lens.cy for frame in frames]),
        width=size[:, :1],
        height=size[:, 1:],
        distortion_params=torch.stack([distortion_of_lens(frame.lens) for frame in frames]),
        camera_type=kinds,
        times=None if times is None else torch.from_numpy(times).float(),
    )


def _automatic_factor(folder: Path, image: Path) -> int:
    longest, factor = max(stored_size(image)), 1
    while longest / factor > _LARGEST_AUTOMATIC_SIDE and (folder / f"images_{2 * factor}" / image.name).is_file():
        factor *= 2
    if factor > 1:
        CONSOLE.log(f"Reading images_{factor}: the full images are {longest} pixels long")
    return factor


def _from_original(shared: Mapping[str, Any], transform: Tensor) -> Tensor:
    """The [3, 4] transform from the coordinates before ns-process-data turned them, where it says how it did."""
    if "applied_transform" not in shared:
        return transform
    applied = torch.eye(4)
    applied[:3] = torch.tensor(shared["applied_transform"], dtype=torch.float32)[:3]
    return transform @ applied


def _slashed(file_path: str) -> Path:
    """One spelling for paths, whichever system they were written on."""
    return Path(file_path.replace("\\", "/"))


def _shortened(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


tokengs_data = DataParserSpecification(
    config=TokenGSDataParserConfig(),
    description="Captures as they are: missing frames, per-frame times and intrinsics, instant-ngp's form.",
)
