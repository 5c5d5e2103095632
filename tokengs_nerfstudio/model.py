"""TokenGSModel: a network and its tuning on one scene, baked into Gaussians in nerfstudio's frame."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import torch
import tyro
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes
from nerfstudio.model_components import renderers
from nerfstudio.models.base_model import Model, ModelConfig
from nerfstudio.models.splatfacto import SplatfactoModel
from torch import Tensor
from torch.nn import Parameter, ParameterDict

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.baking import BakedScene, bake
from tokengs_nerfstudio.core.checkpoint import load_network
from tokengs_nerfstudio.core.checks import all_finite
from tokengs_nerfstudio.core.errors import UserError, one_line
from tokengs_nerfstudio.core.evaluation import score
from tokengs_nerfstudio.core.metrics import psnr
from tokengs_nerfstudio.core.network.config import TokenCount
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene, prepare
from tokengs_nerfstudio.core.ranges import Count, Length
from tokengs_nerfstudio.core.tuning import SceneTuning, TuningConfig
from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig
from tokengs_nerfstudio.outputs import Outputs, Prediction, Sight, TokenOrigins, ViewSettings
from tokengs_nerfstudio.ray_bundles import outputs_along


@dataclass
class SplatsModelConfig(ModelConfig):
    """What methods inherited from splatfacto read and has one meaning here only."""

    sh_degree: tyro.conf.Suppress[int] = 0
    color_corrected_metrics: tyro.conf.Suppress[bool] = False
    background_color: tyro.conf.Suppress[str] = "grey"
    enable_collider: tyro.conf.Suppress[bool] = False
    collider_params: tyro.conf.Suppress[dict[str, float] | None] = None
    loss_coefficients: tyro.conf.Suppress[dict[str, float]] = field(default_factory=dict)
    eval_num_rays_per_chunk: tyro.conf.Suppress[int] = 4096
    prompt: tyro.conf.Suppress[str | None] = None


@dataclass
class TokenGSModelConfig(SplatsModelConfig):
    """The network, and how it is tuned on the scene."""

    _target: type = field(default_factory=lambda: TokenGSModel)
    checkpoint: str = "tiny"
    """Weights: a registered name, a .safetensors file, or hf://owner/repo/path."""
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


class TokenGSModel(SplatfactoModel):
    """Renders, evaluates and exports baked Gaussians; while a scene is tuned, bakes what the tuning has reached.

    A SplatfactoModel to nerfstudio's exporter and viewer. Nothing but the baked Gaussians is part of its state: a
    finished run needs neither the network nor the photos. A scene that moves is baked at several times of its photos;
    cameras see it at their own time, exporters at the first one.
    """

    config: TokenGSModelConfig  # type: ignore[assignment]

    def populate_modules(self) -> None:
        nothing = torch.zeros(0, 3)
        empty = Gaussians(nothing, torch.zeros(0, 4), nothing, torch.zeros(0), nothing)
        self.crop_box = None
        self.step = 0
        self.view = ViewSettings()
        self.tuning: SceneTuning | None = None
        self._prediction: Prediction | None = None
        self._origins: TokenOrigins | None = None
        self._prepared: PreparedScene | None = None
        self.show(BakedScene(empty))

    def load_network(self, num_tokens: int | None = None) -> TokenGSNetwork:
        """The network that the configuration names, frozen; CheckpointError where there is none.

        With as many tokens as the configuration says, or as `num_tokens` does.
        """
        config = self.config
        network = load_network(
            config.checkpoint,
            num_tokens=config.num_tokens if num_tokens is None else num_tokens,
            num_latents=config.num_latents,
            precision=config.precision,
            device=self.device,
        )
        return network.float().requires_grad_(False)

    def begin(self, network: TokenGSNetwork, example: Example, steps: int) -> None:
        """Encode the context and bake the feed-forward result; `steps` tuning steps may follow.

        The photos are one scene's, in nerfstudio's world with OpenCV axes, at the size of the supervision.
        """
        scene = prepare(network, example.to(self.device), self.config.scene_scale)
        self.tuning, self._prepared = self._tuning_of(network, scene, steps), scene
        self._prediction = _prediction(network, self.tuning, scene)
        self._origins = self._prediction.origins
        self.bake()

    def predict(self, network: TokenGSNetwork, example: Example) -> None:
        """Encode photos, as in `begin`, for those who look at what the network predicts; a tuning goes on as it was."""
        scene = prepare(network, example.to(self.device), self.config.scene_scale)
        self._prediction = _prediction(network, self._tuning_of(network, scene, 0), scene)

    def _tuning_of(self, network: TokenGSNetwork, scene: PreparedScene, steps: int) -> SceneTuning:
        antialiased = self.config.rasterize_mode == "antialiased"
        return SceneTuning(network, scene, self.config.tuning, steps, antialiased=antialiased)

    @property
    def has_prediction(self) -> bool:
        """Whether something was encoded in this process."""
        return self._prediction is not None

    def weights_name(self) -> str:
        """The weights by the name they were asked for."""
        return self.config.checkpoint

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

    @property
    def finished(self) -> bool:
        return self.tuning is not None and self.tuning.finished

    @property
    def stage(self) -> str:
        """What is being optimised now; nothing in a run that is only looked at."""
        return "" if self.tuning is None else self.tuning.stage

    @property
    def near_far(self) -> tuple[float, float]:
        """The planes that the Gaussians are rendered between, in nerfstudio's world."""
        return self._rendering.near, self._rendering.far

    def tuning_step(self, step: int) -> dict[str, Tensor]:
        """One step; the loss and its parts, detached. Every `steps_per_bake` steps everybody sees the result."""
        parts = {name: torch.as_tensor(value).detach() for name, value in self.running_tuning().step().items()}
        if (step + 1) % self.config.steps_per_bake == 0 or self.finished:
            self.bake()
        return parts

    def summary(self) -> list[str]:
        """What the run did, in a few lines."""
        lines = [] if self.tuning is None else [self.tuning.report().text]
        if self.baked_times:
            first, last = self.baked_times[0], self.baked_times[-1]
            lines.append(
                f"The scene moves: baked at {len(self.baked_times)} times from {first:g} to {last:g}; `ns-export "
                f"gaussian-splat` writes it as it is at the first, {first:g}"
            )
        return lines

    def bake(self, with_tokens: bool = False) -> None:
        """Make what the tuning has reached what everybody sees; nothing happens for a run that is only looked at.

        `with_tokens` keeps the number of each Gaussian's token with it, which a finished run cannot find out.
        """
        if self.tuning is None or self._prepared is None:
            return
        self.show(bake(self.tuning.gaussians, self._prepared, self.tuning.rendering))
        if with_tokens and self._origins is not None:
            tokens = self._origins.of(self.gauss_params["means"])
            self._take({**dict(self.gauss_params.items()), "tokens": tokens}, self._rendering)

    def show(self, baked: BakedScene) -> None:
        """What everybody sees from now on, as nerfstudio's exporters want it and as it is rendered."""
        self._take(bridge.splat_parameters(baked), baked.rendering)

    def _take(self, parameters: dict[str, Tensor], rendering: RenderConfig) -> None:
        # The viewer may look from its own thread at any moment: made in full, then assigned once.
        kept = {name: Parameter(value, requires_grad=False) for name, value in parameters.items()}
        self._rendering, self.gauss_params = rendering, ParameterDict(kept)
        self.background_color = torch.as_tensor(rendering.background).expand(3)

    @property
    def baked_times(self) -> list[float]:
        """The times a scene that moves is baked at, ascending; none for a scene that stands still."""
        return self.gauss_params["times"].tolist() if "times" in self.gauss_params else []

    def get_extra_state(self) -> dict[str, Any]:
        """How the Gaussians are rendered in nerfstudio's world; runs of older versions do not say `antialiased`."""
        return self._rendering.as_numbers()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self._take(dict(self.gauss_params.items()), RenderConfig.of_numbers(state))

    def load_state_dict(self, dict: dict[str, Tensor], **kwargs: Any) -> Any:  # type: ignore[override]
        """Baked Gaussians of any number, moving or not."""
        if not all_finite(dict):
            raise UserError("the checkpoint holds Gaussians that are not finite; go on from another")
        prefix = "gauss_params."
        sizes = {name.removeprefix(prefix): value for name, value in dict.items() if name.startswith(prefix)}
        missing = [name for name in ("means", "scales", "quats", "features_dc", "opacities") if name not in sizes]
        if missing:
            raise UserError(f"the checkpoint holds no Gaussians of this method: {', '.join(missing)} missing")
        empty = {name: torch.empty_like(value, device=self.device) for name, value in sizes.items()}
        self._take(empty, self._rendering)
        # Runs of version 0.1 do not say how they are rendered: as is usual.
        return Model.load_state_dict(self, {"_extra_state": self.get_extra_state(), **dict}, **kwargs)

    def get_param_groups(self) -> dict[str, list[Parameter]]:
        """None: the tuning brings its own optimizers."""
        return {}

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> list[TrainingCallback]:
        return []

    def _get_downscale_factor(self) -> int:
        return 1

    @one_line()
    def get_outputs(self, camera: Cameras | RayBundle) -> Outputs:  # type: ignore[override]
        """What a camera of any kind sees of the baked Gaussians, [H, W, C] by name; several of one size stacked.

        A scene that moves is seen at the camera's time; at its first one by a camera without.
        """
        if isinstance(camera, RayBundle):
            sight = self._sight(None)
            return outputs_along(sight.gaussians, camera, self._rendering, sight.background)
        if camera.size != 1:
            flat = camera.flatten()
            return Outputs.stack([self.get_outputs(flat[index : index + 1]) for index in range(flat.size)])
        time = None if camera.times is None else float(camera.times.reshape(-1)[0])
        return self._sight(time).outputs(camera)

    def get_outputs_for_camera_ray_bundle(self, camera_ray_bundle: RayBundle) -> Outputs:  # type: ignore[override]
        """What nerfstudio's exporters of meshes see: not cut into chunks, for neighbours are needed."""
        return self.get_outputs(camera_ray_bundle.to(self.device))

    def _sight(self, time: float | None) -> Sight:
        # A crop's own colour, in the viewer and in a camera path.
        wanted = renderers.BACKGROUND_COLOR_OVERRIDE
        background = (self.background_color if wanted is None else wanted).to(self.device)
        baked, tokens = self._looked_at()
        sight = Sight(baked.at(time), self._rendering, background, tokens)
        if self.view.minimum_opacity > 0:
            sight = sight.without(sight.gaussians.opacities < self.view.minimum_opacity)
        if self.crop_box is not None and not self.training:
            sight = sight.without(~self.crop_box.within(sight.gaussians.means).reshape(-1))
        return sight

    def _looked_at(self) -> tuple[BakedScene, Callable[[], Tensor] | None]:
        """The scene that is shown, and what finds the tokens of its Gaussians."""
        if self.view.feed_forward and self._prediction is not None:
            return self._prediction.baked, self._prediction.tokens
        parameters = self.gauss_params
        baked = bridge.baked_scene(dict(parameters.items()), self._rendering)
        if "tokens" in parameters:
            return baked, partial(parameters.__getitem__, "tokens")
        return baked, None if self._origins is None else partial(self._origins.of, parameters["means"])

    def set_minimum_opacity(self, opacity: float) -> None:
        """Whoever looks does not see Gaussians more transparent than that."""
        self.view = replace(self.view, minimum_opacity=opacity)

    def show_feed_forward(self, wanted: bool) -> None:
        """Whoever looks sees what the network predicts, or what the tuning has reached."""
        self.view = replace(self.view, feed_forward=wanted)

    @contextmanager
    def as_it_is(self) -> Iterator[None]:
        """Evaluation does not see what somebody has set in the viewer."""
        view, background = self.view, self.background_color
        self.view = ViewSettings()
        self.background_color = torch.as_tensor(self._rendering.background).expand(3)
        try:
            yield
        finally:
            self.view, self.background_color = view, background

    def get_rgba_image(self, outputs: Mapping[str, Tensor], output_name: str = "rgb") -> Tensor:
        """The Gaussians alone, not premultiplied, with their accumulation as alpha."""
        alpha = outputs["accumulation"]
        behind = (1 - alpha) * outputs["background"]
        return torch.cat([((outputs[output_name] - behind) / alpha.clamp(min=1e-6)).clamp(0, 1), alpha], dim=-1)

    def get_metrics_dict(self, outputs: Mapping[str, Tensor], batch: dict[str, Any]) -> dict[str, Tensor]:
        rendered, truth = self._compared(outputs, batch)
        return {"psnr": psnr(rendered, truth), "gaussian_count": torch.tensor(self.num_points)}

    def get_loss_dict(
        self, outputs: Mapping[str, Tensor], batch: dict[str, Any], metrics_dict: dict[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """What evaluation during training logs; the tuning has a loss of its own.

        As in splatfacto the loss leaves masked pixels out, the metrics count them.
        """
        rendered, truth = self._compared(outputs, batch)
        error = (rendered - truth).abs()
        if "mask" in batch:
            error = error * batch["mask"].to(error).movedim(-1, 0)
        return {"l1": error.mean()}

    def get_image_metrics_and_images(
        self, outputs: Mapping[str, Tensor], batch: dict[str, Any]
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """PSNR, SSIM and, where its weights are at hand, LPIPS; truth and rendering side by side."""
        rendered, truth = self._compared(outputs, batch)
        return score(rendered[None], truth[None]).means(), {"img": torch.cat([truth, rendered], dim=-1).movedim(0, -1)}

    def _compared(self, outputs: Mapping[str, Tensor], batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Rendering and truth, both [3, H, W]; transparent parts of the truth show the background."""
        truth = self.composite_with_background(self.get_gt_img(batch["image"]), outputs["background"])
        return outputs["rgb"].movedim(-1, 0), truth.movedim(-1, 0)


def _prediction(network: TokenGSNetwork, tuning: SceneTuning, scene: PreparedScene) -> Prediction:
    """What a tuning starts from."""
    decoded = tuning.gaussians().transformed(scene.to_canonical.inverse())
    baked = bake(tuning.gaussians, scene, tuning.rendering)
    return Prediction(baked, TokenOrigins(decoded, network.config.gaussians_per_token))
