"""The capture as a run had it, stored with its checkpoints: where its world lies, which photos were learned from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from nerfstudio.cameras.cameras import Cameras
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError, in_short
from tokengs_nerfstudio.core.fingerprint import changed, moved
from tokengs_nerfstudio.datamanager import SceneDataManager
from tokengs_nerfstudio.world_frame import WorldFrame


@dataclass(frozen=True)
class RunCapture:
    """The photos of a capture by their names in it, the cameras of all of them, and its frame."""

    frame: WorldFrame
    train: list[str]
    """what was learned from"""
    names: list[str]
    """of all photos, in the order of the cameras"""
    poses: Float[Tensor, "photo 3 4"]
    """nerfstudio's camera-to-worlds"""
    lenses: Float[Tensor, "photo 10"]
    times: Float[Tensor, " photo"] | None

    @classmethod
    def of(cls, data: SceneDataManager) -> "RunCapture":
        """What a data manager has of the capture now."""
        sides = (data.train_dataset, data.eval_dataset)
        train, evaluation = map(data.listed, sides)
        times = [side.cameras.times.flatten().cpu() for side in sides if side.cameras.times is not None]
        return cls(
            frame=WorldFrame.of(data.train_dataparser_outputs),
            train=train,
            names=[*train, *evaluation],
            poses=torch.cat([side.cameras.camera_to_worlds for side in sides]).cpu(),
            lenses=torch.cat([_lenses(side.given_cameras) for side in sides]),
            times=torch.cat(times) if len(times) == len(sides) else None,
        )

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values."""
        return {**vars(self), "frame": self.frame.numbers}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "RunCapture":
        """The one that a checkpoint has."""
        return cls(**{**state, "frame": WorldFrame.of_numbers(state["frame"])})

    def doubts(self, data: SceneDataManager) -> list[str]:
        """What of the capture is not as the run had it, in words; the data manager lies in the run's frame."""
        place = data.get_datapath()
        if not set(self.names) & set(RunCapture.of(data).names):
            return [f"{place} has none of the photos that the run began with: its world is taken for theirs"]
        return [doubt for doubt in (self._other_cameras(data), self._other_split(data)) if doubt is not None]

    def check_cameras(self, data: SceneDataManager) -> None:
        """UserError where photos have other cameras now than the run had."""
        said = self._other_cameras(data)
        if said is not None:
            raise UserError(said)

    def check_evaluation(self, data: SceneDataManager) -> None:
        """UserError where photos have other cameras now, or are held out though they were learned from."""
        self.check_cameras(data)
        said = self._other_split(data)
        if said is not None:
            raise UserError(said)

    def num_held_out(self, data: SceneDataManager) -> int:
        """How many photos that are evaluated on now were not learned from; none where only some were not."""
        return 0 if self._learned_from(data) else len(set(data.photos[1]))

    def _other_cameras(self, data: SceneDataManager) -> str | None:
        different = self._difference(RunCapture.of(data))
        if different is None:
            return None
        return f"{data.get_datapath()} has {different} than the run began with; put them back, or train again"

    def _other_split(self, data: SceneDataManager) -> str | None:
        """What to say of photos to evaluate on that were learned from, where the run held some out, or not all were."""
        learned, count, held_out = self._learned_from(data), len(data.eval_dataset), set(self.names) - set(self.train)
        if not learned or (len(learned) == count and not held_out):
            return None
        return (
            f"the split of {data.get_datapath()} is not that of the run: it was made from {len(learned)} of the "
            f"{count} photos to be evaluated on ({in_short(learned)}); restore the split, or train again"
        )

    def _learned_from(self, data: SceneDataManager) -> list[str]:
        """Which photos that are evaluated on now were learned from, whatever they are called now."""
        train, evaluation = (data.listed(side) for side in (data.train_dataset, data.eval_dataset))
        files, to_evaluate = data.photos
        named = zip([*train, *evaluation], [*files, *to_evaluate])
        then = set(self.train)
        known = {file for name, file in named if name in then}
        return [name for name, file in zip(evaluation, to_evaluate) if file in known]

    def _difference(self, now: "RunCapture") -> str | None:
        """Which cameras of photos that are in both are others `now`, in nerfstudio's world; None where none is."""
        then, here = (dict(zip(part.names, range(len(part.names)))) for part in (self, now))
        common = [name for name in then if name in here]
        if not common:
            return None
        before, after = ([part[name] for name in common] for part in (then, here))
        checks = (
            ("poses", moved(now.poses[after], self.poses[before])),
            ("intrinsics", changed(now.lenses[after], self.lenses[before])),
            ("times", changed(_chosen(now.times, after), _chosen(self.times, before))),
        )
        for what, others in checks:
            if others.any():
                named = [name for name, other in zip(common, others.tolist()) if other]
                return f"other camera {what} of {len(named)} photos ({in_short(named)})"
        return None


def _chosen(times: Float[Tensor, " photo"] | None, positions: list[int]) -> Float[Tensor, " photo"]:
    """Those of photos of one time are 0."""
    return torch.zeros(len(positions)) if times is None else times[positions]


def _lenses(cameras: Cameras) -> Float[Tensor, "photo 10"]:
    """fx, cx in widths and fy, cy in heights of the photo, of whatever size it is read, and six of distortion."""
    width, height = cameras.width.float(), cameras.height.float()
    plain = torch.cat([cameras.fx / width, cameras.cx / width, cameras.fy / height, cameras.cy / height], dim=-1)
    bent = cameras.distortion_params
    return torch.cat([plain, plain.new_zeros(len(plain), 6) if bent is None else bent.to(plain)], dim=-1).cpu()
