"""What `tokengs-pretrain` can be told, and what its run remembers between two starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import Precision
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.precision import PrecisionChoice
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig

FINETUNINGS = {f"finetune-{views}view": views for views in (2, 4, 6)}
"""Presets of `commands.finetuning`, and their numbers of context views."""


@dataclass(frozen=True)
class Pretraining:
    """Train a network on procedural scenes, or on captures."""

    output: Path
    """folder of state.pt (to go on), network.safetensors (averaged weights), log.jsonl and tensorboard's events"""
    preset: str | None = None
    """architecture, one of the presets; if not set that of the weights to start from, or tiny. Or finetune-2view,
    finetune-4view, finetune-6view: 10,000 steps at a tenth of the rates that go on from weights with so many context
    views"""
    start: str | None = None
    """weights to start from: a registered name, a .safetensors file, or hf://owner/repo/path; if not set, random ones.
    Tokens are grown or shrunk to the preset's number"""
    tokens: int | None = None
    """number of tokens to train with; if not set the preset's, or that of the weights"""
    cooldown: Path | None = None
    """state.pt of a run to cool down: the learning rate falls from that run's to nearly 0 over --hours or --steps, with
    its network, averages, seed and counters; scenes, batches and losses are those of this command, so repeat that
    run's options. The run itself is left as it is and may go on"""
    data: Path | None = None
    """folder of captures, each a folder with a transforms.json; if not set, procedural scenes. Both with
    --captures.share"""
    steps: int | None = None
    """length of the run in steps; give this or --hours. A run of --training.schedule wsd goes on when started with
    more of them"""
    hours: float | None = None
    """length of the run in hours of training time, interruptions not counted"""
    seed: int = 0
    """seed of the weights and of the scenes"""
    threads: int = 2
    """threads that share a step on the CPU, one core each"""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    """where to train"""
    precision: PrecisionChoice = "auto"
    """arithmetic of encoder and decoder; auto is bf16 on CPUs that are faster in it (AMX), and fp32 elsewhere"""
    save_every: float = 120.0
    """seconds between two saved states"""
    evaluate_every: int = 250
    """steps between two evaluations on held-out scenes"""
    held_out: int = 32
    """scenes of the evaluation"""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    batches: BatchConfig = field(default_factory=BatchConfig)
    procedural: ProceduralCurriculumConfig = field(default_factory=ProceduralCurriculumConfig)
    captures: CapturesConfig = field(default_factory=CapturesConfig)

    def __post_init__(self) -> None:
        lengths = [length for length in (self.steps, self.hours) if length is not None]
        if len(lengths) > 1 or not (lengths or self.preset in FINETUNINGS):
            raise UserError("give the length of the run as either --steps or --hours")
        if min(lengths, default=1) <= 0:
            raise UserError("the length of the run must be positive")
        if self.preset is not None and self.preset not in (*PRESETS, *FINETUNINGS):
            raise UserError(f"unknown preset '{self.preset}'; there are {', '.join((*PRESETS, *FINETUNINGS))}")
        if self.preset in FINETUNINGS and self.start is None:
            raise UserError(f"--preset {self.preset} goes on from weights: name them with --from")
        if self.tokens is not None and (self.tokens < 1 or self.cooldown is not None):
            raise UserError("--tokens must be at least 1, and a cooldown has those of its state")
        if min(self.threads, self.evaluate_every, self.held_out) < 1:
            raise UserError("--threads, --evaluate-every and --held-out must be at least 1")
        if self.cooldown is not None and (self.preset or self.start):
            raise UserError("--cooldown takes its network from the state: leave out --preset and --from")
        if self.cooldown is not None and self.cooldown.resolve().parent == self.output.resolve():
            raise UserError(f"--output is the folder of the run to cool down, {self.output}: name another one")

    @property
    def kind(self) -> str:
        """What the learning rate does: the schedule's name, or cooldown."""
        return self.training.schedule if self.cooldown is None else "cooldown"


@dataclass(frozen=True)
class Ledger:
    """What a run has cost so far; a cooldown goes on counting where its run stood."""

    seed: int
    kind: str
    precision: Precision | None = None
    seconds: float = 0.0
    scenes: int = 0
    first_step: int = 0
    """how many steps the run's state had when its cooldown began, as `first_seconds`"""
    first_seconds: float = 0.0

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> "Ledger":
        """From a state's entries; those of earlier versions were one-cycle runs that did not count scenes."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{"kind": "one-cycle", **{name: value for name, value in saved.items() if name in known}})

    def spent(self, seconds: float, scenes: int) -> "Ledger":
        """After so much more."""
        return replace(self, seconds=self.seconds + seconds, scenes=self.scenes + scenes)

    def cooling(self, steps: int) -> "Ledger":
        """A cooldown that begins now, after `steps` steps."""
        return replace(self, kind="cooldown", first_step=steps, first_seconds=self.seconds)
