"""A capture on disk, looked through before any training: what is there, what is odd, what to change."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tokengs_nerfstudio.core.geometry.resize import fitted_size
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.capture.images import has_alpha, read_image, stored_size
from tokengs_nerfstudio.data.capture.lens import centred_window
from tokengs_nerfstudio.data.capture.transforms_json import read_transforms
from tokengs_nerfstudio.data.checkup import (
    CameraMeasures,
    Finding,
    PhotoMeasures,
    camera_findings,
    camera_measures,
    photo_findings,
    photo_measures,
    suggested_context,
)
from tokengs_nerfstudio.data.posing.other_forms import refuse_other_poses
from tokengs_nerfstudio.data.posing.photos import photo_files
from tokengs_nerfstudio.data.posing.posing import is_unposed
from tokengs_nerfstudio.data.posing.result import read_record
from tokengs_nerfstudio.data.posing.sfm import library
from tokengs_nerfstudio.data.posing.video import is_video
from tokengs_nerfstudio.data.view_sampler import spread_views

# Photos are looked at as large as tuning looks at them by default, no more of them than this.
_SIDE, _MOST = 512, 200


@dataclass
class Examination:
    """What was found. Not usable is what training would refuse or could make nothing of."""

    capture: str
    unposed: bool = False
    """photos, or a video, whose poses ns-train would find first"""
    listed: int = 0
    photos: list[PhotoMeasures] = field(default_factory=list)
    size: tuple[int, int] | None = None
    """(height, width) of most photos on disk"""
    held_out: int = 0
    cut_out: bool = False
    masked: bool = False
    cameras: CameraMeasures | None = None
    context: list[str] = field(default_factory=list)
    """the photos that the encoder should see"""
    findings: list[Finding] = field(default_factory=list)

    @property
    def found(self) -> int:
        """How many of the listed photos are there."""
        return self.cameras.count if self.cameras is not None else self.listed if self.unposed else 0

    @property
    def usable(self) -> bool:
        return all(finding.severity != "unusable" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        cameras = None if self.cameras is None else self.cameras.as_dict()
        plain = {"usable": self.usable, "found": self.found, "cameras": cameras}
        return {**asdict(self), "findings": [asdict(finding) for finding in self.findings], **plain}


def examine(path: Path, network: NetworkConfig) -> Examination:
    """The capture whose folder or JSON file is `path`, against weights; of photos or a video without poses what can be
    told without. Never raises for what is wrong with it."""
    if is_unposed(path) and read_record(path) is None:
        return _examine_unposed(path)
    result = Examination(str(path))
    with _said(result.findings):
        try:
            transforms = read_transforms(path)
            result.listed = len(transforms.frames)
            capture = NerfstudioCapture(transforms, max_size=_SIDE)
            result.size = capture.stored_size
            split = capture.split()
        except (ValueError, OSError) as error:
            result.findings.append(_unusable(error))
            return result
        result.held_out = len(split.test)
        _look_at_photos(capture, result)
    names = [Path(name).name for name in capture.file_names]
    result.cameras = camera_measures(_cameras(capture))
    result.findings += camera_findings(result.cameras, names, network)
    count = min(suggested_context(result.cameras, network), len(split.train))
    chosen = spread_views(capture.c2w[split.train], count)
    result.context = [names[split.train[int(place)]] for place in chosen]
    return result


def _examine_unposed(path: Path) -> Examination:
    result = Examination(str(path), unposed=True)
    with _said(result.findings):
        try:
            refuse_other_poses(path)
            if not is_video(path):
                _look_at_files(photo_files(path), result)
            library()
        except (ValueError, OSError) as error:
            result.findings.append(_unusable(error))
            return result
    said = f"without poses: ns-train tokengs --data {path} finds them first, as tokengs-pose {path} does"
    result.findings.insert(0, Finding("note", said, "once there are some, tokengs-doctor looks at the cameras too"))
    return result


def _look_at_files(files: list[Path], result: Examination) -> None:
    result.listed = len(files)
    width, height = Counter(map(stored_size, files)).most_common(1)[0][0]
    result.size = height, width
    result.cut_out = any(map(has_alpha, files))

    def look(index: int) -> PhotoMeasures:
        size = stored_size(files[index])
        tall, wide = fitted_size(size[1], size[0], _SIDE) if max(size) > _SIDE else size[::-1]
        pixels = read_image(files[index], centred_window(size, (wide, tall)), np.full(3, 0.5))
        return photo_measures(files[index].name, torch.from_numpy(pixels).permute(2, 0, 1))

    _measure(look, len(files), result)


def _unusable(error: Exception) -> Finding:
    return Finding("unusable", " ".join(str(error).split()))


def _cameras(capture: NerfstudioCapture) -> Views:
    height, width = capture.image_size
    shape = capture.c2w.new_zeros(1, 1, 1, 1).expand(len(capture), 3, height, width)
    return Views(shape, capture.c2w, capture.intrinsics)


def _look_at_photos(capture: NerfstudioCapture, result: Examination) -> None:
    def look(index: int) -> PhotoMeasures:
        views = capture.load([index])
        result.cut_out = result.cut_out or (views.alphas is not None and bool((views.alphas < 0.5).any()))
        result.masked = result.masked or views.masked
        return photo_measures(Path(capture.file_names[index]).name, views.images[0])

    _measure(look, len(capture), result)


def _measure(look: Callable[[int], PhotoMeasures], count: int, result: Examination) -> None:
    """Photos evenly chosen of so many; those that cannot be read are findings."""

    def tried(index: int) -> PhotoMeasures | Finding:
        try:
            return look(index)
        except (ValueError, OSError) as error:
            return _unusable(error)

    with ThreadPoolExecutor(max_workers=2) as pool:
        looks = list(pool.map(tried, range(0, count, -(-count // _MOST))))
    result.photos = [seen for seen in looks if isinstance(seen, PhotoMeasures)]
    result.findings += [seen for seen in looks if isinstance(seen, Finding)]
    plain = not (result.cut_out or result.masked)
    result.findings += photo_findings(result.photos) if plain else []


@contextmanager
def _said(findings: list[Finding]) -> Iterator[None]:
    """What the readers warn of, as findings."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            findings.append(Finding("warning", " ".join(record.getMessage().split())))

    log = logging.getLogger("tokengs_nerfstudio")
    handlers, propagate = log.handlers, log.propagate
    log.handlers, log.propagate = [Listener(logging.WARNING)], False
    try:
        yield
    finally:
        log.handlers, log.propagate = handlers, propagate
