"""tokengs-pretrain --preset tiny --hours 3 --output runs/tiny: train a network on many scenes.

Started again with the same output folder it goes on where it was, also after a kill. With --training.schedule wsd the
learning rate stays up and the run may be prolonged; `--cooldown STATE` brings any state of it down into weights.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import torch

from tokengs_nerfstudio.commands.options import one_line_errors, parsed
from tokengs_nerfstudio.commands.pretraining import Ledger, Pretraining
from tokengs_nerfstudio.commands.progress import Display, display
from tokengs_nerfstudio.commands.training_log import TrainingLog
from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.gradients import novel_view_psnr
from tokengs_nerfstudio.core.training.memory import keep_freed_memory
from tokengs_nerfstudio.core.training.network_training import NetworkTraining, TrainingDiverged
from tokengs_nerfstudio.core.training.pace import Pace
from tokengs_nerfstudio.core.training.parallel import Threads
from tokengs_nerfstudio.core.training.precision import PrecisionChoice, chosen_precision
from tokengs_nerfstudio.core.training.schedule import Cooldown, schedule_of
from tokengs_nerfstudio.core.training.start import starting_network
from tokengs_nerfstudio.core.training.state import read_state, save_state
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples import source_of
from tokengs_nerfstudio.data.examples.batches import Batches, made_ahead


class Run:
    """A training, the time it has taken so far and the files of its folder.

    Raises ValueError where these options or the state in the folder cannot be used, CheckpointError for the weights.
    """

    def __init__(self, config: Pretraining) -> None:
        self.config = config
        on_cpu = config.device == "cpu"
        if on_cpu:
            torch.set_num_threads(1)
            keep_freed_memory()
        self.state = config.output / "state.pt"
        self.resumed = self.state.exists()
        origin = self.state if self.resumed else config.cooldown
        saved = None if origin is None else read_state(origin)
        network = self._network(saved).to(config.device)
        network.precision = chosen_precision(config.precision, config.device)
        workers = Threads(network, config.threads) if on_cpu else None
        schedule = schedule_of(config.training) if config.cooldown is None else Cooldown()
        self.training = NetworkTraining(network, config.training, workers, schedule)
        self.ledger = Ledger(config.seed, config.kind)
        if saved is not None:
            self._resume(saved)
        source = source_of(config.data, config.procedural, config.captures, config.batches.context[1])
        self.batches = Batches(source, network.config, config.batches, self.ledger.seed)

    @property
    def share(self) -> float:
        """How much of the run is done, up to 1."""
        config, ledger = self.config, self.ledger
        if config.steps is not None:
            return min((self.training.steps - ledger.first_step) / config.steps, 1.0)
        return min((ledger.seconds - ledger.first_seconds) / (3600 * (config.hours or 1)), 1.0)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.share >= 1.0

    def train(self) -> None:
        """All steps that are left; the state is saved every now and then, at the end, and when interrupted."""
        with display() as shown:
            if self.resumed:
                shown.say(self._past())
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
            self.ledger, started = self.ledger.spent(now - started, example.num_scenes), now
            pace.step(example.num_scenes, self.share)
            entry = {**report.losses, "gradient": report.gradient_norm, "rate": report.learning_rate}
            if training.steps % config.evaluate_every == 0 or self.finished:
                quality = float(novel_view_psnr(training.averaged, held_out, config.training.chunk).mean())
                entry["held_out_psnr"] = quality
                shown.say(f"step {training.steps}: {quality:.2f} dB on novel views of held-out scenes")
            run = {"seconds": self.ledger.seconds, "scenes": self.ledger.scenes, "skipped": training.skipped}
            self._log.write(training.steps, {**run, "scenes_per_second": pace.scenes_per_second, **entry})
            shown.update(self.share, pace.text(training.steps, report.losses["loss"]))
            if now - saved > config.save_every:
                self._save()
                saved = now
        self._save()
        shown.say(f"trained {training.steps} steps: {config.output / 'network.safetensors'}")

    def _batch(self, number: int) -> Example:
        return self.batches.batch(number, self.training.schedule.maturity(number, self._progress_at(number)))

    def _progress_at(self, step: int) -> float:
        """How far the run is, 1 at the last step; that of a run given in hours belongs to the moment."""
        if self.config.steps is None:
            return self.share
        return (step - self.ledger.first_step) / max(self.config.steps - 1, 1)

    def _network(self, saved: dict[str, Any] | None) -> TokenGSNetwork:
        config = self.config
        if config.cooldown is None or saved is None:
            return starting_network(config.preset, config.start, config.batches.usual_context, config.seed)
        return TokenGSNetwork(NetworkConfig(**saved["architecture"])).train()

    def _resume(self, saved: dict[str, Any]) -> None:
        """Go on with this run's own state, or begin to cool down another one's."""
        ledger, config = Ledger.read(saved["run"]), self.config
        if not self.resumed:
            self.training.load_state_dict(saved, highest="last")
            self.ledger = ledger.cooling(self.training.steps)
            return
        if ledger.kind != config.kind:
            raise ValueError(
                f"{self.state} is of a {ledger.kind} run, not of a {config.kind} one: give the options that it was "
                "begun with, or another --output"
            )
        if config.cooldown is None and ledger.seed != config.seed:
            raise ValueError(f"{self.state} was trained with --seed {ledger.seed}, not {config.seed}")
        self.training.load_state_dict(saved, highest="configured" if config.cooldown is None else "saved")
        self.ledger = ledger

    def _past(self) -> str:
        """Where a resumed run stands."""
        steps, hours, first = self.training.steps, self.ledger.seconds / 3600, self.ledger.first_step
        begun = f", cooling down since step {first}" if first else ""
        left = "; nothing is left to do" if self.finished else ""
        return f"going on from {self.state}: step {steps}, {hours:.2f} hours{begun}{left}"

    def _save(self) -> None:
        save_state(self.state, {**self.training.state_dict(), "run": asdict(self.ledger)})
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
