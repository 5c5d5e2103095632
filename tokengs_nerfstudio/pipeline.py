"""TokenGSPipeline: brings a scene's photos and the network together; every training step is a tuning step."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from nerfstudio.pipelines.base_pipeline import VanillaPipeline, VanillaPipelineConfig
from nerfstudio.utils.rich_utils import CONSOLE
from torch import Tensor

from tokengs_nerfstudio.command_line import (
    check_camera_path,
    check_format_of_rgba,
    check_numbers,
    check_outputs,
    command,
    draws_from_the_photos,
    offer_ffmpeg,
)
from tokengs_nerfstudio.console import say, show_messages_of_the_package
from tokengs_nerfstudio.core.checkpoint.loading import network_config
from tokengs_nerfstudio.core.errors import UserError, content_of, one_line
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.ranges import check
from tokengs_nerfstudio.core.tuning.entry_checks import check_version
from tokengs_nerfstudio.core.tuning.plan import TuningPlan
from tokengs_nerfstudio.core.tuning.planning import PlannedTuning, Planner
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.datamanager import SceneDataManager, SceneDataManagerConfig
from tokengs_nerfstudio.exports import check_box, check_export, check_photos, warn_of_texture
from tokengs_nerfstudio.flags import flag
from tokengs_nerfstudio.heartbeat import quality
from tokengs_nerfstudio.model import PlanOf, TokenGSModel, TokenGSModelConfig
from tokengs_nerfstudio.run_capture import RunCapture
from tokengs_nerfstudio.run_content import RunContent, weights_still_here
from tokengs_nerfstudio.run_photos import RunPhotos
from tokengs_nerfstudio.viewer import OpeningView, SceneControls, within

_log = logging.getLogger(__name__)


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

    @one_line()
    def __init__(
        self,
        config: TokenGSPipelineConfig,
        device: str | torch.device,
        test_mode: Literal["test", "val", "inference"] = "val",
        world_size: int = 1,
        local_rank: int = 0,
        grad_scaler: Any = None,
    ):
        if test_mode == "val":
            check(config, lambda path: flag(f"pipeline.{path}"))
        if world_size > 1:
            raise UserError(f"one scene is tuned on one device, got {world_size}; use --machine.num-devices 1")
        if test_mode != "val":
            check_format_of_rgba()
            check_numbers()
            check_camera_path()
            check_outputs()
            check_export()
            offer_ffmpeg()
        show_messages_of_the_package()
        super().__init__(config, device, test_mode, world_size, local_rank, grad_scaler)  # type: ignore[arg-type]
        said = self.model.settle_weights(self.train_cameras.times)
        if said is not None and test_mode == "val":
            say(said)
        check_photos(self.train_cameras)
        warn_of_texture(self.device)
        self._content = RunContent()
        self._capture: RunCapture | None = None
        self.context: list[int] = []
        self._is_object, self._aligned, self._focal = False, "", 1.0
        self._add_to_viewer(test_mode)

    def _add_to_viewer(self, test_mode: str) -> None:
        """nerfstudio's viewer looks for its elements among the attributes of a pipeline."""
        self.opening_view = OpeningView(self)
        model = self.model
        self._controls = SceneControls(
            model.set_minimum_opacity, self.show_feed_forward, self.encode, model.set_flow_time
        )
        elements = self._controls.elements()
        name, photos = self.model.weights_name(), self.datamanager.train_dataset.image_filenames
        weights = network_config(name) if test_mode == "val" else weights_still_here(name, photos)
        if test_mode == "val" and weights is not None:
            self.datamanager.includes_time &= weights.time_channels > 0
        if self.datamanager.includes_time:
            elements |= self._controls.motion_elements()
        if weights is not None and test_mode in ("val", "test"):
            tokens = self.model.config.num_tokens or weights.tokens
            elements |= self._controls.encoding_elements(self.context, tokens)
        for name, element in elements.items():
            setattr(self, name, element)

    def encode(self, context: Sequence[int], tokens: int) -> None:
        """Show what the network predicts of other context photos (positions in the train split) or tokens.

        UserError for photos that are not there.
        """
        data = self.datamanager
        chosen = within(context, len(data.train_dataset))
        network = self.model.load_network(tokens)
        views = data.views(chosen, *data.supervised_size(), background=network.config.background)
        self.model.predict(network, Example(views, views))

    def show_feed_forward(self, wanted: bool) -> None:
        """Show what the network predicts, or what the tuning has reached; a finished run encodes its context anew."""
        if wanted and not self.model.has_prediction:
            network = self.model.load_network()
            self.encode(
                self.context or self.datamanager.choose_context(network.config.num_context), network.config.tokens
            )
        self.model.show_feed_forward(wanted)

    @property
    def train_cameras(self) -> Cameras:
        """Those of the photos that are reconstructed from, undistorted, in nerfstudio's world."""
        return self.datamanager.train_dataset.cameras

    @property
    def means(self) -> Tensor:
        """Where the Gaussians that everybody sees are."""
        return self.model.means

    def get_extra_state(self) -> dict[str, Any]:
        """Which photos the encoder saw, by name, whether the scene is an object that masks were to cut out, how it was
        moved to where the cameras as given see it, in words, what their focal lengths were multiplied by, and the
        capture as it was."""
        return {
            "context": self.datamanager.names(self.context),
            "object": self._is_object,
            "aligned": self._how_aligned(),
            "focal": self._focal,
            "capture": None if self._capture is None else self._capture.state_dict(),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        # Runs of older versions do not say all of it.
        self._take_for_object(state.get("object", False))
        if state.get("capture") is not None:
            self._lie_where_it_was(RunCapture.of_state(state["capture"]))
        self._aligned = state.get("aligned", "")
        self._correct_focal(state.get("focal", 1.0))
        try:
            self._use_context(self.datamanager.positions(state["context"]))
        except ValueError:  # the capture has changed; the run is still there to be looked at
            self._use_context([])

    def _lie_where_it_was(self, capture: RunCapture) -> None:
        """Cameras of the capture are where the run had it, whichever photos came or went; what else has changed is
        said. UserError for commands that would measure or draw by what is not so any more."""
        data, self._capture = self.datamanager, capture
        if data.lie_in(capture.frame):
            say(f"{data.get_datapath()} has another frame than when the run began, which keeps its own")
        if command() == "ns-eval":
            capture.check_evaluation(data)
        if draws_from_the_photos():
            capture.check_cameras(data)
        for doubt in capture.doubts(data):
            _log.warning(doubt)

    def _num_held_out(self) -> int:
        """How many evaluation photos the run was not made from; UserError where what is measured would mean nothing."""
        if self._capture is None:
            return self.datamanager.num_held_out
        self._capture.check_evaluation(self.datamanager)
        return self._capture.num_held_out(self.datamanager)

    def _how_aligned(self) -> str:
        """In words; nothing where the cameras are as given. A run that is only looked at has it from its checkpoint."""
        found = None if self.model.tuning is None else self.model.alignment()
        return self._aligned if found is None else found.text

    def _correct_focal(self, factor: float) -> None:
        """All cameras of the capture have `factor` times the focal lengths that it gives them."""
        self.datamanager.correct_focal(factor)
        self._focal = factor

    def _take_for_object(self, is_object: bool) -> None:
        self._is_object = is_object
        if is_object:
            self.datamanager.cut_out_by_masks()

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool | None = None) -> None:  # type: ignore[override]
        super().load_state_dict(state_dict, strict)
        self.datamanager.includes_time = bool(self.model.baked_times)

    def _use_context(self, context: list[int]) -> None:
        self.context = context
        self._controls.show_context(context)
        self.opening_view.refresh()

    @property
    def model(self) -> TokenGSModel:
        return self._model  # type: ignore[return-value]

    @one_line()
    def load_pipeline(self, loaded_state: dict[str, Any], step: int) -> None:
        """As nerfstudio's; UserError for what is no checkpoint of this method."""
        with content_of(Path("the checkpoint"), "one of this method", "train again, or name another run"):
            super().load_pipeline(loaded_state, step)
        check_box(self.means)

    def begin(
        self,
        steps: int = 0,
        context_before: Sequence[str] | None = None,
        planned: PlanOf | None = None,
        network: TokenGSNetwork | None = None,
    ) -> None:
        """Load the network, choose and read the photos, encode, and bake the feed-forward result; `steps` of tuning may
        follow, or what is `planned`.

        The context is that of the run to go on with, by names, unless the options ask for another. A `network` is what
        the model would load, for those who have it already. Raises ValueError or FileNotFoundError for photos and
        weights that are not there or do not fit.
        """
        started = time.perf_counter()
        network = network or self.model.load_network()
        self._take_for_object(network.config.frame == "orbit")
        self._correct_focal(1.0)
        self._capture = RunCapture.of(self.datamanager)
        photos = RunPhotos.read(self.datamanager, network.config, self.model.supervised_by_context(), context_before)
        context = photos.context
        loaded = time.perf_counter()
        with CONSOLE.status("Encoding the context views") as status:

            def plan(planner: Planner) -> PlannedTuning:
                planner = replace(planner, told=lambda what: status.update(f"Trying {what}"))
                return planner.by_steps(steps) if planned is None else planned(planner)

            def first() -> None:
                self._use_context(context)
                say(f"{self.model.num_points:,} Gaussians from {len(context)} views to begin with")

            self.model.begin(network, photos.example, steps, plan, self.datamanager.points(), first)
        encoding = f"{time.perf_counter() - loaded:.1f} s"
        self._content = photos.content(network, self.model)
        self._correct_focal(self.model.running_tuning().focal)
        if self.context != context:
            self._use_context(context)
        tried = ", trials included" if self.model.planned().trials else ""
        for line in photos.report(network, loaded - started, encoding + tried):
            say(line)

    def state_of_tuning(self) -> dict[str, Any]:
        """Tensors and plain values: what the run was made of, which `resume` compares, and where its tuning stands.

        What viewing and exporting need stands under "scene" too: where the capture was, the transform from its world
        to nerfstudio's [3, 4] and the scale that follows it (with what ns-process-data had applied before), the
        context cameras in nerfstudio's world with OpenCV axes, their times, and the near and far planes there.
        """
        tuning = self.model.running_tuning().state_dict()
        return {"scene": self._content.state_dict(), "state": tuning, "plan": self.plan().as_numbers()}

    def plan(self) -> TuningPlan:
        """What the tuning has settled on, for whoever wants to repeat it."""
        return self.model.planned().plan()

    def resume(self, saved: Mapping[str, Any], steps: int) -> int:
        """Go on from `state_of_tuning` and say how many steps are to come: the rest of an interrupted plan, or `steps`.

        ValueError where the state belongs to other photos or other weights, or to version 0.1.
        """
        tuning = self.model.running_tuning()
        check_version(saved["state"])
        self._content.check(saved["scene"])  # first: other cameras leave out another photo, which is another kind
        tuning.load_state_dict(saved["state"])
        if tuning.finished:
            tuning.extend(steps)
        self.model.bake()
        return tuning.steps_left

    def bake(self) -> None:
        """Make what the tuning has reached what everybody sees."""
        self.model.bake(with_tokens=True)

    @property
    def stage(self) -> str:
        """What is being optimised now."""
        return self.model.stage

    @property
    def steps_left(self) -> int:
        """Planned steps still to be taken, at most; none in a run that is only looked at."""
        return 0 if self.model.tuning is None else self.model.tuning.steps_left

    def status(self, loss: float) -> str:
        """Where the tuning is, in one line."""
        tuning = self.model.running_tuning()
        planned = tuning.steps_done + tuning.steps_left
        return f"Tuning {self.stage}: step {tuning.steps_done} of {planned}, loss {loss:.4f}, {quality(tuning)}"

    def summary(self) -> list[str]:
        """What the run did, in a few lines."""
        return self.model.summary()

    def get_train_loss_dict(self, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """One tuning step. The loss comes back as a leaf: the tuning has already followed its gradient."""
        parts = self.model.tuning_step(step)
        loss = parts.pop("loss", torch.zeros((), device=self.device)).clone().requires_grad_()
        return {}, {"loss": loss}, parts

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> list[TrainingCallback]:
        trainer = training_callback_attributes.trainer

        def stop_when_finished(step: int) -> None:
            if trainer is not None and self.model.finished:
                trainer.stop_training = True

        return [TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN_ITERATION], stop_when_finished)]

    @one_line()
    def get_eval_image_metrics_and_images(self, step: int) -> Any:
        """As nerfstudio's, whatever is set in the viewer."""
        self._num_held_out()
        with self.model.as_it_is():
            return super().get_eval_image_metrics_and_images(step)

    @one_line()
    def get_average_eval_image_metrics(
        self, step: int | None = None, output_path: Path | None = None, get_std: bool = False
    ) -> dict[str, Any]:
        """Means over the evaluation images; `held_out_images` says how many of them the method has never seen,
        `poses_aligned` is 1 where corrected cameras and the given ones, the held-out ones among them, were brought
        together by a similarity."""
        held_out = self._num_held_out()
        if held_out == 0:
            CONSOLE.log("[yellow]No photo is held out: these are the photos the scene was made from")
        with self.model.as_it_is():
            metrics = super().get_average_eval_image_metrics(step, output_path, get_std)
        aligned = self._how_aligned()
        if aligned:
            CONSOLE.log(f"The tuning corrected its cameras; held-out ones and scene were brought together: {aligned}")
        return {**metrics, "held_out_images": held_out, **({"poses_aligned": 1} if aligned else {})}
