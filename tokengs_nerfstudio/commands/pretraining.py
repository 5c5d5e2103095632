"""What `tokengs-pretrain` can be told, and what its run remembers between two starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

import torch

from tokengs_nerfstudio.commands.recipes import FINETUNINGS, RECIPES, recipe_of
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS, TokenCount
from tokengs_nerfstudio.core.network.tokengs import Precision
from tokengs_nerfstudio.core.ranges import Count, NotNegative, Positive, Range
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.precision import PrecisionChoice
from tokengs_nerfstudio.data.examples.batches import MOST_RUNS
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.pool import PoolConfig
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig


@dataclass(frozen=True)
class Pretraining:
    """Train a network on procedural scenes, on captures, on data sets, or on any mixture of them."""

    output: Path
    """folder of state.pt (to go on), network.safetensors (averaged weights), log.jsonl and tensorboard's events"""
    preset: str | None = None
    """architecture, one of the presets; if not set that of the weights to start from, or tiny. Or one of TokenGS's
    trainings, which set whatever is at its default: base, latent (150,000 steps), kubric (50,000), finetune-2view,
    finetune-4view, finetune-6view (10,000 steps at a tenth of the rates that go on from weights with so many context
    views)"""
    start: str | None = None
    """weights to start from: a registered name, a .safetensors file, or hf://owner/repo/path; if not set, random ones.
    Tokens are grown or shrunk to the preset's number"""
    tokens: TokenCount | None = None
    """number of tokens to train with; if not set the preset's, or that of the weights"""
    cooldown: Path | None = None
    """state.pt of a run to cool down: the learning rate falls from that run's to nearly 0 over --hours or --steps, with
    its network, averages, seed and counters; scenes, batches and losses are those of this command, so repeat that
    run's options. The run itself is left as it is and may go on"""
    data: tuple[Path, ...] = ()
    """folders of scenes, one or several: --data ROOT ROOT. Each holds captures (folders with a transforms.json), DL3DV
    (zips or folders, train or benchmark), RealEstate10K (.torch chunks and index.json) or Kubric 4D (tars). If not set,
    procedural scenes; both with --captures.share"""
    weights: tuple[NotNegative, ...] = ()
    """how often batches come from each folder of --data, relative to each other: --weights 0.7 0.3; if not set, equally
    often"""
    steps: Count | None = None
    """length of the run in steps; give this or --hours. A run of --training.schedule wsd goes on when started with
    more of them"""
    hours: Positive | None = None
    """length of the run in hours of training time, interruptions not counted"""
    seed: Annotated[int, Range(0, MOST_RUNS - 1)] = 0
    """seed of the weights and of the scenes"""
    threads: Count = 2
    """threads that share a step on the CPU, one core each"""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    """where to train"""
    precision: PrecisionChoice = "auto"
    """arithmetic of encoder and decoder; auto is bf16 on CPUs that are faster in it (AMX), and fp32 elsewhere"""
    graphs: bool = True
    """on CUDA: record the network's way there and back for each shape of batch that comes often, and replay it"""
    save_every: NotNegative = 120.0
    """seconds between two saved states"""
    evaluate_every: Count = 250
    """steps between two evaluations on held-out scenes"""
    held_out: Count = 32
    """scenes of the evaluation"""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    batches: BatchConfig = field(default_factory=BatchConfig)
    procedural: ProceduralCurriculumConfig = field(default_factory=ProceduralCurriculumConfig)
    captures: CapturesConfig = field(default_factory=CapturesConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)

    def __post_init__(self) -> None:
        lengths = [length for length in (self.steps, self.hours) if length is not None]
        if len(lengths) > 1 or not (lengths or self.preset in RECIPES):
            raise UserError("give the length of the run as either --steps or --hours")
        known = dict.fromkeys((*PRESETS, *RECIPES))
        if self.preset is not None and self.preset not in known:
            raise UserError(f"unknown preset '{self.preset}'; there are {', '.join(known)}")
        if self.preset in FINETUNINGS and self.start is None:
            raise UserError(f"--preset {self.preset} goes on from weights: name them with --from")
        if self.weights and len(self.weights) != len(self.data):
            raise UserError(f"--weights has {len(self.weights)} numbers for {len(self.data)} folders of --data")
        if self.tokens is not None and self.cooldown is not None:
            raise UserError("--tokens cannot be given: a cooldown has those of its state")
        if self.cooldown is not None and (self.preset or self.start):
            raise UserError("--cooldown takes its network from the state: leave out --preset and --from")
        if self.cooldown is not None and self.cooldown.resolve().parent == self.output.resolve():
            raise UserError(f"--output is the folder of the run to cool down, {self.output}: name another one")

    @property
    def kind(self) -> str:
        """What the learning rate does: the schedule's name, or cooldown."""
        return self.training.schedule if self.cooldown is None else "cooldown"


def with_recipe(options: Pretraining) -> Pretraining:
    """`options` with what its preset says, where that is a training: see `Recipe`. What is not at its default stays.

    Errors as in `recipe_of`.
    """
    recipe = recipe_of(options.preset, options.start)
    if recipe is None:
        return options
    unknown = options.steps is None and options.hours is None
    usual_precision = "bf16" if options.device.startswith("cuda") else "auto"
    return replace(
        options,
        preset=recipe.architecture,
        steps=recipe.steps if unknown else options.steps,
        precision=usual_precision if options.precision == "auto" else options.precision,
        training=recipe.applied(options.training),
        batches=recipe.applied(options.batches),
        captures=recipe.applied(options.captures),
        procedural=recipe.applied(options.procedural),
    )


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
