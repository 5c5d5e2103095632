"""TokenGSTrainer: nerfstudio's Trainer with checkpoints that are whole or absent, and errors a person can read."""

import pickle
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from nerfstudio.configs.base_config import LocalWriterConfig, LoggingConfig, MachineConfig, ViewerConfig
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils.decorators import check_main_thread
from nerfstudio.utils.rich_utils import CONSOLE
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tokengs_nerfstudio.command_line import run_that_is_looked_at
from tokengs_nerfstudio.core.errors import MissingFileError, UserError, one_line
from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.heartbeat import Heartbeat
from tokengs_nerfstudio.pipeline import TokenGSPipeline

_CHECKPOINT = re.compile(r"step-(\d+)\.ckpt")


@dataclass
class TokenGSTrainerConfig(TrainerConfig):
    """Tuning of one scene."""

    _target: type = field(default_factory=lambda: TokenGSTrainer)
    max_num_iterations: int = 600
    """Tuning steps; 0 for the feed-forward result. Resuming an interrupted run takes the steps that it still had to
    take, resuming a finished one takes so many more."""
    steps_per_save: int = 100
    """Steps between two checkpoints; there is always one at the end."""
    load_dir: Path | None = None
    """Run to go on with: its folder, or the nerfstudio_models in it."""
    steps_per_eval_batch: int = 0
    """Steps between two evaluations on rays, of which there are none here."""
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
    def setup(self, test_mode: Literal["test", "val", "inference"] = "val") -> None:
        """As nerfstudio's; the viewer's address is said once more."""
        super().setup(test_mode)
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
        self._task = self._progress.add_task("", total=self.config.max_num_iterations, what="", loss="")
        self._beat = None if CONSOLE.is_terminal else Heartbeat(CONSOLE.log)
        with self._progress:
            super().train()

    def train_iteration(self, step: int) -> Any:
        result = super().train_iteration(step)
        self._progress.update(self._task, advance=1, what=self.pipeline.stage)
        if step % 10 == 0:  # reading the loss makes a GPU wait
            self._progress.update(self._task, loss=f"{float(result[0]):.4f}")
        if self._beat is not None:
            self._beat.step(self.pipeline.steps_left, lambda: self.pipeline.status(float(result[0])))
        return result

    def _after_train(self) -> None:
        self._progress.stop()
        self.pipeline.bake()
        for line in self.pipeline.summary():
            CONSOLE.log(line)
        super()._after_train()

    def _load_checkpoint(self) -> None:
        """Start the scene, or go on with the run that --load-dir or --load-checkpoint names.

        An interrupted run is brought to its planned end; a finished one gets max_num_iterations steps more.
        """
        path = self._checkpoint_to_load()
        saved = None if path is None else _read(path)
        self.pipeline.begin(self.config.max_num_iterations, None if saved is None else _context_of(saved))
        if saved is not None:
            self.config.max_num_iterations = self.pipeline.resume(saved["tuning"], self.config.max_num_iterations)
            self._start_step = saved["step"] + 1
            CONSOLE.log(f"Resumed {path}: {self.config.max_num_iterations} steps to go")

    def _checkpoint_to_load(self) -> Path | None:
        if self.config.load_checkpoint is not None:
            if not self.config.load_checkpoint.is_file():
                raise MissingFileError(f"there is no checkpoint {self.config.load_checkpoint}")
            return self.config.load_checkpoint
        if self.config.load_dir is None:
            return None
        return newest_checkpoint(self.config.load_dir, self.config.load_step)

    @check_main_thread
    def save_checkpoint(self, step: int) -> None:
        """Write the checkpoint beside its place, then move it there: killed at any moment, only whole ones remain."""
        self.pipeline.bake()
        self._write_checkpoint(step, {"tuning": self.pipeline.state_of_tuning()})

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


def newest_checkpoint(folder: Path, step: int | None = None) -> Path:
    """The last checkpoint in `folder` (a run's, or its nerfstudio_models), or that of `step`.

    FileNotFoundError that says why there is none.
    """
    inner = folder / "nerfstudio_models"
    folder = inner if inner.is_dir() else folder
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    found = {int(name[1]): name[0] for name in map(_CHECKPOINT.fullmatch, names) if name}
    if not found:
        reason = "no complete checkpoint in it" if folder.is_dir() else "there is no such folder"
        if any((run / "config.yml").is_file() for run in (folder, folder.parent)):
            reason = "that run ended before its first checkpoint was complete"
        raise MissingFileError(f"nothing to resume at {folder}: {reason}; start anew without --load-dir")
    if step is not None and step not in found:
        raise MissingFileError(f"no checkpoint of step {step} in {folder}; there are those of {sorted(found)}")
    return folder / found[max(found) if step is None else step]


def _read(path: Path) -> dict[str, Any]:
    """A checkpoint of this method; ValueError for a damaged file or another method's."""
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{path} cannot be read as a checkpoint ({error}); remove it and resume from another"
        ) from error
    if not isinstance(saved, dict) or "tuning" not in saved:
        raise UserError(f"{path} is no checkpoint of `ns-train tokengs`")
    return saved


def _context_of(saved: dict[str, Any]) -> list[str] | None:
    """The names of the photos that a run's encoder saw; None for version 0.1, which kept their places in a list."""
    names = saved["tuning"]["scene"]["context"]
    return names if all(isinstance(name, str) for name in names) else None
