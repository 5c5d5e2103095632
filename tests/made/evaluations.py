"""Small benchmarks, and what an evaluation leaves of them."""

import json
from pathlib import Path
from typing import Any

from made.captures import write_blobs, write_weights

from tokengs_nerfstudio.commands.evaluating import Evaluating
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.procedural.tracing import ProceduralScene
from tokengs_nerfstudio.evaluation.protocols import Framing, Scaling

WHOLE, OWN = Framing(None, 24, False), Scaling("own")
TIMES = ("encode_seconds", "decode_seconds", "tuning_seconds")


def write_captures(root: Path, frames: tuple[int, ...] = (6, 7, 8)) -> Path:
    """A capture for each number of frames, named after it."""
    for count in frames:
        write_blobs(root / f"blobs{count}", count=count, height=24, width=32)
    return root


def options(root: Path, **changes: Any) -> Evaluating:
    """An evaluation of `write_captures(root / "data")` with small random weights."""
    weights = root / "small.safetensors"
    if not weights.exists():
        write_weights(weights)
    usual: dict[str, Any] = {"preset": "captures", "data": root / "data", "checkpoint": str(weights)}
    usual |= {"output": root / "out", "short_side": 24, "device": "cpu", "threads": 1, "views": 3}
    return Evaluating(**{**usual, **changes})


def metrics(folder: Path) -> dict[str, Any]:
    """metrics.json without what no two runs have alike."""
    content = json.loads((folder / "metrics.json").read_text())
    for means in [content["mean"], *(record["means"] for record in content["scenes"])]:
        for name in TIMES:
            means.pop(name, None)
    return content


class Sequence(ProceduralScene):
    """A scene of so many frames that says which of them were loaded."""

    def __init__(self, frames: int = 12, seed: int = 3) -> None:
        super().__init__(seed, frames, 24, 32)
        self.loaded: list[list[int]] = []

    def load(self, indices: Any) -> Views:
        self.loaded.append(list(indices))
        return super().load(indices)


def record(scene: str, psnr: float, variant: str = "", **more: Any) -> dict[str, Any]:
    """What is known of a scene of two views."""
    means = {"psnr": psnr, "ssim": 0.5, "gaussians": 100, "encode_seconds": 0.25}
    views = {"psnr": [psnr - 1, psnr + 1], "ssim": [0.4, 0.6]}
    usual = {"scene": scene, "variant": variant, "context": [0, 1], "target": [2, 3], "means": means, "views": views}
    return {**usual, **more}


ABOUT = {
    "preset": "captures", "checkpoint": "tiny", "tuning": "none", "tuning_steps": 0, "scored": "all", "scenes": 2,
    "of_scenes": 3, "tokens": 16,
}  # fmt: skip
