"""TokenGSPipeline: brings a scene's photos and the network together; every training step is a tuning step."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from nerfstudio.pipelines.base_pipeline import VanillaPipeline, VanillaPipelineConfig
from nerfstudio.utils.rich_utils import CONSOLE
from torch import Tensor

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.datamanager import SceneDataManager, SceneDataManagerConfig
from tokengs_nerfstudio.model import TokenGSModel, TokenGSModelConfig


@dataclass
class TokenGSPipelineConfig(VanillaPipelineConfig):
    """Feed-forward reconstruction of one scene, then tuning on it."""

    _target: type = field(default_factory=lambda: TokenGSPipeline)
    datamanager: SceneDataManagerConfig = field(default_factory=SceneDataManagerConfig)  # type: ignore[assignment]
    """The images"""
    model: TokenGSModelConfig = field(default_factory=TokenGSModelConfig)  # type: ignore[assignment]
    """The network and its tuning"""


class TokenGSPipeline(VanillaPipeline):
    """Needs photos and network only between `begin` and the last step; made without both for a finished run."""

    config: TokenGSPipelineConfig  # type: ignore[assignment]
    datamanager: SceneDataManager  # type: ignore[assignment]

    def __init__(
        self,
        config: TokenGSPipelineConfig,
        device: str | torch.device,
        test_mode: Literal["test", "val", "inference"] = "val",
        world_size: int = 1,
        local_rank: int = 0,
        grad_scaler: Any = None,
    ):
        if world_size > 1:
            raise ValueError(f"one scene is tuned on one device, got {world_size}; use --machine.num-devices 1")
        super().__init__(config, device, test_mode, world_size, local_rank, grad_scaler)  # type: ignore[arg-type]
        self._scene: dict[str, Any] = {}

    @property
    def model(self) -> TokenGSModel:
        return self._model  # type: ignore[return-value]

    @property
    def tuning(self) -> SceneTuning | None:
        return self.model.tuning

    def begin(self, steps: int) -> None:
        """Load the network, choose and read the photos, encode, and bake the feed-forward result.

        Raises ValueError or FileNotFoundError for photos and weights that are not there or do not fit.
        """
        started = time.perf_counter()
        network = self.model.load_network()
        context = self.datamanager.choose_context(network.config.num_context)
        tuning = self.config.model.tuning
        supervised = context if tuning.supervision == "context" else list(range(len(self.datamanager.train_dataset)))
        size = self.datamanager.supervised_size()
        views = self._timed(network, self.datamanager.views(supervised, *size, background=tuning.background))
        seen = views.select([supervised.index(position) for position in context])
        loaded = time.perf_counter()
        with CONSOLE.status("Encoding the context views"):
            self.model.begin(network, seen, views, steps)
        self._scene = {
            "checkpoint": self.config.model.checkpoint,
            "context": context,
            "supervised": len(supervised),
            "size": list(size),
        }
        self._report(network, context, views.num_views, size, loaded - started, time.perf_counter() - loaded)

    def _timed(self, network: TokenGSNetwork, views: Views) -> Views:
        """Weights that know time see a capture without times as one moment; that is said."""
        if network.config.time_channels == 0 or views.times is not None:
            return views
        CONSOLE.log(
            "[yellow]These weights know time, this capture does not: all photos count as of one moment, time 0. "
            "If the scene moves, give every frame in transforms.json a `time`"
        )
        return replace(views, times=views.c2w.new_zeros(views.num_views))

    def _report(
        self,
        network: TokenGSNetwork,
        context: list[int],
        supervised: int,
        size: tuple[int, int],
        loading: float,
        encoding: float,
    ) -> None:
        names = [self.datamanager.train_dataset.image_filenames[position].name for position in context]
        CONSOLE.log(f"Context: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}")
        CONSOLE.log(
            f"{self.model.num_points:,} Gaussians from {len(context)} views and {network.config.tokens} tokens in "
            f"{encoding:.1f} s (photos and weights read in {loading:.1f} s); tuning is supervised by {supervised} "
            f"photos of {size[1]}x{size[0]}, {self.datamanager.num_held_out} photos are held out"
        )

    def state_of_tuning(self) -> dict[str, Any]:
        """What `resume` needs beside the baked Gaussians: tensors and plain values."""
        assert self.tuning is not None
        return {"scene": self._scene, "state": self.tuning.state_dict()}

    def resume(self, saved: Mapping[str, Any], steps: int) -> int:
        """Go on from `state_of_tuning` and say how many steps are to come: the rest of an interrupted plan, or `steps`.

        ValueError where the state belongs to other photos or other weights.
        """
        assert self.tuning is not None
        for name, value in saved["scene"].items():
            if value != self._scene[name]:
                raise ValueError(
                    f"the run to resume had {name} {value}, now it is {self._scene[name]}: "
                    "resume with the same capture and flags, or start anew without --load-dir"
                )
        self.tuning.load_state_dict(saved["state"])
        if self.tuning.finished:
            self.tuning.extend(steps)
        self.model.bake()
        return self.tuning.steps_left

    def get_train_loss_dict(self, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """One tuning step. The loss comes back as a leaf: the tuning has already followed its gradient."""
        assert self.tuning is not None
        parts = {name: torch.as_tensor(value).detach() for name, value in self.tuning.step().items()}
        loss = parts.pop("loss", torch.zeros((), device=self.device)).clone().requires_grad_()
        if (step + 1) % self.config.model.steps_per_bake == 0 or self.tuning.finished:
            self.model.bake()
        return {}, {"loss": loss}, parts

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> list[TrainingCallback]:
        trainer = training_callback_attributes.trainer

        def stop_when_finished(step: int) -> None:
            if trainer is not None and self.tuning is not None and self.tuning.finished:
                trainer.stop_training = True

        return [TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN_ITERATION], stop_when_finished)]

    def get_average_eval_image_metrics(
        self, step: int | None = None, output_path: Path | None = None, get_std: bool = False
    ) -> dict[str, Any]:
        """Means over the evaluation images; `held_out_images` says how many of them the method has never seen."""
        held_out = self.datamanager.num_held_out
        if held_out == 0:
            CONSOLE.log("[yellow]No photo is held out: these are the photos the scene was made from")
        metrics = super().get_average_eval_image_metrics(step, output_path, get_std)
        return {**metrics, "held_out_images": held_out}
