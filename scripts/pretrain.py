"""Train a network on procedural scenes: scripts/pretrain.py --preset tiny --hours 3 --output runs/tiny

Started again with the same output folder it goes on where it was, also after a kill.
"""

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import novel_view_psnr
from tokengs_nerfstudio.core.training.network_training import Trainer
from tokengs_nerfstudio.core.training.state import read_state, save_state
from tokengs_nerfstudio.data.examples.procedural import PretrainingData, held_out_batch, made_ahead, training_batch


@dataclass(frozen=True)
class Pretraining:
    """Train a network on procedural scenes."""

    output: Path
    """folder of state.pt (to go on), network.safetensors (averaged weights) and log.jsonl"""
    preset: str = "tiny"
    """architecture, one of the presets"""
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
    save_every: float = 120.0
    """seconds between two saved states"""
    evaluate_every: int = 250
    """steps between two evaluations on held-out scenes"""
    held_out: int = 32
    """scenes of the evaluation"""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    data: PretrainingData = field(default_factory=PretrainingData)

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.hours is None):
            raise ValueError("give the length of the run as either --steps or --hours")
        if self.preset not in PRESETS:
            raise ValueError(f"unknown preset '{self.preset}'; there are {', '.join(PRESETS)}")

    @property
    def network(self) -> NetworkConfig:
        return replace(PRESETS[self.preset], num_context=min(max(4, self.data.context[0]), self.data.context[1]))


class Run:
    """A trainer, the time it has trained and the files of its folder."""

    def __init__(self, config: Pretraining) -> None:
        self.config, self.seconds = config, 0.0
        torch.manual_seed(config.seed)
        on_cpu = config.device == "cpu"
        if on_cpu:
            torch.set_num_threads(1)
        network = TokenGSNetwork(config.network).to(config.device).train()
        self.trainer = Trainer(network, config.training, workers=config.threads if on_cpu else 1)
        self.state = config.output / "state.pt"
        config.output.mkdir(parents=True, exist_ok=True)
        if self.state.exists():
            self._resume()

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        if self.config.steps is not None:
            return self.trainer.steps / max(self.config.steps - 1, 1)
        return self.seconds / (3600 * (self.config.hours or 0))

    @property
    def finished(self) -> bool:
        return self.trainer.steps >= self.config.steps if self.config.steps is not None else self.progress >= 1.0

    def train(self) -> None:
        config, trainer = self.config, self.trainer
        held_out = held_out_batch(config.data, config.network, config.held_out).to(config.device)
        batches = made_ahead(self._batch, trainer.steps)
        saved = started = time.monotonic()
        while not self.finished:
            report = trainer.step(next(batches).to(config.device), self.progress)
            now = time.monotonic()
            self.seconds, started = self.seconds + now - started, now
            entry = {**report.losses, "gradient": report.gradient_norm, "rate": report.learning_rate}
            if trainer.steps % config.evaluate_every == 0 or self.finished:
                entry["held_out_psnr"] = float(novel_view_psnr(trainer.averaged, held_out, config.training).mean())
            self._log(entry)
            if now - saved > config.save_every:
                self._save()
                saved = now
        self._save()

    def _batch(self, number: int):
        progress = number / max(self.config.steps - 1, 1) if self.config.steps is not None else self.progress
        return training_batch(self.config.data, self.config.network, self.config.seed, number, progress)

    def _resume(self) -> None:
        saved = read_state(self.state)
        if saved["run"]["seed"] != self.config.seed:
            raise ValueError(f"{self.state} was trained with --seed {saved['run']['seed']}, not {self.config.seed}")
        self.trainer.load_state_dict(saved)
        self.seconds = saved["run"]["seconds"]
        print(f"going on from {self.state}: step {self.trainer.steps}, {self.seconds / 3600:.2f} hours", flush=True)

    def _save(self) -> None:
        run = {"seed": self.config.seed, "seconds": self.seconds}
        save_state(self.state, {**self.trainer.state_dict(), "run": run})
        save_network(self.trainer.averaged, self.config.output / "network.safetensors")

    def _log(self, entry: dict[str, float]) -> None:
        line = {"step": self.trainer.steps, "seconds": self.seconds, "skipped": self.trainer.skipped, **entry}
        rounded = {name: round(value, 7) for name, value in line.items()}
        with (self.config.output / "log.jsonl").open("a") as file:
            file.write(json.dumps(rounded) + "\n")
        if "held_out_psnr" in entry or self.trainer.steps % 25 == 0:
            print(" ".join(f"{name} {value:.5g}" for name, value in line.items()), flush=True)


if __name__ == "__main__":
    import tyro  # only for the command line: from Python, a machine without it can train too

    Run(tyro.cli(Pretraining)).train()
