"""A run of ns-train on disk, read without nerfstudio: its Gaussians, and where they lie in which frame."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.errors import MissingFileError, UserError, content_of
from tokengs_nerfstudio.core.splat_parameters import baked_scene
from tokengs_nerfstudio.core.types import Cameras, RenderConfig, Similarity

Frame = Literal["capture", "nerfstudio", "network"]
"""the capture's own world before anybody turned it, nerfstudio's, the canonical one that the network worked in"""
FRAMES: tuple[Frame, ...] = get_args(Frame)

MODELS = "nerfstudio_models"
"""the folder in a run's that nerfstudio keeps checkpoints in"""

_CHECKPOINT = re.compile(r"step-(\d+)\.ckpt")
_MODEL, _GAUSSIANS = "_model.", "_model.gauss_params."
# By how much the axes of a transform may miss being orthonormal, by rounding.
_MOST_BENT = 1e-3


def into_capture(transform: Float[Tensor, "3 4"], scale: float, of: object, otherwise: str) -> Similarity:
    """Where nerfstudio's world lies in a capture's own, with 64 bits, by the dataparser's transform and the scale that
    follows it.

    UserError that names what it is `of` and what to do `otherwise`, where that world is no turned and scaled one.
    """
    exact = transform.double().cpu()
    turn = exact[:, :3]
    bent = float((turn @ turn.mT - torch.eye(3, dtype=torch.float64)).abs().max())
    if not bent < _MOST_BENT or torch.linalg.det(turn) < 0:
        raise UserError(
            f"{of}: the capture's own world is sheared or mirrored in nerfstudio's, which Gaussians cannot be; "
            f"{otherwise}"
        )
    return Similarity(turn, exact[:, 3], exact.new_tensor(scale)).inverse()


def steps_in(folder: Path) -> dict[int, str]:
    """The names of the checkpoints in a folder of nothing else, by their step."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return {int(name[1]): name[0] for name in map(_CHECKPOINT.fullmatch, names) if name}


def newest_checkpoint(
    folder: Path,
    step: int | None = None,
    wanted: str = "nothing to resume at",
    otherwise: str = "start anew without --load-dir",
) -> Path:
    """The last checkpoint in `folder` (a run's, or its nerfstudio_models), or that of `step`.

    MissingFileError that says why there is none, between what was `wanted` and what to do `otherwise`.
    """
    inner = folder / MODELS
    folder = inner if inner.is_dir() else folder
    found = steps_in(folder)
    if not found:
        reason = "no complete checkpoint in it" if folder.is_dir() else "there is no such folder"
        if any((run / "config.yml").is_file() for run in (folder, folder.parent)):
            reason = "that run ended before its first checkpoint was complete"
        raise MissingFileError(f"{wanted} {folder}: {reason}; {otherwise}")
    if step is not None and step not in found:
        raise MissingFileError(f"no checkpoint of step {step} in {folder}; there are those of {sorted(found)}")
    return folder / found[max(found) if step is None else step]


@dataclass(frozen=True)
class FinishedRun:
    """What the checkpoint of a run says of its scene."""

    checkpoint: Path
    baked: BakedScene
    """in nerfstudio's world"""
    record: Mapping[str, Any]
    """what stood under `scene`: see TokenGSPipeline.state_of_tuning; runs of older versions have less or nothing"""
    confidence: Tensor | None = None
    """of each Gaussian; None for a scene that moves, and for runs of older versions"""

    def from_nerfstudio(self, frame: Frame) -> Similarity:
        """Where nerfstudio's world lies in `frame`, with 64 bits.

        UserError for runs that do not say it, and where the capture's world is no turned and scaled one.
        """
        if frame == "nerfstudio":
            return Similarity.identity(dtype=torch.float64)
        if frame == "network":
            numbers = self._of_record("content", f"--frame {FRAMES[0]} or --frame {FRAMES[1]}")["frame"].double()
            return Similarity(numbers[:9].reshape(3, 3), numbers[9:12], numbers[12])
        transform = self._of_record("dataparser_transform", "--frame nerfstudio")
        return into_capture(transform, self.record["dataparser_scale"], self.checkpoint, "give --frame nerfstudio")

    @property
    def context(self) -> Cameras:
        """The cameras of the photos that the encoder saw, in nerfstudio's world. UserError for runs without."""
        c2w = self._of_record("context_c2w", "export a file (.ply) for a viewer of your own")
        height, width = self.record["context_size"]
        return Cameras(c2w, self.record["context_intrinsics"], int(width), int(height))

    @property
    def context_times(self) -> list[float]:
        """When those photos were taken, in [0, 1] over the capture. UserError for a scene that stands still."""
        if not self.baked.times:
            raise UserError(f"{self.checkpoint}: the scene of this run stands still, there is one time alone")
        return list(self._of_record("context_times", "give a camera path"))

    @property
    def capture(self) -> Path | None:
        """Where the capture was when the run began; None for runs that do not say it."""
        place = self.record.get("capture")
        return None if place is None else Path(place)

    def _of_record(self, name: str, otherwise: str) -> Any:
        if self.record.get(name) is None:
            raise UserError(
                f"{self.checkpoint} is of an older version, or of another method, and does not say {_MEANING[name]}: "
                f"{otherwise}, or train again"
            )
        return self.record[name]


_MEANING = {
    "content": "which frame the network worked in",
    "dataparser_transform": "where the capture's own world is",
    "context_c2w": "from where its photos were taken",
    "context_times": "when its photos were taken",
}


def read_run(run: Path) -> FinishedRun:
    """The run whose folder, config.yml, nerfstudio_models or checkpoint is `run`; its newest checkpoint is read alone.

    MissingFileError where there is none, UserError for what is no checkpoint of this method.
    """
    if run.suffix == ".ckpt" and run.is_file():
        checkpoint = run
    else:
        folder = run.parent if run.name == "config.yml" else run
        checkpoint = newest_checkpoint(folder, None, "no finished run at", "name the folder that has its config.yml")
    with content_of(checkpoint, "a checkpoint of `ns-train tokengs`", "name another run"):
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state = saved["pipeline"]
        parameters = {name.removeprefix(_GAUSSIANS): value for name, value in state.items() if _GAUSSIANS in name}
        # Runs of version 0.1 do not say how they are rendered: as is usual.
        rendering = RenderConfig.of_numbers(state.get(f"{_MODEL}_extra_state", {}))
        baked = baked_scene(parameters, rendering)
    return FinishedRun(checkpoint, baked, saved.get("tuning", {}).get("scene", {}), parameters.get("confidence"))
