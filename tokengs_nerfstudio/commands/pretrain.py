"""tokengs-pretrain --preset tiny --hours 3 --output runs/tiny: train a network on many scenes.

`--data ROOT ROOT --weights 0.7 0.3` are captures and data sets, `--preset finetune-4view --from base` and others are
trainings of TokenGS.

Started again with the same output folder it goes on where it was, also after a kill. With --training.schedule wsd the
learning rate stays up and the run may be prolonged; `--cooldown STATE` brings any state of it down into weights.
`torchrun --nproc-per-node 2 --no-python tokengs-pretrain ...`: two processes, each with batches of its own, train one.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import torch

from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.commands.pretraining import Ledger, Pretraining, with_recipe
from tokengs_nerfstudio.commands.progress import Display, display
from tokengs_nerfstudio.commands.training_log import NoLog, TrainingLog
from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.core.errors import UserError, content_of, one_line
from tokengs_nerfstudio.core.files import FolderLock, remove_scratch
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.tokengs import Precision, TokenGSNetwork
from tokengs_nerfstudio.core.training.gradients import novel_view_psnr
from tokengs_nerfstudio.core.training.guard import Guard, Guarded, health
from tokengs_nerfstudio.core.training.network_training import NetworkTraining, TrainingDiverged
from tokengs_nerfstudio.core.training.optimizers import Highest
from tokengs_nerfstudio.core.training.pace import Pace
from tokengs_nerfstudio.core.training.parallel import Serial, Threads, Workers
from tokengs_nerfstudio.core.training.precision import chosen_precision
from tokengs_nerfstudio.core.training.ranks import Ranks, RankWorkers
from tokengs_nerfstudio.core.training.recorded import Recorded
from tokengs_nerfstudio.core.training.schedule import Cooldown, schedule_of
from tokengs_nerfstudio.core.training.start import starting_network
from tokengs_nerfstudio.core.training.state import read_state, save_state
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples import source_of
from tokengs_nerfstudio.data.examples.batches import Batches, made_ahead
from tokengs_nerfstudio.data.examples.makers import pooled
from tokengs_nerfstudio.data.examples.pool import PARCELS_PER_RANK, PooledBatches

Batched = Generator[Example, None, None]


class Run:
    """A training, the time it has taken so far and the files of its folder.

    Raises ValueError where these options or the state in the folder cannot be used, CheckpointError for the weights.
    """

    def __init__(self, config: Pretraining) -> None:
        self.config = config = with_recipe(config)
        if config.device == "cpu":
            torch.set_num_threads(1)
        self.ranks = Ranks(config.device)
        self.state, self.good = config.output / "state.pt", config.output / "good.pt"
        self.resumed = self.state.exists()
        origin = self.state if self.resumed else config.cooldown
        saved = None if origin is None else _read(origin)
        network = self._network(saved).to(self.ranks.device)
        network.precision = self._precision(saved)
        self.guard, self._drawing = Guard(config.training.guard), Lock()
        schedule = schedule_of(config.training) if config.cooldown is None else Cooldown()
        self.training = NetworkTraining(network, config.training, self._workers(network), Guarded(schedule, self.guard))
        self.ledger = Ledger(config.seed, config.kind, network.precision)
        if saved is not None and origin is not None:
            with content_of(origin, "a training state", "move it away to start anew"):
                self._resume(saved)
        source = source_of(config.data, config.weights, config.procedural, config.captures, config.batches.context[1])
        here = (self.ranks.rank, self.ranks.count)
        self.batches: Batches | PooledBatches = Batches(source, network.config, config.batches, self.ledger.seed, *here)

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
        with display(speaks=self.ranks.first) as shown:
            if self.resumed:
                shown.say(self._past())
            lock = self._locked() if self.ranks.first else None
            self._log = self._opened_log()
            try:
                with self._makers():
                    self._train(shown)
            except KeyboardInterrupt:
                shown.say(f"interrupted at step {self.training.steps}; the same command goes on from there")
                raise SystemExit(130) from None
            finally:
                self._log.close()
                self.ranks.close()
                if lock is not None:
                    lock.close()

    @contextmanager
    def _makers(self) -> Iterator[None]:
        """Processes that make scenes for the batches, where the options ask for them."""
        config, plain = self.config, self.batches
        if not config.pool.makers or not isinstance(plain, Batches):
            yield
            return
        # A maker has all views of a scene to give away; each scene serves as often as the pool says.
        procedural = replace(config.procedural, uses=1)
        source = partial(source_of, config.data, config.weights, procedural, config.captures, config.pool.views - 1)
        first = PARCELS_PER_RANK * self.ranks.rank + self.training.steps
        with pooled(plain, source, config.pool, self.ranks.device, first) as self.batches:
            yield

    def _locked(self) -> FolderLock:
        """The output folder, in which no second command may train meanwhile."""
        self.config.output.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(self.config.output, "another command trains there: wait, or give another --output")
        remove_scratch(self.config.output)
        return lock

    def _train(self, shown: Display) -> None:
        config, training = self.config, self.training
        self._held_out = self.batches.placed(self.batches.held_out(config.held_out)).to(self.ranks.device)
        if not (self.resumed and self.good.exists()):
            self._save(self.good)
        batches = made_ahead(self._batch, training.steps)
        saved = started = time.monotonic()
        pace = Pace(self.share)
        while not self.finished:
            example = next(batches).to(self.ranks.device)
            try:
                report = training.step(example, self._progress_at(training.steps))
            except TrainingDiverged as error:
                batches = self._taken_back(batches, str(error), shown)
                continue
            now = time.monotonic()
            spent = self.ranks.gathered((now - started, example.num_scenes))
            started, scenes = now, sum(theirs for _, theirs in spent)
            self.ledger = self.ledger.spent(spent[0][0], scenes)
            pace.step(scenes, self.share)
            entry = {**report.losses, "gradient": report.gradient_norm, "rate": report.learning_rate}
            entry["gradient_ratio"] = self.guard.felt(report.gradient_norm)
            evaluated = training.steps % config.evaluate_every == 0 or self.finished
            complaint = self._complaint(entry, shown) if evaluated else None
            run = {"seconds": self.ledger.seconds, "scenes": self.ledger.scenes, "skipped": training.skipped}
            if isinstance(self.batches, PooledBatches):
                run["made"] = self.batches.made
            self._log.write(training.steps, {**run, "scenes_per_second": pace.scenes_per_second, **entry})
            shown.update(self.share, pace.text(training.steps, report.losses["loss"]))
            if complaint is not None:
                batches = self._taken_back(batches, complaint, shown)
            if now - saved > config.save_every:
                self._save(self.state)
                saved = now
        self._save(self.state)
        shown.say(f"trained {training.steps} steps: {config.output / 'network.safetensors'}")

    def _complaint(self, entry: dict[str, float], shown: Display) -> str | None:
        """What the first rank finds, said to all."""
        return self.ranks.gathered(self._evaluate(entry, shown) if self.ranks.first else None)[0]

    def _evaluate(self, entry: dict[str, float], shown: Display) -> str | None:
        """Quality and health into the log's entry; a complaint where the training has collapsed."""
        training, config = self.training, self.config.training
        quality = float(novel_view_psnr(training.averaged, self._held_out, config.chunk).mean())
        entry["held_out_psnr"] = quality
        shown.say(f"step {training.steps}: {quality:.2f} dB on novel views of held-out scenes")
        looked_at = self._held_out[: config.guard.scenes]
        found = health(training.network, looked_at, config.guard.opacity_floor, config.chunk)
        entry.update(asdict(found))
        complaint = self.guard.complaint(found) if config.guard.enabled else None
        if complaint is None:
            self._save(self.good)
        return complaint

    def _taken_back(self, batches: Batched, complaint: str, shown: Display) -> Batched:
        """Go back to the last good state, once; the batches from there on. The time that was lost stays counted."""
        seen, good = self.training.steps, read_state(self.good)
        self.guard.set_back(seen, good["counters"]["steps"], complaint)
        self.training.load_state_dict(good, self._highest)
        self.ledger = replace(self.ledger, scenes=Ledger.read(good["run"]).scenes)
        self._save(self.state)
        shown.say(f"step {seen}: {complaint}; back to step {self.training.steps}, slower until {self.guard.slow_until}")
        self._log.close()
        self._log = self._opened_log(taken_back_at=seen)
        batches.close()
        return made_ahead(self._batch, self.training.steps)

    def _batch(self, number: int) -> Example:
        with self._drawing:
            return self.batches.batch(number, self.training.schedule.maturity(number, self._progress_at(number)))

    def _progress_at(self, step: int) -> float:
        """How far the run is, 1 at the last step; that of a run given in hours belongs to the moment."""
        if self.config.steps is None:
            return self.share
        return (step - self.ledger.first_step) / max(self.config.steps - 1, 1)

    def _network(self, saved: dict[str, Any] | None) -> TokenGSNetwork:
        config = self.config
        if config.cooldown is None or saved is None:
            return starting_network(
                config.preset, config.start, config.batches.usual_context, config.seed, config.tokens
            )
        return TokenGSNetwork(NetworkConfig(**saved["architecture"])).train()

    def _precision(self, saved: dict[str, Any] | None) -> Precision:
        """What --precision says; auto is what the run has had so far, for timing it anew may end otherwise."""
        choice, before = self.config.precision, None if saved is None else Ledger.read(saved["run"]).precision
        if choice == "auto" and before is not None:
            return before
        found: list[Precision] = self.ranks.gathered(chosen_precision(choice, self.config.device))
        return found[0]

    @property
    def _highest(self) -> Highest:
        """A cooldown falls from the rates that it began with, whatever this command's options are."""
        return "configured" if self.config.cooldown is None else "saved"

    def _resume(self, saved: dict[str, Any]) -> None:
        """Go on with this run's own state, or begin to cool down another one's."""
        ledger, config = replace(Ledger.read(saved["run"]), precision=self.ledger.precision), self.config
        if not self.resumed:
            self.training.load_state_dict(saved, highest="last")
            self.ledger = ledger.cooling(self.training.steps)
            return
        if ledger.kind != config.kind:
            raise UserError(
                f"{self.state} is of a {ledger.kind} run, not of a {config.kind} one: give the options that it was "
                "begun with, or another --output"
            )
        if config.cooldown is None and ledger.seed != config.seed:
            raise UserError(f"{self.state} was trained with --seed {ledger.seed}, not {config.seed}")
        self.training.load_state_dict(saved, self._highest)
        self.ledger = ledger
        if "guard" in saved:
            self.guard.load_state_dict(saved["guard"])

    def _past(self) -> str:
        """Where a resumed run stands."""
        steps, hours, first = self.training.steps, self.ledger.seconds / 3600, self.ledger.first_step
        begun = f", cooling down since step {first}" if first else ""
        left = "; nothing is left to do" if self.finished else ""
        return f"going on from {self.state}: step {steps}, {hours:.2f} hours{begun}{left}"

    def _workers(self, network: TokenGSNetwork) -> Workers:
        config = self.config
        own = Threads(network, config.threads) if config.device == "cpu" else Serial(network, self._recorded(network))
        return own if self.ranks.count == 1 else RankWorkers(network, own, self.ranks)

    def _recorded(self, network: TokenGSNetwork) -> Recorded | None:
        """The network replayed, where that is asked for; a step in several parts would write over its own gradients."""
        config = self.config
        wanted = config.graphs and self.ranks.device.type == "cuda" and config.training.micro_batches == 1
        return Recorded(network, alone=self._drawing) if wanted else None

    def _opened_log(self, taken_back_at: int | None = None) -> TrainingLog | NoLog:
        if not self.ranks.first:
            return NoLog()
        return TrainingLog(self.config.output, self.training.steps, taken_back_at)

    def _save(self, path: Path) -> None:
        if not self.ranks.first:
            return
        run = {"run": asdict(self.ledger), "guard": self.guard.state_dict()}
        save_state(path, {**self.training.state_dict(), **run})
        if path == self.state:
            save_network(self.training.averaged, self.config.output / "network.safetensors")


def _read(path: Path) -> dict[str, Any]:
    saved = read_state(path)
    if "run" not in saved:
        raise UserError(f"{path} is a checkpoint of `ns-train tokengs-pretrain`, no state of this command")
    return saved


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-pretrain`; what is wrong ends it with one line and a non-zero code."""
    import tyro

    @dataclass(frozen=True)
    class Options(Pretraining):
        __doc__ = Pretraining.__doc__
        # A field of the name that users type would be a keyword of Python.
        start: Annotated[str | None, tyro.conf.arg(name="from")] = None

    with one_line():
        Run(parsed("tokengs-pretrain", Options, arguments)).train()


if __name__ == "__main__":
    main()
