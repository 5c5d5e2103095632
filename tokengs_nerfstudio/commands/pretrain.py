"""tokengs-pretrain --preset tiny --hours 3 --output runs/tiny: train a network on many scenes.

Started again with the same output folder it goes on where it was, also after a kill.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch

from tokengs_nerfstudio.commands.options import one_line_errors, parsed
from tokengs_nerfstudio.commands.progress import Display, display
from tokengs_nerfstudio.commands.training_log import TrainingLog
from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import novel_view_psnr
from tokengs_nerfstudio.core.training.memory import keep_freed_memory
from tokengs_nerfstudio.core.training.network_training import NetworkTraining, TrainingDiverged
from tokengs_nerfstudio.core.training.pace import Pace
from tokengs_nerfstudio.core.training.parallel import Threads
from tokengs_nerfstudio.core.training.precision import PrecisionChoice, chosen_precision
from tokengs_nerfstudio.core.training.start import starting_network
from tokengs_nerfstudio.core.training.state import read_state, save_state
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples import source_of
from tokengs_nerfstudio.data.examples.batches import Batches, made_ahead
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig


@dataclass(frozen=True)
class Pretraining:
    """Train a network on procedural scenes, or on captures."""

    output: Path
    """folder of state.pt (to go on), network.safetensors (averaged weights), log.jsonl and tensorboard's events"""
    preset: str | None = None
    """architecture, one of the presets; if not set that of the weights to start from, or tiny"""
    start: str | None = None
    """weights to start from: a registered name, a .safetensors file, or hf://owner/repo/path; if not set, random ones.
    Tokens are grown or shrunk to the preset's number"""
    data: Path | None = None
    """folder of captures, each a folder with a transforms.json; if not set, procedural scenes"""
    steps: int | None = None
    """length of the run in steps; give this or --hours"""
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
        if (self.steps is None) == (self.hours is None):
            raise ValueError("give the length of the run as either --steps or --hours")
        if min(length for length in (self.steps, self.hours) if length is not None) <= 0:
            raise ValueError("the length of the run must be positive")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"unknown preset '{self.preset}'; there are {', '.join(PRESETS)}")
        if min(self.threads, self.evaluate_every, self.held_out) < 1:
            raise ValueError("--threads, --evaluate-every and --held-out must be at least 1")


class Run:
    """A training, the time it has taken so far and the files of its folder.

    Raises ValueError where these options or the state in the folder cannot be used, CheckpointError for the weights.
    """

    def __init__(self, config: Pretraining) -> None:
        self.config, self.seconds = config, 0.0
        on_cpu = config.device == "cpu"
        if on_cpu:
            torch.set_num_threads(1)
            keep_freed_memory()
        network = starting_network(config.preset, config.start, config.batches.usual_context, config.seed)
        network = network.to(config.device)
        network.precision = chosen_precision(config.precision, config.device)
        self.training = NetworkTraining(network, config.training, Threads(network, config.threads) if on_cpu else None)
        source = source_of(config.data, config.procedural, config.captures, config.batches.context[1])
        self.batches = Batches(source, network.config, config.batches, config.seed)
        self.state = config.output / "state.pt"
        self.resumed = self.state.exists()
        if self.resumed:
            self._resume()

    @property
    def share(self) -> float:
        """How much of the run is done, up to 1."""
        steps, hours = self.config.steps, self.config.hours
        return min(self.training.steps / steps if steps else self.seconds / (3600 * (hours or 1)), 1.0)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.share >= 1.0

    def train(self) -> None:
        """All steps that are left; the state is saved every now and then, at the end, and when interrupted."""
        with display() as shown:
            if self.resumed:
                shown.say(f"going on from {self.state}: step {self.training.steps}, {self.seconds / 3600:.2f} hours")
            self._log = TrainingLog(self.config.output, self.training.steps)
            try:
                self._train(shown)
            except KeyboardInterrupt:
                shown.say(f"interrupted at step {self.training.steps}; the same command goes on from there")
                raise SystemExit(130) from None
            finally:
                self._log.close()

    def _train(self, shown: Display) -> None:
        config, training = self.config, self.training
        held_out = self.batches.placed(self.batches.held_out(config.held_out)).to(config.device)
        batches = made_ahead(self._batch, training.steps)
        saved = started = time.monotonic()
        pace = Pace(self.share)
        while not self.finished:
            example = next(batches).to(config.device)
            report = training.step(example, self._progress_at(training.steps))
            now = time.monotonic()
            self.seconds, started = self.seconds + now - started, now
            pace.step(example.num_scenes, self.share)
            entry = {**report.losses, "gradient": report.gradient_norm, "rate": report.learning_rate}
            if training.steps % config.evaluate_every == 0 or self.finished:
                quality = float(novel_view_psnr(training.averaged, held_out, config.training.chunk).mean())
                entry["held_out_psnr"] = quality
                shown.say(f"step {training.steps}: {quality:.2f} dB on novel views of held-out scenes")
            run = {"seconds": self.seconds, "skipped": training.skipped, "scenes_per_second": pace.scenes_per_second}
            self._log.write(training.steps, {**run, **entry})
            shown.update(self.share, pace.text(training.steps, report.losses["loss"]))
            if now - saved > config.save_every:
                self._save()
                saved = now
        self._save()
        shown.say(f"trained {training.steps} steps: {config.output / 'network.safetensors'}")

    def _batch(self, number: int) -> Example:
        return self.batches.batch(number, self._progress_at(number))

    def _progress_at(self, step: int) -> float:
        """Where the schedule is, 1 at the last step; batches of a run given in hours belong to the moment."""
        return self.share if self.config.steps is None else step / max(self.config.steps - 1, 1)

    def _resume(self) -> None:
        saved = read_state(self.state)
        if saved["run"]["seed"] != self.config.seed:
            raise ValueError(f"{self.state} was trained with --seed {saved['run']['seed']}, not {self.config.seed}")
        self.training.load_state_dict(saved)
        self.seconds = saved["run"]["seconds"]

    def _save(self) -> None:
        run = {"seed": self.config.seed, "seconds": self.seconds}
        save_state(self.state, {**self.training.state_dict(), "run": run})
        save_network(self.training.averaged, self.config.output / "network.safetensors")


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-pretrain`; what is wrong ends it with one line and a non-zero code."""
    import tyro

    @dataclass(frozen=True)
    class Options(Pretraining):
        __doc__ = Pretraining.__doc__
        # A field of the name that users type would be a keyword of Python.
        start: Annotated[str | None, tyro.conf.arg(name="from")] = None

    with one_line_errors(TrainingDiverged):
        Run(parsed("tokengs-pretrain", Options, arguments)).train()


if __name__ == "__main__":
    main()
