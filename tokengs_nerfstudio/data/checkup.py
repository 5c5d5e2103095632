"""What photos and cameras of one scene look like to the method before any training: measures, and what is odd."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.footprint import seen_by
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.tuning.plane_sweep import focus_distance
from tokengs_nerfstudio.core.types import Views

# Shares of the capture's median sharpness and brightness beyond which a photo differs from the others.
_BLURRED, _TIMES_AS_BRIGHT, _VARYING = 0.6, 1.6, 1.25
# Share of pixels that are black or white, and the least contrast of a photo that shows something.
_CLIPPED, _LEAST_CONTRAST = 0.5, 0.01
# Degrees of the shorter side: what weights are trained with (data/procedural), and what no lens has.
_TRAINED_FOV, _POSSIBLE_FOV = (16.0, 75.0), (2.0, 150.0)
# Degrees between axes up to which they count as parallel, from which they cannot part by chance, and from which the
# subject is gone round.
_PARALLEL, _APART, _ROUND = 3.0, 30.0, 85.0
_OFF_CENTRE, _ANISOTROPY = 0.15, 1.05
# From so many photos one is left out of the tuning, by which it stops.
_FEW = 9
# Of more photos so many are looked at before a training, evenly chosen.
_MOST = 64


@dataclass(frozen=True)
class Finding:
    """Something a user should know, and what to do about it; text has no line breaks."""

    severity: Literal["note", "warning", "unusable"]
    text: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.text}: {self.advice}" if self.advice else self.text


@dataclass(frozen=True)
class PhotoMeasures:
    """One photo: what makes it differ from the others, at the size that it is looked at."""

    name: str
    sharpness: float
    """mean second difference of its grey values over the mean first one: independent of exposure and contrast"""
    brightness: float
    """mean of linear light, 1 for white"""
    clipped: float
    """share of the pixels that are black or white in all channels"""
    contrast: float
    """standard deviation of grey values"""


def photo_measures(name: str, image: Float[Tensor, "3 height width"]) -> PhotoMeasures:
    """The measures of a photo in [0, 1]."""
    grey = image.mean(0)
    across, down = grey[:, 1:] - grey[:, :-1], grey[1:] - grey[:-1]
    second = (across[:, 1:] - across[:, :-1]).abs().mean() + (down[1:] - down[:-1]).abs().mean()
    first = across.abs().mean() + down.abs().mean()
    clipped = (image >= 0.99).all(0) | (image <= 0.01).all(0)
    return PhotoMeasures(
        name=name,
        sharpness=float(second / first.clamp(min=1e-6)),
        brightness=float(grey.clamp(min=0).pow(2.2).mean()),
        clipped=float(clipped.float().mean()),
        contrast=float(grey.std()),
    )


def photo_findings(measures: Sequence[PhotoMeasures]) -> list[Finding]:
    """What is odd about photos of one scene; nothing is said of masks or cut-outs."""
    if not measures:
        return []
    findings = []
    flat = [photo.name for photo in measures if photo.contrast < _LEAST_CONTRAST]
    if flat:
        said = f"{_photos(flat)} of one colour"
        findings.append(
            Finding("unusable" if len(flat) == len(measures) else "warning", said, "replace or remove them")
        )
    shown = [photo for photo in measures if photo.contrast >= _LEAST_CONTRAST]
    sharp = _median([photo.sharpness for photo in shown])
    blurred = [photo.name for photo in shown if photo.sharpness < _BLURRED * sharp]
    if blurred:
        findings.append(Finding("warning", f"{_photos(blurred)} much less sharp than the others", "leave them out"))
    middle = max(_median([photo.brightness for photo in shown]), 1e-6)
    ratios = {photo.name: photo.brightness / middle for photo in shown}
    odd = [name for name, ratio in ratios.items() if not 1 / _TIMES_AS_BRIGHT < ratio < _TIMES_AS_BRIGHT]
    varying = [name for name, ratio in ratios.items() if not 1 / _VARYING < ratio < _VARYING]
    exposure = "--pipeline.model.tuning.cameras.exposure-rate 3e-3 evens out exposures"
    if odd:
        findings.append(Finding("warning", f"{_photos(odd)} much brighter or darker than the others", exposure))
    elif len(varying) > len(shown) / 3:
        findings.append(Finding("note", f"brightness varies in {len(varying)} of {len(shown)} photos", exposure))
    clipped = [photo.name for photo in shown if photo.clipped > _CLIPPED]
    if clipped:
        said = f"more than half of the pixels of {_in_short(clipped)} are black or white"
        findings.append(Finding("note", said, "masks or transparent photos leave a plain background out"))
    return findings


@dataclass(frozen=True)
class CameraMeasures:
    """The cameras of a capture, all of them."""

    count: int
    fov_short: tuple[float, float]
    """degrees of the shorter side, smallest and largest"""
    axes_apart: float
    """degrees, between the two viewing directions that differ most"""
    baseline: float
    """largest distance between two cameras, in the capture's units"""
    distance: float | None
    """of what the cameras look at, in baselines; None where their axes are parallel or part"""
    seen_by: tuple[int, ...]
    """for each camera, how many others see the point it looks at"""
    outward: bool
    """whether the axes meet behind the cameras"""
    principal: float
    """largest distance of a principal point from the centre, as a share of the side"""
    anisotropy: float
    """largest ratio of the two focal lengths"""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "fov_short": list(self.fov_short), "seen_by": list(self.seen_by)}


def camera_measures(views: Views) -> CameraMeasures:
    """The measures of views of one scene, of which only cameras and size are looked at."""
    c2w, intrinsics = views.c2w, views.intrinsics
    centers, axes = c2w[:, :3, 3], F.normalize(c2w[:, :3, 2], dim=-1)
    distances = torch.cdist(centers, centers)
    baseline = float(distances.max())
    apart = float(torch.rad2deg((axes @ axes.mT).clamp(-1, 1).min().acos()))
    focal = torch.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], dim=-1)
    size = focal.new_tensor([views.width, views.height])
    fov = torch.rad2deg(2 * torch.atan(size / (2 * focal))).amin(-1)
    off = ((intrinsics[:, :2, 2] - size / 2) / size).abs().max()
    ratio = focal[:, 0] / focal[:, 1]
    outward = apart > _APART and _behind(centers, axes) > 0.8
    meets = baseline > 0 and apart > _PARALLEL and not outward
    reach = focus_distance(c2w)
    return CameraMeasures(
        count=len(c2w),
        fov_short=(float(fov.min()), float(fov.max())),
        axes_apart=apart,
        baseline=baseline,
        distance=reach / baseline if meets else None,
        seen_by=tuple(_seen_by(views, centers + reach * axes)),
        outward=outward,
        principal=float(off),
        anisotropy=float(torch.maximum(ratio, 1 / ratio).max()),
    )


def _behind(centers: Float[Tensor, "view 3"], axes: Float[Tensor, "view 3"]) -> float:
    """The share of the cameras that have the point nearest to all axes behind them."""
    across = torch.eye(3).to(axes) - axes[:, :, None] * axes[:, None, :]
    system = across.sum(0) + 1e-4 * torch.eye(3).to(axes)
    focus = torch.linalg.solve(system, (across @ centers[..., None]).sum(0))[:, 0]
    return float((((focus - centers) * axes).sum(-1) < 0).float().mean())


def _seen_by(views: Views, points: Float[Tensor, "view 3"]) -> list[int]:
    seen, _ = seen_by(points, views)
    return (seen.sum(0) - seen.diagonal().long()).tolist()


def camera_findings(measures: CameraMeasures, names: Sequence[str], network: NetworkConfig) -> list[Finding]:
    """What is odd about cameras, in itself and against what weights know."""
    return [*_lens_findings(measures), *_pose_findings(measures, names, network)]


def _lens_findings(measures: CameraMeasures) -> list[Finding]:
    findings, (low, high) = [], measures.fov_short
    sides = f"{low:.1f}" if high - low < 0.1 else f"{low:.1f} to {high:.1f}"
    if not _POSSIBLE_FOV[0] <= low <= high <= _POSSIBLE_FOV[1]:
        said = f"the field of view of the shorter side is {sides} degrees, which no lens has"
        findings.append(Finding("unusable", said, "correct fl_x, fl_y, w and h of the capture"))
    elif not _TRAINED_FOV[0] <= low <= high <= _TRAINED_FOV[1]:
        said = f"the field of view of the shorter side is {sides} degrees; weights know {_TRAINED_FOV[0]:.0f} to 75"
        findings.append(Finding("warning", said, "check the focal length; if it is right, tune longer"))
    if measures.principal > _OFF_CENTRE:
        said = f"a principal point is {100 * measures.principal:.0f} % of the side away from the centre"
        findings.append(Finding("warning", said, "check cx and cy, unless photos were cropped on one side"))
    if measures.anisotropy > _ANISOTROPY:
        said = f"focal lengths in x and y differ by {100 * (measures.anisotropy - 1):.0f} %"
        findings.append(Finding("warning", said, "check fl_x, fl_y, w and h: pixels are square nearly always"))
    return findings


def _pose_findings(measures: CameraMeasures, names: Sequence[str], network: NetworkConfig) -> list[Finding]:
    findings = []
    count, needed = measures.count, network.num_context
    if count < 3:
        few = f"{count} photo{'s' if count > 1 else ''}: shape cannot be told from so few"
        findings.append(Finding("warning", few, "take more, from all around the subject"))
    elif count < max(_FEW, needed):
        said = f"{count} photos: none can be left out to stop the tuning by, and {needed} are what the network looks at"
        findings.append(Finding("note", said, f"{_FEW} and more are better"))
    if count > 1 and measures.baseline == 0:
        said = "all cameras are in one place: nothing tells depth"
        findings.append(Finding("unusable", said, "find the poses first (ns-process-data)"))
        return findings
    if measures.outward:
        said = "the cameras look away from each other"
        advice = "if they went round a subject, the axes are wrong: transforms.json wants OpenGL's (y up, z back)"
        findings.append(Finding("warning", said, advice))
    if measures.distance is not None and measures.distance > 10:
        said = f"what the cameras look at is {measures.distance:.0f} times as far as they are apart: little parallax"
        findings.append(Finding("warning", said, "move sideways between photos, a tenth of the distance or more"))
    alone = [name for name, others in zip(names, measures.seen_by) if others == 0]
    if count > 1 and len(alone) == count and not measures.outward:
        findings.append(Finding("warning", "no photo shows what another one looks at", "check the poses, or take more"))
    elif 0 < len(alone) < count:
        findings.append(
            Finding("warning", f"{_photos(alone)} alone in what they look at", "take more photos near them")
        )
    if measures.axes_apart > _ROUND and count < 12 and not measures.outward:
        said = f"{count} photos for directions {measures.axes_apart:.0f} degrees apart are few"
        findings.append(Finding("note", said, "one every 10 to 15 degrees is better"))
    return findings


def warnings(views: Views, names: Sequence[str], network: NetworkConfig) -> list[Finding]:
    """What is odd about one scene's views, called `names`, notes left out; of masked and cut-out ones about cameras."""
    found = camera_findings(camera_measures(views), names, network)
    if not (views.masked or views.cut_out):
        some = range(0, views.num_views, -(-views.num_views // _MOST))
        found += photo_findings([photo_measures(names[index], views.select([index]).images[0]) for index in some])
    return [finding for finding in found if finding.severity != "note"]


def suggested_context(measures: CameraMeasures, network: NetworkConfig) -> int:
    """How many photos the network should see: as it was trained, half as many again where a subject is gone round."""
    wide = measures.axes_apart > _ROUND and measures.count >= 12
    return min(measures.count, network.num_context * 3 // 2 if wide else network.num_context)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0


def _photos(names: Sequence[str]) -> str:
    return f"{_in_short(names)} {'is' if len(names) == 1 else 'are'}"


def _in_short(names: Sequence[str]) -> str:
    few = ", ".join(names[:3])
    return few if len(names) <= 3 else f"{few} and {len(names) - 3} more photos"
