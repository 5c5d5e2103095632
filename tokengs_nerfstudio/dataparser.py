"""`tokengs-data`: captures in nerfstudio's or instant-ngp's transforms.json as they really are.

nerfstudio imports this module while its own configuration modules are still loading: it may import nothing that leads
to nerfstudio's data managers, models or method configurations.
"""

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from nerfstudio.cameras.camera_utils import auto_orient_and_center_poses
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox
from nerfstudio.plugins.registry_dataparser import DataParserSpecification
from nerfstudio.utils.rich_utils import CONSOLE
from numpy import ndarray
from torch import Tensor

from tokengs_nerfstudio.bridge import distortion_of_lens, nerfstudio_poses
from tokengs_nerfstudio.commands.progress import display
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.ranges import Length, Range
from tokengs_nerfstudio.data.capture.depths import depth_paths, depth_unit
from tokengs_nerfstudio.data.capture.frames import CaptureFrame, CaptureFrames, read_frames
from tokengs_nerfstudio.data.capture.points import capture_points
from tokengs_nerfstudio.data.capture.poses import offset_and_unit
from tokengs_nerfstudio.data.capture.split import SplitRule
from tokengs_nerfstudio.data.capture.transforms_json import (
    APPLIED,
    Transforms,
    applied_before,
    in_brief,
    one_spelling,
    read_transforms,
)
from tokengs_nerfstudio.data.opening import capture_at
from tokengs_nerfstudio.data.posing.posing import is_unposed

Orientation = Literal["pca", "up", "vertical", "none"]

# nerfstudio's own, two or three with every command, before anything is done: who reads them can mend nothing.
warnings.filterwarnings("ignore", message=r"`torch\.cuda\.amp\.", category=FutureWarning)


@dataclass
class TokenGSDataParserConfig(DataParserConfig):
    """Captures in the transforms.json form of nerfstudio or instant-ngp."""

    _target: type = field(default_factory=lambda: TokenGSDataParser)
    data: Path = Path()
    """Folder with a transforms.json, or a JSON file of that form. Or a folder of photos or a video without poses, which
    are found first (with pycolmap). Or one scene of a data set, which is unpacked first: a DL3DV zip, CHUNK.torch#KEY
    of RealEstate10K, or a folder of Kubric 4D's tars."""
    downscale_factor: Annotated[float, Range(1)] | None = None
    """Read images_N instead of images; where there is no such folder, images N times as small. If not set: the first
    folder whose photos' longer side is at most 1600 pixels."""
    eval_mode: Literal["interval", "fraction", "filename", "all"] = "interval"
    """How images are held out for evaluation where the capture does not name them itself (train_filenames):
    every eval_interval-th, a fraction, by "train" or "eval" in the file name, or none (all serve both ends)."""
    eval_interval: Annotated[int, Range(2)] = 8
    """Every so many images one is held out, in order of file name. A capture with fewer images is used whole."""
    train_split_fraction: Annotated[float, Range(0, 1, above=True)] = 0.9
    """Share of the images to reconstruct from, where eval_mode is fraction."""
    orientation_method: Orientation = "up"
    """How the world is turned."""
    center_method: Literal["poses", "focus", "none"] = "poses"
    """Where the world's origin is put."""
    auto_scale_poses: bool = True
    """Scale the world so that all cameras lie within +-1."""
    scale_factor: Length = 1.0
    """Further factor on the camera positions."""


class TokenGSDataParser(DataParser):
    """`data.capture` in nerfstudio's terms: cameras in its frame, oriented, centred and scaled as it likes them.

    The file and the headers of its photos are read once, when the first outputs are asked for.
    """

    config: TokenGSDataParserConfig  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, config: TokenGSDataParserConfig):
        super().__init__(config)
        self.downscale_factor, self.reduction = self._reading(config.downscale_factor)

    def _reading(self, factor: float | None) -> tuple[int | None, float]:
        """The N of the folder images_N to read, and how often smaller its photos are to be seen than they are.

        `ns-render dataset` asks for 2.0 where 2 was typed, and for factors that no folder was made for.
        """
        if factor is None:
            return None, 1.0
        if not 0 < factor < float("inf"):
            raise UserError(f"--downscale-factor {factor:g}: pictures can be 2, 4, ... times as small, not {factor:g}")
        data = self.config.data
        folder = data.parent if data.suffix == ".json" else data
        if factor == 1 or (factor == int(factor) and (folder / f"images_{int(factor)}").is_dir()):
            return int(factor), 1.0
        return 1, float(factor)

    @property
    def includes_time(self) -> bool:  # type: ignore[override]
        """Whether every frame has a time. Never raises: nerfstudio asks before anything is loaded."""
        if is_unposed(self.config.data):  # takes its while later, where what goes wrong is said
            return False
        try:
            frames = self._transforms.frames
        except (FileNotFoundError, ValueError):
            return False
        return all("time" in frame.own for frame in frames)

    @cached_property
    def _transforms(self) -> Transforms:
        with display(CONSOLE) as shown:
            return read_transforms(capture_at(self.config.data, shown.say, shown.update))

    @cached_property
    def _capture(self) -> CaptureFrames:
        # A finished run is viewed, rendered and exported without photos.
        return read_frames(self._transforms, self.downscale_factor, cameras_suffice=True)

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        poses, transform, scale = self._place()
        rows, applied_scale = applied_before(self._transforms)
        applied = torch.tensor(rows)
        positions = self._positions(split)
        frames = [self._capture.frames[position] for position in positions]
        masks = [frame.mask for frame in frames if frame.mask is not None]
        shared = self._transforms.shared
        return _Outputs(
            image_filenames=[frame.image for frame in frames],
            cameras=_cameras(frames, poses[positions]),
            scene_box=SceneBox(aabb=torch.tensor([[-1.0] * 3, [1.0] * 3])),
            # Photos that are held out may do without masks, which nobody looks at.
            mask_filenames=masks if len(masks) == len(frames) else None,
            dataparser_scale=scale * applied_scale,
            dataparser_transform=_from_original(applied, applied_scale, transform),
            metadata={
                "file_paths": [one_spelling(frame.file_path) for frame in frames],
                **{name: shared[name] for name in APPLIED if name in shared},
                **({**self._points(transform, scale), **self._depths(frames)} if split == "train" else {}),
            },
        )

    def _points(self, transform: Tensor, scale: float) -> dict[str, Tensor]:
        """The capture's points in nerfstudio's frame, by the names that nerfstudio's dataparsers give them."""
        found = capture_points(self._transforms)
        if found is None:
            return {}
        exact = transform.double()
        places = scale * (found.places @ exact[:, :3].mT + exact[:, 3])
        return {"points3D_xyz": places.float(), "points3D_rgb": (255 * found.colors).round().to(torch.uint8)}

    def _depths(self, frames: list[CaptureFrame]) -> dict[str, Any]:
        """Depth files and their unit, by nerfstudio's names; where some photos have none, these have None."""
        paths = depth_paths([frame.record for frame in frames])
        unit = depth_unit(self._transforms)
        return {"depth_filenames": paths, "depth_unit_scale_factor": unit} if any(paths) else {}

    def _positions(self, split: str) -> list[int]:
        """The frames of a split in order of file name. Where nothing is held out, the evaluation splits are the train
        split: nerfstudio cannot do without cameras there."""
        config = self.config
        parts = self._capture.split(SplitRule(config.eval_mode, config.eval_interval, config.train_split_fraction))
        return parts.test if parts.test and split != "train" else parts.train

    def _place(self) -> tuple[Tensor, Tensor, float]:
        """All poses [frame, 3, 4] in nerfstudio's frame, the [3, 4] transform into it and the scale."""
        config = self.config
        placed = np.stack([frame.c2w for frame in self._capture.frames])
        offset, unit = offset_and_unit(placed[:, :3, 3])
        if config.center_method == "none":
            offset = np.zeros(3)
        placed[:, :3, 3] = (placed[:, :3, 3] - offset) * unit
        c2w = torch.from_numpy(placed).float()
        poses = torch.cat([nerfstudio_poses(c2w), c2w[:, 3:]], dim=1)
        poses, transform = auto_orient_and_center_poses(
            poses, method=self._orientation(), center_method=config.center_method
        )
        scale = config.scale_factor / unit
        extent = float(poses[:, :3, 3].abs().max())
        if config.auto_scale_poses and extent > 1e-6:  # one view, or all from one place: there is no extent
            scale = config.scale_factor / extent
            poses[:, :3, 3] *= scale
            scale *= unit
        else:
            poses[:, :3, 3] *= scale
            scale = config.scale_factor
        return poses[:, :3], _of_the_world(transform, offset, unit), scale

    def _orientation(self) -> Orientation:
        """As the options say, unless the capture says otherwise."""
        said = self._transforms.shared.get("orientation_override")
        if said is None:
            return self.config.orientation_method
        known = get_args(Orientation)
        if said not in known:
            raise UserError(
                f"'orientation_override' of {self._transforms.file} must be one of {', '.join(known)}, "
                f"got {in_brief(said)}"
            )
        return said


def _of_the_world(transform: Tensor, offset: Float[ndarray, "3"], unit: float) -> Tensor:
    """The transform of positions as they are, from that of positions without an offset and in another unit.

    It has 64 bits where there is an offset, which 32 bits could not say.
    """
    exact = transform.double()
    exact[:, 3] = exact[:, 3] / unit - exact[:, :3] @ torch.from_numpy(offset)
    return exact if offset.any() else exact.float()


@dataclass
class _Outputs(DataparserOutputs):
    """Outputs whose transform may have 64 bits."""

    def transform_poses_to_original_space(
        self, poses: Tensor, camera_convention: Literal["opengl", "opencv"] = "opencv"
    ) -> Tensor:
        return super().transform_poses_to_original_space(poses.to(self.dataparser_transform), camera_convention)


def _cameras(frames: list[CaptureFrame], poses: Tensor) -> Cameras:
    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32)[:, None]

    lenses = [frame.lens for frame in frames]
    size = torch.tensor([frame.size for frame in frames], dtype=torch.int32)
    times = [frame.time for frame in frames if frame.time is not None]
    return Cameras(
        camera_to_worlds=poses,
        fx=column([lens.fx for lens in lenses]),
        fy=column([lens.fy for lens in lenses]),
        cx=column([lens.cx for lens in lenses]),
        cy=column([lens.cy for lens in lenses]),
        width=size[:, :1],
        height=size[:, 1:],
        distortion_params=torch.stack([distortion_of_lens(lens) for lens in lenses]),
        camera_type=[CameraType.FISHEYE if lens.fisheye else CameraType.PERSPECTIVE for lens in lenses],
        times=torch.tensor(times) if times else None,
    )


def _from_original(applied: Tensor, applied_scale: float, transform: Tensor) -> Tensor:
    """The [3, 4] transform from the coordinates before ns-process-data turned and scaled them.

    With x' = s A(x) of the file and scale * T(x') of the run that is T(s A(x)) / s, for the scale is s times as large.
    """
    turned = torch.cat([applied, torch.tensor([[0.0, 0.0, 0.0, 1.0]])]).to(transform)
    shift = transform[:, 3:] / applied_scale
    return torch.cat([transform[:, :3], shift], dim=1) @ turned


tokengs_data = DataParserSpecification(
    config=TokenGSDataParserConfig(),
    description="Captures as they are: missing frames, per-frame times and intrinsics, instant-ngp's form.",
)
