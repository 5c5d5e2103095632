"""SplatsModel: baked Gaussians as nerfstudio's viewer, renderer, exporters and evaluation see them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

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
from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.checks import all_finite
from tokengs_nerfstudio.core.errors import UserError, one_line
from tokengs_nerfstudio.core.evaluation import score
from tokengs_nerfstudio.core.harmonics import degree_of
from tokengs_nerfstudio.core.metrics import psnr
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.outputs import Outputs, SeenMotion, Sight, ViewSettings
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


class SplatsModel(SplatfactoModel):
    """Renders, evaluates and exports baked Gaussians, which are all of its state.

    A SplatfactoModel to nerfstudio's exporter and viewer. A scene that moves is baked at several times of its photos;
    cameras see it at their own time, exporters at the first one.
    """

    config: SplatsModelConfig  # type: ignore[assignment]

    def populate_modules(self) -> None:
        nothing = torch.zeros(0, 3)
        empty = Gaussians(nothing, torch.zeros(0, 4), nothing, torch.zeros(0), nothing)
        self.crop_box = None
        self.step = 0
        self.view = ViewSettings()
        self.show(BakedScene(empty))

    @property
    def near_far(self) -> tuple[float, float]:
        """The planes that the Gaussians are rendered between, in nerfstudio's world."""
        return self._rendering.near, self._rendering.far

    def show(self, baked: BakedScene) -> None:
        """What everybody sees from now on, as nerfstudio's exporters want it and as it is rendered."""
        self._take(bridge.splat_parameters(baked), baked.rendering)

    def _take(self, parameters: dict[str, Tensor], rendering: RenderConfig) -> None:
        # The viewer may look from its own thread at any moment: made in full, then assigned once.
        kept = {name: Parameter(value, requires_grad=False) for name, value in parameters.items()}
        self._rendering, self.gauss_params = rendering, ParameterDict(kept)
        # splatfacto's exporters and viewers ask how colours are stored.
        self.config.sh_degree = degree_of(kept["features_rest"].shape[1]) if "features_rest" in kept else 0
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
        baked, tokens, confidence = self._looked_at()
        sight = Sight(baked.at(time), self._rendering, background, tokens, self._motion(baked, time), confidence)
        if self.view.minimum_opacity > 0:
            sight = sight.without(sight.gaussians.opacities < self.view.minimum_opacity)
        if self.crop_box is not None and not self.training:
            sight = sight.without(~self.crop_box.within(sight.gaussians.means).reshape(-1))
        return sight

    def _motion(self, baked: BakedScene, time: float | None) -> SeenMotion | None:
        """Flow leads to the next time that is baked, unless another one is stated; after the last one there is none."""
        if baked.motion is None:
            return None
        stated = self.flow_time()
        end = baked.next_time(time) if stated is None else stated
        return SeenMotion(baked.moving, partial(baked.displacement, time, time if end is None else end))

    def flow_time(self) -> float | None:
        """When flow leads to, in [0, 1]; None for the next time that the scene is baked at."""
        return self.view.flow_time

    def set_flow_time(self, time: float | None) -> None:
        """Whoever looks sees the flow to that time."""
        self.view = replace(self.view, flow_time=time)

    def baked(self) -> BakedScene:
        """The scene, in nerfstudio's world."""
        return bridge.baked_scene(dict(self.gauss_params.items()), self._rendering)

    def _looked_at(self) -> tuple[BakedScene, Callable[[], Tensor] | None, Tensor | None]:
        """The scene that is shown; where known, what finds the tokens of its Gaussians, and how sure these are."""
        return self.baked(), self._tokens_of(self.gauss_params), dict(self.gauss_params.items()).get("confidence")

    def _tokens_of(self, parameters: ParameterDict) -> Callable[[], Tensor] | None:
        return partial(parameters.__getitem__, "tokens") if "tokens" in parameters else None

    def set_minimum_opacity(self, opacity: float) -> None:
        """Whoever looks does not see Gaussians more transparent than that."""
        self.view = replace(self.view, minimum_opacity=opacity)

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
