"""What a run was made of: stored with its checkpoints, compared when it goes on, and looked for when it is viewed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs

from tokengs_nerfstudio.core.checkpoint.loading import network_config
from tokengs_nerfstudio.core.checkpoint.registry import is_here
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.fingerprint import Fingerprint
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.capture.transforms_json import APPLIED


@dataclass(frozen=True)
class RunContent:
    """What decides the Gaussians of a run; empty for one that is only looked at.

    `identity` is said in words when it differs, `record` is only for those who view and export, the fingerprint is of
    all that is read from files.
    """

    identity: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: Fingerprint | None = None

    @classmethod
    def of(
        cls,
        identity: Mapping[str, Any],
        capture: Path,
        outputs: DataparserOutputs,
        context: Views,
        near_far: Sequence[float],
        fingerprint: Fingerprint,
    ) -> "RunContent":
        """Of a run that begins: `capture` is where its photos are, `outputs` are the dataparser's, `context` the photos
        that the encoder sees in nerfstudio's world with OpenCV axes, `near_far` the planes there."""
        record = {"capture": str(capture.absolute()), **_placed(outputs), **_cameras(context), "near_far": near_far}
        return cls(identity, record, fingerprint)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values."""
        content = {} if self.fingerprint is None else {"content": self.fingerprint.state_dict()}
        return {**self.identity, **self.record, **content}

    def check(self, saved: Mapping[str, Any]) -> None:
        """UserError that says what of photos, cameras, weights and frame is not as it was in the run to resume."""
        again = "resume with the same capture, weights and flags, or start anew without --load-dir"
        for name, value in self.identity.items():
            if name != "checkpoint" and saved[name] != value:
                raise UserError(f"the run to resume had {name} {saved[name]}, now it is {value}: {again}")
        before = saved.get("content")
        if before is None or self.fingerprint is None:
            return
        difference = self.fingerprint.difference(before)
        if difference is not None:
            said = f" (it had {saved['checkpoint']!r})" if "weights" in difference else ""
            raise UserError(f"what the run to resume was made of has changed: {difference}{said}; {again}")


def weights_still_here(name: str, photos: Sequence[Path]) -> NetworkConfig | None:
    """What a finished run was made with, where its weights and photos are still on this machine and sound."""
    if not is_here(name) or not all(photo.is_file() for photo in photos):
        return None
    try:
        return network_config(name)
    except UserError:
        return None


def _placed(outputs: DataparserOutputs) -> dict[str, Any]:
    """Where the capture's world lies in nerfstudio's: the transform [3, 4], and the scale that follows it."""
    applied = {name: outputs.metadata[name] for name in APPLIED if name in outputs.metadata}
    transform = outputs.dataparser_transform.detach().clone()
    return {"dataparser_transform": transform, "dataparser_scale": float(outputs.dataparser_scale), **applied}


def _cameras(context: Views) -> dict[str, Any]:
    """Those of the photos that the encoder saw, in nerfstudio's world with OpenCV axes."""
    return {
        "context_c2w": context.c2w.clone(),
        "context_intrinsics": context.intrinsics.clone(),
        "context_size": [context.height, context.width],
        "context_times": None if context.times is None else context.times.tolist(),
    }
