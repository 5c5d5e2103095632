"""The training of a network as nerfstudio's pipeline.

The step is that of `tokengs-pretrain`: with the same seed and settings both have the same losses.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.pipelines.base_pipeline import Pipeline, VanillaPipeline, VanillaPipelineConfig
from torch import Tensor
from torchvision.utils import save_image

from tokengs_nerfstudio.commands.recipes import recipe_of
from tokengs_nerfstudio.core.errors import UserError, one_line
from tokengs_nerfstudio.core.evaluation import score
from tokengs_nerfstudio.core.ranges import Count, Range, check
from tokengs_nerfstudio.core.rendering.piecewise import slices
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import predict, render_targets
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.core.training.pace import Pace
from tokengs_nerfstudio.core.training.parallel import Threads, twin
from tokengs_nerfstudio.core.training.start import starting_network
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.batches import MOST_RUNS, made_ahead
from tokengs_nerfstudio.flags import flag
from tokengs_nerfstudio.pretrain.datamanager import PretrainDataManager, PretrainDataManagerConfig
from tokengs_nerfstudio.pretrain.model import PretrainModel, PretrainModelConfig
from tokengs_nerfstudio.viewer import OpeningView


@dataclass
class PretrainPipelineConfig(VanillaPipelineConfig):
    """The training of a network over many scenes."""

    _target: type = field(default_factory=lambda: PretrainPipeline)
    datamanager: PretrainDataManagerConfig = field(default_factory=PretrainDataManagerConfig)  # type: ignore[assignment]
    """The scenes"""
    model: PretrainModelConfig = field(default_factory=PretrainModelConfig)  # type: ignore[assignment]
    """The network"""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """How it is optimised"""
    seed: Annotated[int, Range(0, MOST_RUNS - 1)] = 0
    """Seed of the weights and of the scenes."""
    threads: Count = 2
    """Threads that share a step on the CPU, one core each."""
    steps_per_show: Count = 25
    """Steps between two looks that the viewer gets at what the network predicts."""


class PretrainPipeline(VanillaPipeline):
    """Trains between `begin` and the last step; before and without that it holds a network that can be looked at."""

    config: PretrainPipelineConfig  # type: ignore[assignment]
    datamanager: PretrainDataManager  # type: ignore[assignment]

    @one_line()
    def __init__(
        self,
        config: PretrainPipelineConfig,
        device: str | torch.device,
        test_mode: Literal["test", "val", "inference"] = "val",
        world_size: int = 1,
        local_rank: int = 0,
        grad_scaler: Any = None,
    ):
        # The scenes depend on the network, which is why nothing is set up in VanillaPipeline's order.
        Pipeline.__init__(self)
        if test_mode == "val":
            check(config, lambda path: flag(f"pipeline.{path}"))
        if world_size > 1:
            raise UserError(f"one process trains on one device, got {world_size}; use --machine.num-devices 1")
        config, architecture = _with_recipe(config)
        self.config, self.test_mode, self.world_size = config, test_mode, world_size
        # A run that is only looked at brings its own weights; those it started from may be gone.
        start = None if test_mode != "val" and architecture else config.model.start
        views = config.datamanager.batches.usual_context
        network = starting_network(architecture, start, views, config.seed).to(device)
        data = config.datamanager.setup(network=network.config, seed=config.seed, device=device)
        self.datamanager = data  # pyright: ignore[reportIncompatibleVariableOverride]
        dataset = data.train_dataset
        self._model = config.model.setup(
            scene_box=dataset.scene_box,
            num_train_data=len(dataset),
            metadata=dataset.metadata,
            device=device,
            grad_scaler=grad_scaler,
            network=network,
        )
        self.model.to(device)
        self.network_training: NetworkTraining | None = None
        self.context, self._context_cameras = list(range(len(dataset))), dataset.cameras
        self.opening_view = OpeningView(self)

    @property
    def train_cameras(self) -> Cameras:
        """Those of the context views of the scene that is shown."""
        return self._context_cameras

    @property
    def means(self) -> Tensor:
        """Where the Gaussians that are shown are."""
        return self.model.means

    @property
    def model(self) -> PretrainModel:
        return self._model  # type: ignore[return-value]

    def begin(self, steps: int) -> None:
        """Prepare to take `steps` steps; what is shown are the averaged weights from now on."""
        on_cpu = self.model.device.type == "cpu"
        if on_cpu:
            torch.set_num_threads(1)
        self._steps = steps
        self._examples: Iterator[Example] | None = None
        network = twin(self.model.network, shared=False).train()
        workers = Threads(network, self.config.threads) if on_cpu else None
        self.network_training = NetworkTraining(network, self.config.training, workers)
        self.model.network = self.network_training.averaged
        self.model.look_at(self.datamanager.shown)

    def state_of_training(self) -> dict[str, Any]:
        """What `resume` needs beside the averaged weights: tensors and plain values."""
        run = {"seed": self.config.seed, "planned": self._steps}
        return {**self._running().state_dict(), "run": run}

    def resume(self, saved: Mapping[str, Any], steps: int) -> int:
        """Go on from `state_of_training`. Returns the steps to come: the rest of an interrupted plan, or `steps`.

        ValueError where the state belongs to another network or another seed.
        """
        training, run = self._running(), saved["run"]
        if run["seed"] != self.config.seed:
            raise UserError(f"the run to resume had --pipeline.seed {run['seed']}, now it is {self.config.seed}")
        training.load_state_dict(dict(saved))
        planned = run["planned"]
        self._steps = planned if training.steps < planned else training.steps + steps
        self.model.look_at(self.datamanager.shown)
        return self._steps - training.steps

    @property
    def share(self) -> float:
        """How much of the plan is done."""
        return 0.0 if self.network_training is None else self.network_training.steps / max(self._steps, 1)

    def get_train_loss_dict(self, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """One training step. The loss comes back as a leaf: the step has already followed its gradient."""
        training = self._running()
        if self._examples is None:
            self._examples = made_ahead(self._example, training.steps)
            self._pace = Pace(self.share)
        example = next(self._examples).to(self.device)
        report = training.step(example, self._progress_at(training.steps))
        self._pace.step(example.num_scenes, self.share)
        if training.steps % self.config.steps_per_show == 0 or training.steps == self._steps:
            self.model.look_at(self.datamanager.shown)
        more = {"gradient": report.gradient_norm, "rate": report.learning_rate, "skipped": float(training.skipped)}
        losses = {name: torch.tensor(value) for name, value in {**report.losses, **more}.items()}
        speed = {"scenes_per_second": torch.tensor(self._pace.scenes_per_second)}
        return {}, {"loss": losses.pop("loss").requires_grad_()}, {**losses, **speed}

    def status(self, loss: float) -> str:
        """Where the run is, in one line."""
        return self._pace.text(self._running().steps, loss)

    def _running(self) -> NetworkTraining:
        if self.network_training is None:
            raise RuntimeError("this run is only looked at: nothing is being trained")
        return self.network_training

    def _progress_at(self, step: int) -> float:
        """Where the run is, 1 at the last step."""
        return step / max(self._steps - 1, 1)

    def _example(self, number: int) -> Example:
        maturity = self._running().schedule.maturity(number, self._progress_at(number))
        return self.datamanager.batches.batch(number, maturity)

    @torch.no_grad()
    @one_line()
    def get_average_eval_image_metrics(
        self, step: int | None = None, output_path: Path | None = None, get_std: bool = False
    ) -> dict[str, Any]:
        """Means over the target views of all held-out scenes; truth and rendering go side by side to `output_path`."""
        network, scores = self.model.network, []
        for selection in slices(self.datamanager.held_out.num_scenes, self.config.training.chunk):
            part = self.datamanager.batches.placed(self.datamanager.held_out[selection]).to(self.device)
            rendering = network.config.rendering(part)
            shown = render_targets(predict(network, part), part, rendering).rgb.clamp(0, 1)
            scores.append(vars(score(shown, part.target.images)))
            if output_path is not None:
                _save_beside(part.target.images, shown, output_path, selection.start)
        known = [name for name, values in scores[0].items() if values is not None]
        found = {name: torch.cat([part[name] for part in scores]).flatten() for name in known}
        means = {name: float(values.mean()) for name, values in found.items()}
        deviations = {f"{name}_std": float(values.std()) for name, values in found.items()} if get_std else {}
        return {**means, **deviations, "held_out_scenes": self.datamanager.held_out.num_scenes}


def _with_recipe(config: PretrainPipelineConfig) -> tuple[PretrainPipelineConfig, str | None]:
    """What its preset says where that is a training, and the preset of its network."""
    preset, data = config.model.preset, config.datamanager
    recipe = recipe_of(preset, config.model.start)
    if recipe is None:
        return config, preset
    scenes = replace(
        data,
        batches=recipe.applied(data.batches),
        captures=recipe.applied(data.captures),
        procedural=recipe.applied(data.procedural),
    )
    return replace(config, datamanager=scenes, training=recipe.applied(config.training)), recipe.architecture


def _save_beside(true: Tensor, shown: Tensor, folder: Path, first: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for scene, pictures in enumerate(torch.cat([true, shown], dim=-1), start=first):
        for view, picture in enumerate(pictures):
            save_image(picture.cpu(), folder / f"scene-{scene:03d}-view-{view}.png")
