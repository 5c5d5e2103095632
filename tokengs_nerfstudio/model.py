"""TokenGSModel: a network and its tuning on one scene, baked into Gaussians in nerfstudio's frame."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, Literal

import torch
from torch import Tensor
from torch.nn import ParameterDict

from tokengs_nerfstudio.core.baking import BakedScene, bake
from tokengs_nerfstudio.core.checkpoint import load_network
from tokengs_nerfstudio.core.checkpoint.registry import USUAL, USUAL_FOR_MOVING, default_weights
from tokengs_nerfstudio.core.confidence import confidences
from tokengs_nerfstudio.core.geometry.alignment import Alignment
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.network.config import TokenCount
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene, moments_of, prepare
from tokengs_nerfstudio.core.ranges import Count, Length, Range, Share
from tokengs_nerfstudio.core.tuning import SceneTuning, TuningConfig
from tokengs_nerfstudio.core.tuning.planning import PlannedTuning, Planner
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.outputs import Prediction, TokenOrigins
from tokengs_nerfstudio.splats import SplatsModel, SplatsModelConfig


@dataclass
class TokenGSModelConfig(SplatsModelConfig):
    """The network, and how it is tuned on the scene."""

    _target: type = field(default_factory=lambda: TokenGSModel)
    checkpoint: str | None = None
    """Weights: a registered name, a .safetensors file, or hf://owner/repo/path. If not set: `small`; for a capture
    whose photos were taken at several times (`time` in transforms.json) `tiny-dynamic`, where these are at hand."""
    num_tokens: TokenCount | None = None
    """Tokens to decode, each a fixed number of Gaussians. If not set: as many as the weights have."""
    num_latents: TokenCount | None = None
    """Latents between photos and Gaussians, for weights that have such a bottleneck. If not set: as many as those."""
    scene_scale: Length | None = None
    """What the lengths of the capture (in nerfstudio's frame) are multiplied with for the network.
    If not set: the rule that the weights were trained with."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of encoder and decoder."""
    steps_per_bake: Count = 10
    """Steps between two looks that viewer and evaluation get at the scene while it is tuned."""
    bake_times: Annotated[int, Range(2, 4096)] | None = None
    """How many times a scene that moves is kept at; in between it is interpolated. Each takes 56 bytes a Gaussian that
    moves. If not set: the times of its photos, 32 at most."""
    flow_time: Share | None = None
    """Where the output `flow` leads from the time that is shown, in [0, 1] over the times of the capture. If not set:
    to the next time that the scene is kept at."""
    rasterize_mode: Literal["classic", "antialiased"] = "classic"
    """How Gaussians are tuned and shown, as in splatfacto: antialiased keeps the fineness of a picture when it is drawn
    larger or smaller than the photos. Stored with the run; a PLY file cannot say it, and most viewers draw classic,
    where small Gaussians come out brighter and thicker: for files to be looked at elsewhere, tune classic."""
    tuning: TuningConfig = field(default_factory=TuningConfig)
    """How the scene is tuned"""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Settings from a file; version 0.1 had the limit on the number of Gaussians here."""
        kept = dict(state)
        limit = kept.pop("max_gaussians", None)
        vars(self).update(kept)
        if limit is not None:
            self.tuning.max_gaussians = limit


PlanOf = Callable[[Planner], PlannedTuning]
"""What is to be tuned, and how, on a scene that is ready."""


class TokenGSModel(SplatsModel):
    """Shows baked Gaussians; while a scene is tuned, bakes what the tuning has reached.

    Nothing but the baked Gaussians is part of its state: a finished run needs neither the network nor the photos.
    """

    config: TokenGSModelConfig  # type: ignore[assignment]

    def populate_modules(self) -> None:
        super().populate_modules()
        self.tuning: SceneTuning | None = None
        self._planned: PlannedTuning | None = None
        self._prediction: Prediction | None = None
        self._origins: TokenOrigins | None = None
        self._prepared: PreparedScene | None = None

    def load_network(self, num_tokens: int | None = None) -> TokenGSNetwork:
        """The network that the configuration names, frozen; CheckpointError where there is none.

        With as many tokens as the configuration says, or as `num_tokens` does.
        """
        config = self.config
        network = load_network(
            self.weights_name(),
            num_tokens=config.num_tokens if num_tokens is None else num_tokens,
            num_latents=config.num_latents,
            precision=config.precision,
            device=self.device,
        )
        return network.float().requires_grad_(False)

    def begin(
        self,
        network: TokenGSNetwork,
        example: Example,
        steps: int,
        plan: PlanOf | None = None,
        points: PointCloud | None = None,
        first: Callable[[], None] = lambda: None,
    ) -> None:
        """Encode the context and bake the feed-forward result; `steps` tuning steps may follow, or what is the plan.

        The photos, and points of it where these are known, are one scene's, in nerfstudio's world with OpenCV axes, at
        the size of the supervision. Where trials come before the plan, the feed-forward result can be looked at
        meanwhile: `first` is called once it is there.
        """
        points = None if points is None else points.to(self.device)
        scene = prepare(network, example.to(self.device), self.config.scene_scale, points)

        def begun(tuning: SceneTuning) -> None:
            self.show(self._bake(tuning, scene))
            first()

        planner = Planner(network, scene, self.config.tuning, antialiased=self._antialiased(), begun=begun)
        self._planned = planner.by_steps(steps) if plan is None else plan(planner)
        self.tuning, self._prepared = self._planned.tuning, scene
        self._prediction = self._predicted(network, self.tuning, scene)
        self._origins = self._prediction.origins
        self.bake()

    def predict(self, network: TokenGSNetwork, example: Example) -> None:
        """Encode photos, as in `begin`, for those who look at what the network predicts; a tuning goes on as it was."""
        scene = prepare(network, example.to(self.device), self.config.scene_scale)
        self._prediction = self._predicted(network, self._tuning_of(network, scene, 0), scene)

    def _tuning_of(self, network: TokenGSNetwork, scene: PreparedScene, steps: int) -> SceneTuning:
        return SceneTuning(network, scene, self.config.tuning, steps, antialiased=self._antialiased())

    def _antialiased(self) -> bool:
        # No property: nerfstudio's viewer asks for all of them, also where the configuration has no such option.
        return self.config.rasterize_mode == "antialiased"

    @property
    def has_prediction(self) -> bool:
        """Whether something was encoded in this process."""
        return self._prediction is not None

    def settle_weights(self, times: Tensor | None) -> str | None:
        """Where the options name no weights, those that suit the times of a capture's photos are taken, and the
        configuration says so; what is to be said of it, if anything."""
        if self.config.checkpoint is not None:
            return None
        moments = 1 if times is None else len(times.unique())
        self.config.checkpoint = name = default_weights(moving=moments > 1)
        if name != USUAL_FOR_MOVING:
            return None
        return (
            f"The photos were taken at {moments} times: reconstructed as a scene that moves, by the weights '{name}' "
            f"(as one that stands still: --pipeline.model.checkpoint {USUAL})"
        )

    def weights_name(self) -> str:
        """The weights by the name they were asked for, or that of the usual ones."""
        return default_weights(moving=False) if self.config.checkpoint is None else self.config.checkpoint

    def flow_time(self) -> float | None:
        """As `SplatsModel.flow_time`: what is set in the viewer counts before the configuration."""
        return self.config.flow_time if self.view.flow_time is None else self.view.flow_time

    def supervised_by_context(self) -> bool:
        """Whether the tuning looks at no photo but those that the encoder sees."""
        return self.config.tuning.supervision == "context"

    def prepared_scene(self) -> PreparedScene:
        """The scene as the network sees it; RuntimeError for a run that is only looked at."""
        if self._prepared is None:
            raise RuntimeError("this run is only looked at: there is no scene to tune")
        return self._prepared

    def running_tuning(self) -> SceneTuning:
        """The tuning; RuntimeError for a run that is only looked at."""
        if self.tuning is None:
            raise RuntimeError("this run is only looked at: nothing is being tuned")
        return self.tuning

    def planned(self) -> PlannedTuning:
        """The tuning with its plan; RuntimeError for a run that is only looked at."""
        if self._planned is None:
            raise RuntimeError("this run is only looked at: nothing is being tuned")
        return self._planned

    def alignment(self) -> Alignment | None:
        """How the scene has been moved so that the photos' cameras, as given, see it; None where none was corrected."""
        cameras = self.running_tuning().cameras.cameras()
        return self.prepared_scene().alignment(cameras)

    @property
    def finished(self) -> bool:
        return self.tuning is not None and self.tuning.finished

    @property
    def stage(self) -> str:
        """What is being optimised now; nothing in a run that is only looked at."""
        return "" if self.tuning is None else self.tuning.stage

    def tuning_step(self, step: int) -> dict[str, Tensor]:
        """One step; the loss and its parts, detached. Every `steps_per_bake` steps everybody sees the result."""
        parts = {name: torch.as_tensor(value).detach() for name, value in self.planned().step().items()}
        if (step + 1) % self.config.steps_per_bake == 0 or self.finished:
            self.bake()
        return parts

    def summary(self) -> list[str]:
        """What the run did, in a few lines."""
        lines = [] if self.tuning is None else [self.tuning.report().text]
        if self.baked_times:
            first, last = self.baked_times[0], self.baked_times[-1]
            count, moving = len(self.baked_times), len(self.gauss_params["moving"])
            lines.append(
                f"The scene moves: baked at {count} times from {first:g} to {last:g}, {moving:,} moving Gaussians in "
                f"{self.baked().memory / 1e6:.2g} MB; `ns-export gaussian-splat` writes the first one, {first:g}"
            )
        return lines

    def bake(self, with_tokens: bool = False) -> None:
        """Make what the tuning has reached what everybody sees; nothing happens for a run that is only looked at.

        `with_tokens` keeps the number of each Gaussian's token with it, and how far it can be believed: a finished run
        cannot find these out.
        """
        if self.tuning is None or self._prepared is None:
            return
        self.show(self._bake(self.tuning, self._prepared))
        if with_tokens and self._origins is not None:
            beside = {"tokens": self._origins.of(self.gauss_params["means"]), **self._confidence()}
            self._take({**dict(self.gauss_params.items()), **beside}, self._rendering)

    def _confidence(self) -> dict[str, Tensor]:
        """How far each baked Gaussian can be believed; of a scene that moves nothing is said."""
        if self.baked_times:
            return {}
        tuning = self.running_tuning()
        splats = self.baked().still.transformed(self._placed(tuning, self.prepared_scene()).to_canonical)
        return {"confidence": confidences(splats, tuning.supervision.views, tuning.rendering)}

    def show_feed_forward(self, wanted: bool) -> None:
        """Whoever looks sees what the network predicts, or what the tuning has reached."""
        self.view = replace(self.view, feed_forward=wanted)

    def _looked_at(self) -> tuple[BakedScene, Callable[[], Tensor] | None, Tensor | None]:
        if self.view.feed_forward and self._prediction is not None:
            return self._prediction.baked, self._prediction.tokens, None
        return super()._looked_at()

    def _tokens_of(self, parameters: ParameterDict) -> Callable[[], Tensor] | None:
        stored = super()._tokens_of(parameters)
        if stored is not None or self._origins is None:
            return stored
        return partial(self._origins.of, parameters["means"])

    def _predicted(self, network: TokenGSNetwork, tuning: SceneTuning, scene: PreparedScene) -> Prediction:
        """What a tuning starts from; at the times of what the run has baked so far, where it has."""
        decoded = tuning.gaussians().transformed(self._placed(tuning, scene).to_canonical.inverse())
        baked = self._bake(tuning, scene, self.baked_times or None)
        return Prediction(baked, TokenOrigins(decoded, network.config.gaussians_per_token))

    def _bake(self, tuning: SceneTuning, scene: PreparedScene, times: Sequence[float] | None = None) -> BakedScene:
        photos = scene.example.target.times
        if times is None and photos is not None:
            times = moments_of(photos, self.config.bake_times)
        return bake(tuning.gaussians, self._placed(tuning, scene), tuning.rendering, times)

    def _placed(self, tuning: SceneTuning, scene: PreparedScene) -> PreparedScene:
        return scene.following(tuning.cameras.cameras())
