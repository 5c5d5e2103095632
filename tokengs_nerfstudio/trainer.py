"""TokenGSTrainer: nerfstudio's Trainer with checkpoints that are whole or absent, and errors a person can read."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
import yaml
from nerfstudio.configs.base_config import LocalWriterConfig, LoggingConfig, MachineConfig, ViewerConfig
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils import writer
from nerfstudio.utils.decorators import check_main_thread
from nerfstudio.utils.rich_utils import CONSOLE
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tokengs_nerfstudio.command_line import run_that_is_looked_at
from tokengs_nerfstudio.command_time import seconds_before_now
from tokengs_nerfstudio.console import say
from tokengs_nerfstudio.core.compiled import working_seconds
from tokengs_nerfstudio.core.errors import MissingFileError, UserError, content_of, one_line
from tokengs_nerfstudio.core.files import replacing, write_text
from tokengs_nerfstudio.core.ranges import Whole, check_value
from tokengs_nerfstudio.core.tuning.costs import Clock
from tokengs_nerfstudio.core.tuning.pacing import Allowance
from tokengs_nerfstudio.core.tuning.plan import TuningPlan
from tokengs_nerfstudio.data.finished_run import newest_checkpoint
from tokengs_nerfstudio.flags import check_options
from tokengs_nerfstudio.heartbeat import Heartbeat
from tokengs_nerfstudio.pipeline import TokenGSPipeline
from tokengs_nerfstudio.run_folder import RunFolder, check_name

# More steps than any time has room for.
_ENDLESS = 10**9
# Seconds from the last step to the end of the command: writing, and for each photo a look at what it sees.
_AFTERWARDS, _PER_PHOTO = 1.0, 0.02
_CHECKPOINT = ("a checkpoint", "remove it and resume from another")


@dataclass
class TokenGSTrainerConfig(TrainerConfig):
    """Tuning of one scene."""

    _target: type = field(default_factory=lambda: TokenGSTrainer)
    max_num_iterations: Whole | None = None  # type: ignore[assignment]
    """Tuning steps; 0 for the feed-forward result. If not set: as many as the time of the command
    (--pipeline.model.tuning.seconds) has room for. Resuming an interrupted run takes the steps that it still had to
    take, resuming a finished one takes so many more, or if not set as many as it was planned with."""
    steps_per_save: Whole = 100
    """Steps between two checkpoints; there is always one at the end."""
    load_dir: Path | None = None
    """Run to go on with: its folder, or the nerfstudio_models in it."""
    steps_per_eval_batch: Whole = 0
    """Steps between two evaluations on rays, of which there are none here."""
    steps_per_eval_image: Whole = 500
    """Steps between two looks at one evaluation image."""
    steps_per_eval_all_images: Whole = 25_000
    """Steps between two evaluations on all of them."""
    load_step: Whole | None = None
    """Step of the checkpoint to go on from; if not set the newest."""
    machine: MachineConfig = field(
        default_factory=lambda: MachineConfig(device_type="cuda" if torch.cuda.is_available() else "cpu")
    )
    """Where it runs"""
    # nerfstudio's table of rays per second says nothing about photos; the trainers show a progress bar instead.
    logging: LoggingConfig = field(
        default_factory=lambda: LoggingConfig(local_writer=LocalWriterConfig(enable=False), profiler="none")
    )
    """What is logged"""
    viewer: ViewerConfig = field(default_factory=lambda: ViewerConfig(num_rays_per_chunk=1 << 15))
    """The viewer"""
    optimizers: dict[str, Any] = field(default_factory=dict)

    # What the tuning settles by itself.
    mixed_precision: tyro.conf.Suppress[bool] = False
    use_grad_scaler: tyro.conf.Suppress[bool] = False
    load_scheduler: tyro.conf.Suppress[bool] = True
    log_gradients: tyro.conf.Suppress[bool] = False
    gradient_accumulation_steps: tyro.conf.Suppress[dict[str, int]] = field(default_factory=dict)
    prompt: tyro.conf.Suppress[str | None] = None

    @one_line()
    def save_config(self) -> None:
        """What `ns-train` does first: here it checks all options. The file is written once the run has started."""
        check_options(self)

    def write(self) -> None:
        """config.yml in the run's folder, by which everything finds the run."""
        write_text(self.get_base_dir() / "config.yml", yaml.dump(self))

    def get_base_dir(self) -> Path:
        """The run's folder; for a command that looks at a finished run the one that its config.yml lies in now."""
        now = run_that_is_looked_at()
        if now is not None and (now / self.relative_model_dir).is_dir():
            return now
        return super().get_base_dir()


class TokenGSTrainer(Trainer):
    """Drives the tuning, shows its progress, saves it so that it can go on after any interruption."""

    config: TokenGSTrainerConfig
    pipeline: TokenGSPipeline  # pyright: ignore[reportIncompatibleVariableOverride]

    @one_line()
    def __init__(
        self,
        config: TokenGSTrainerConfig,
        local_rank: int = 0,
        world_size: int = 1,
        clock: Clock = working_seconds,
    ) -> None:
        """`clock` counts the seconds of the command."""
        check_options(config)
        check_name(config.get_base_dir())
        self._clock, self._began = clock, clock() - seconds_before_now()
        super().__init__(config, local_rank, world_size)

    @one_line()
    def setup(self, test_mode: Literal["test", "val", "inference"] = "val") -> None:
        """As nerfstudio's; the run's folder is made, locked and gets its config.yml. The viewer's address is said."""
        self._origin = self._checkpoint_to_load()
        self._folder = RunFolder(self.base_dir, self.checkpoint_dir, self._origin)
        with self._folder.starting():
            super().setup(test_mode)
            self.config.write()
        if self.viewer_state is not None and self.config.is_viewer_enabled():
            CONSOLE.log(*getattr(self.viewer_state, "viewer_info", []))

    @one_line()
    def train(self) -> None:
        """Tune, with a progress bar that knows the loss; without a terminal a line now and then says more."""
        columns = (
            TextColumn("Tuning {task.fields[what]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]}"),
        )
        self._progress = Progress(*columns, console=CONSOLE, transient=True)
        self._task = self._progress.add_task("", total=self.pipeline.steps_left, what="", loss="")
        self._beat = None if CONSOLE.is_terminal else Heartbeat(CONSOLE.log)
        with closing(self._folder), self._progress, self._as_long_as_it_takes():
            super().train()

    @contextmanager
    def _as_long_as_it_takes(self) -> Iterator[None]:
        """nerfstudio's loop wants a number of steps before it starts; where that may change, the tuning ends it."""
        asked = self.config.max_num_iterations
        if asked is None or self.pipeline.model.config.tuning.plan is not None:
            self.config.max_num_iterations = _ENDLESS if self.pipeline.steps_left else 0
            writer.GLOBAL_BUFFER["max_iter"] = self.pipeline.steps_left  # which it reckons remaining time from
        try:
            yield
        finally:
            self.config.max_num_iterations = asked

    def train_iteration(self, step: int) -> Any:
        result = super().train_iteration(step)
        done = self._progress.tasks[self._task].completed + 1
        self._progress.update(
            self._task, completed=done, total=done + self.pipeline.steps_left, what=self.pipeline.stage
        )
        if step % 10 == 0:  # reading the loss makes a GPU wait
            self._progress.update(self._task, loss=f"{float(result[0]):.4f}")
        if self._beat is not None:
            self._beat.step(self.pipeline.steps_left, lambda: self.pipeline.status(float(result[0])))
        return result

    def _after_train(self) -> None:
        self._progress.stop()
        self.pipeline.model.bake()  # alone: how sure it is comes with the checkpoint
        for line in self.pipeline.summary():
            say(line)
        super()._after_train()

    def _load_checkpoint(self) -> None:
        """Start the scene, or go on with the run that --load-dir or --load-checkpoint names.

        An interrupted run is brought to its planned end; a finished one gets max_num_iterations steps more.
        """
        path = self._origin
        asked = self.config.max_num_iterations
        if path is None:
            self.pipeline.begin(asked or 0, None, lambda planner: planner.tuning(asked, self._allowance()))
            return
        with content_of(path, *_CHECKPOINT):
            saved = _read(path)
            context, step, plan = _context_of(saved), _step_of(saved), _plan_of(saved)
            steps = sum(stage[1] for stage in saved["tuning"]["state"]["plan"]) if asked is None else asked
        self.pipeline.begin(steps, context, lambda planner: planner.going_on(plan, steps))
        with content_of(path, *_CHECKPOINT):
            self.config.max_num_iterations = self.pipeline.resume(saved["tuning"], steps)
        self._start_step = step + 1
        say(f"Resumed {path}: {self.config.max_num_iterations} steps to go")

    def _allowance(self) -> Allowance:
        seconds = self.pipeline.model.config.tuning.seconds
        return Allowance(seconds, self._clock, self._began, self.afterwards)

    @property
    def afterwards(self) -> float:
        """Seconds from the last step to the end of the command."""
        return _AFTERWARDS + _PER_PHOTO * len(self.pipeline.datamanager.train_dataset)

    def _checkpoint_to_load(self) -> Path | None:
        file, folder, step = self.config.load_checkpoint, self.config.load_dir, self.config.load_step
        if file is not None and folder is not None:
            raise UserError(f"--load-checkpoint {file} and --load-dir {folder} both say what to go on with: name one")
        if step is not None and folder is None:
            raise UserError(f"--load-step {step} is a step of the run that --load-dir names: name that, too")
        if file is not None and not file.is_file():
            raise MissingFileError(f"there is no checkpoint {file}")
        return file if folder is None else newest_checkpoint(folder, step)

    @check_main_thread
    def save_checkpoint(self, step: int) -> None:
        """Write the checkpoint beside its place, then move it there: killed at any moment, only whole ones remain."""
        self.pipeline.bake()
        self._write_checkpoint(step, {"tuning": self.pipeline.state_of_tuning()})
        self.pipeline.plan().write(self.base_dir / "plan.json")

    def _write_checkpoint(self, step: int, more: dict[str, Any]) -> None:
        """What nerfstudio looks for in a checkpoint, and `more` to go on with."""
        state = {
            "step": step,
            "pipeline": self.pipeline.state_dict(),
            "optimizers": {},
            "schedulers": {},
            "scalers": self.grad_scaler.state_dict(),
            **more,
        }
        path = self.checkpoint_dir / f"step-{step:09d}.ckpt"
        # nerfstudio takes every name in the checkpoint folder for a checkpoint, so the unfinished one waits outside.
        with replacing(path, scratch_folder=self.base_dir) as scratch:
            torch.save(state, scratch)
        if self.config.save_only_latest_checkpoint:
            for older in self.checkpoint_dir.glob("step-*.ckpt"):
                if older != path:
                    older.unlink()


def _read(path: Path) -> dict[str, Any]:
    """A checkpoint of this method; UserError for another method's."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(saved, dict) or "tuning" not in saved:
        raise UserError(f"{path} is no checkpoint of `ns-train tokengs`")
    return saved


def _plan_of(saved: dict[str, Any]) -> TuningPlan | None:
    """What the run to go on with had settled on; runs of before kept to their options."""
    plan = saved["tuning"].get("plan")
    return None if plan is None else TuningPlan.of_numbers(plan)


def _step_of(saved: dict[str, Any]) -> int:
    """The training step that a checkpoint was written after."""
    check_value(saved["step"], Whole, "step")
    return saved["step"]


def _context_of(saved: dict[str, Any]) -> list[str] | None:
    """The names of the photos that a run's encoder saw; None for version 0.1, which kept their places in a list."""
    names = saved["tuning"]["scene"]["context"]
    return names if all(isinstance(name, str) for name in names) else None
