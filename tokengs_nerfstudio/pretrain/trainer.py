"""PretrainTrainer: nerfstudio's loop around the training of a network, with checkpoints that are whole or absent."""

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nerfstudio.engine.trainer import Trainer
from nerfstudio.utils.decorators import check_main_thread
from nerfstudio.utils.rich_utils import CONSOLE

from tokengs_nerfstudio.commands.progress import display
from tokengs_nerfstudio.console import say
from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.core.errors import UserError, content_of, one_line
from tokengs_nerfstudio.core.ranges import Whole
from tokengs_nerfstudio.core.training.state import STATE_FORMAT, read_state
from tokengs_nerfstudio.pretrain.pipeline import PretrainPipeline
from tokengs_nerfstudio.trainer import TokenGSTrainer, TokenGSTrainerConfig


@dataclass
class PretrainTrainerConfig(TokenGSTrainerConfig):
    """Training of a network over many scenes."""

    _target: type = field(default_factory=lambda: PretrainTrainer)
    max_num_iterations: Whole = 10_000  # type: ignore[assignment]
    """Training steps. Resuming an interrupted run takes the steps that it still had to take, resuming a finished one
    takes so many more."""
    steps_per_save: Whole = 200
    """Steps between two checkpoints; there is always one at the end."""


class PretrainTrainer(TokenGSTrainer):
    """Drives the training, shows its pace, saves it so that it can go on after any interruption.

    What it leaves for others is `network.safetensors` in the run's folder: the averaged weights of the last checkpoint.
    """

    config: PretrainTrainerConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    pipeline: PretrainPipeline  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def weights(self) -> Path:
        """Where the averaged weights are written."""
        return self.base_dir / "network.safetensors"

    @one_line()
    def train(self) -> None:
        """Train, and show loss, scenes per second and time left."""
        with closing(self._folder), ExitStack() as self._showing:
            self._shown = self._showing.enter_context(display(CONSOLE))
            Trainer.train(self)

    def train_iteration(self, step: int) -> Any:
        result = Trainer.train_iteration(self, step)
        self._shown.update(self.pipeline.share, self.pipeline.status(float(result[0])))
        return result

    def _after_train(self) -> None:
        self._showing.close()
        scores = self.pipeline.get_average_eval_image_metrics()
        say(
            f"Novel views of {scores['held_out_scenes']} held-out scenes: {scores['psnr']:.2f} dB, SSIM "
            f"{scores['ssim']:.3f}; `ns-train tokengs --pipeline.model.checkpoint {self.weights}` takes the weights"
        )
        Trainer._after_train(self)

    def _load_checkpoint(self) -> None:
        """Start the training, or go on with the run that --load-dir or --load-checkpoint names.

        An interrupted run is brought to its planned end; a finished one gets max_num_iterations steps more.
        """
        path = self._origin
        saved = None if path is None else _read(path)
        self.pipeline.begin(self.config.max_num_iterations)
        if path is None or saved is None:
            return
        with content_of(path, "a checkpoint", "remove it and resume from another"):
            self.config.max_num_iterations = self.pipeline.resume(saved["training"], self.config.max_num_iterations)
            self._start_step = saved["step"] + 1
        say(f"Resumed {path}: {self.config.max_num_iterations} steps to go")

    @check_main_thread
    def save_checkpoint(self, step: int) -> None:
        """Write checkpoint and weights so that, killed at any moment, only whole ones remain."""
        self._write_checkpoint(step, {"format": STATE_FORMAT, "training": self.pipeline.state_of_training()})
        save_network(self.pipeline.model.network, self.weights)


def _read(path: Path) -> dict[str, Any]:
    saved = read_state(path)
    if "training" not in saved:
        raise UserError(f"{path} is a state of `tokengs-pretrain`: go on with that command and its output folder")
    return saved
