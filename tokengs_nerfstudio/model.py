"""TokenGSModel: a network and its tuning on one scene, baked into Gaussians in nerfstudio's frame."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
import tyro
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes
from nerfstudio.models.base_model import Model, ModelConfig
from nerfstudio.models.splatfacto import SplatfactoModel
from torch import Tensor
from torch.nn import Parameter, ParameterDict

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.baking import spread_times
from tokengs_nerfstudio.core.checkpoint.loading import load_network
from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.metrics import lpips, psnr, ssim
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.scale_search import choose_scale
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.types import Gaussians, Similarity, Views


@dataclass
class TokenGSModelConfig(ModelConfig):
    """The network, and how it is tuned on the scene."""

    _target: type = field(default_factory=lambda: TokenGSModel)
    checkpoint: str = "tiny"
    """Weights: a registered name, a .safetensors file, or hf://owner/repo/path."""
    num_tokens: int | None = None
    """Tokens to decode, each a fixed number of Gaussians. If not set: as many as the weights have."""
    num_latents: int | None = None
    """Latents between photos and Gaussians, for weights that have such a bottleneck. If not set: as many as those."""
    scene_scale: float | None = None
    """What the lengths of the capture (in nerfstudio's frame) are multiplied with for the network.
    If not set: the rule that the weights were trained with."""
    max_gaussians: int | None = None
    """Keep at most so many Gaussians: those that add most to the supervised photos. If not set: all."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of encoder and decoder."""
    steps_per_bake: int = 10
    """Steps between two looks that viewer and evaluation get at the scene while it is tuned."""
    tuning: TuningConfig = field(default_factory=TuningConfig)
    """How the scene is tuned"""

    # What inherited methods read and has one meaning here only.
    sh_degree: tyro.conf.Suppress[int] = 0
    color_corrected_metrics: tyro.conf.Suppress[bool] = False
    background_color: tyro.conf.Suppress[str] = "grey"
    enable_collider: tyro.conf.Suppress[bool] = False
    collider_params: tyro.conf.Suppress[dict[str, float] | None] = None
    loss_coefficients: tyro.conf.Suppress[dict[str, float]] = field(default_factory=dict)
    eval_num_rays_per_chunk: tyro.conf.Suppress[int] = 4096
    prompt: tyro.conf.Suppress[str | None] = None


class TokenGSModel(SplatfactoModel):
    """Renders, evaluates and exports baked Gaussians; while a scene is tuned, bakes what the tuning has reached.

    A SplatfactoModel to nerfstudio's exporter and viewer. Nothing but the baked Gaussians is part of its state: a
    finished run needs neither the network nor the photos. A scene that moves is baked at several times of its photos;
    cameras see it at their own time, exporters at the first one.
    """

    config: TokenGSModelConfig  # type: ignore[assignment]

    def populate_modules(self) -> None:
        nothing = torch.zeros(0, 3)
        self._take(bridge.splat_parameters(Gaussians(nothing, torch.zeros(0, 4), nothing, torch.zeros(0), nothing)))
        self.background_color = torch.full((3,), self.config.tuning.background)
        self.crop_box = None
        self.step = 0
        self.tuning: SceneTuning | None = None
        self._to_world = Similarity.identity()
        self._times: list[float] = []

    def load_network(self) -> TokenGSNetwork:
        """The network that the configuration names, frozen; CheckpointError where there is none."""
        config = self.config
        network = load_network(
            config.checkpoint,
            num_tokens=config.num_tokens,
            num_latents=config.num_latents,
            precision=config.precision,
            device=self.device,
        )
        return network.requires_grad_(False)

    def begin(self, network: TokenGSNetwork, context: Views, supervised: Views, steps: int) -> None:
        """Encode the context and bake the feed-forward result; `steps` tuning steps may follow.

        Both are one scene's views in nerfstudio's world, OpenCV axes, at the size of the supervision.
        """
        seen = crop_and_resize(context.to(self.device), *network.config.input_size(context.height, context.width))
        to_canonical = scene_frame(network, seen, self.config.scene_scale)
        self._to_world = to_canonical.inverse()
        photos = to_canonical.views(supervised.to(self.device))
        self.tuning = SceneTuning(network, to_canonical.views(seen), photos, self._tuning_config(), steps)
        knows_time = network.config.time_channels > 0
        self._times = spread_times(photos.times) if knows_time and photos.times is not None else []
        self.bake()

    def _tuning_config(self) -> TuningConfig:
        limit = self.config.max_gaussians
        if limit is None:
            return self.config.tuning
        if limit < 1:
            raise ValueError(f"--pipeline.model.max-gaussians must be at least 1, got {limit}")
        return replace(self.config.tuning, max_gaussians=limit)

    def bake(self) -> None:
        """Make what the tuning has reached what everybody sees; nothing happens for a run that is only looked at."""
        if self.tuning is None:
            return
        bakes = [self.tuning.gaussians(time).transformed(self._to_world) for time in self._times or [None]]
        self._take(bridge.moving_splat_parameters(self._times, bakes))

    def _take(self, parameters: dict[str, Tensor]) -> None:
        # The viewer may look from its own thread at any moment: made in full, then assigned once.
        self.gauss_params = ParameterDict(
            {name: Parameter(value, requires_grad=False) for name, value in parameters.items()}
        )

    @property
    def baked_times(self) -> list[float]:
        """The times a scene that moves is baked at, ascending; none for a scene that stands still."""
        return self.gauss_params["times"].tolist() if "times" in self.gauss_params else []

    def load_state_dict(self, dict: dict[str, Tensor], **kwargs: Any) -> Any:  # type: ignore[override]
        """Baked Gaussians of any number, moving or not."""
        prefix = "gauss_params."
        sizes = {name.removeprefix(prefix): value for name, value in dict.items() if name.startswith(prefix)}
        self._take({name: torch.empty_like(value, device=self.device) for name, value in sizes.items()})
        return Model.load_state_dict(self, dict, **kwargs)

    def get_param_groups(self) -> dict[str, list[Parameter]]:
        """None: the tuning brings its own optimizers."""
        return {}

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> list[TrainingCallback]:
        return []

    def _get_downscale_factor(self) -> int:
        return 1

    def get_outputs(self, camera: Cameras | RayBundle) -> dict[str, Tensor]:  # type: ignore[override]
        """RGB over the background, z-depth and accumulation [H, W, C] as the (one) camera sees the baked Gaussians.

        A scene that moves is seen at the camera's time; at its first one by a camera without.
        """
        if isinstance(camera, RayBundle):
            # `ns-render --render-nearest-camera` asks whether something blocks a line of sight: nothing known does.
            return {"depth": torch.full_like(camera.origins[..., :1], torch.inf)}
        time = None if camera.times is None else float(camera.times.reshape(-1)[0])
        gaussians = bridge.gaussians_from_splats(dict(self.gauss_params.items()), time)
        if self.crop_box is not None and not self.training:
            gaussians = gaussians.select(self.crop_box.within(gaussians.means).reshape(-1))
        width, height = int(camera.width.reshape(-1)[0]), int(camera.height.reshape(-1)[0])
        background = self.background_color.to(self.device)
        if gaussians.count == 0:
            empty = self.get_empty_outputs(width, height, background)
            return {**empty, "background": background.expand(height, width, 3)}  # type: ignore[dict-item]
        c2w, intrinsics = bridge.camera_matrices(camera)
        renders = render(gaussians, c2w[:1], intrinsics[:1], width, height, background=background)
        assert renders.depth is not None
        alpha, depth = renders.alpha[0].movedim(0, -1), renders.depth[0].movedim(0, -1)
        return {
            "rgb": renders.rgb[0].movedim(0, -1).clamp(0, 1),
            "depth": torch.where(alpha > 0, depth, depth.max()),
            "accumulation": alpha,
            "background": background.expand(height, width, 3),
        }

    def get_rgba_image(self, outputs: dict[str, Tensor], output_name: str = "rgb") -> Tensor:
        """The Gaussians alone, not premultiplied, with their accumulation as alpha."""
        alpha = outputs["accumulation"]
        behind = (1 - alpha) * outputs["background"]
        return torch.cat([((outputs[output_name] - behind) / alpha.clamp(min=1e-6)).clamp(0, 1), alpha], dim=-1)

    def get_metrics_dict(self, outputs: dict[str, Tensor], batch: dict[str, Any]) -> dict[str, Tensor]:
        rendered, truth = self._compared(outputs, batch)
        return {"psnr": psnr(rendered, truth), "gaussian_count": torch.tensor(self.num_points)}

    def get_loss_dict(
        self, outputs: dict[str, Tensor], batch: dict[str, Any], metrics_dict: dict[str, Tensor] | None = None
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
        self, outputs: dict[str, Tensor], batch: dict[str, Any]
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """PSNR, SSIM and, where its weights are at hand, LPIPS; truth and rendering side by side."""
        rendered, truth = self._compared(outputs, batch)
        metrics = {"psnr": float(psnr(rendered, truth)), "ssim": float(ssim(rendered, truth))}
        perceptual = lpips(rendered[None], truth[None])
        if perceptual is not None:
            metrics["lpips"] = float(perceptual)
        return metrics, {"img": torch.cat([truth, rendered], dim=-1).movedim(0, -1)}

    def _compared(self, outputs: dict[str, Tensor], batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Rendering and truth, both [3, H, W]; transparent parts of the truth show the background."""
        truth = self.composite_with_background(self.get_gt_img(batch["image"]), outputs["background"])
        return outputs["rgb"].movedim(-1, 0), truth.movedim(-1, 0)


def scene_frame(network: TokenGSNetwork, context: Views, scene_scale: float | None) -> Similarity:
    """World -> canonical for the context views: with the scale given, or else as the weights want it."""
    if scene_scale is None:
        return choose_scale(network, context)
    if not scene_scale > 0:
        raise ValueError(f"--pipeline.model.scene-scale must be positive, got {scene_scale}")
    return canonical_frame(context.c2w, network.config.frame, "constant", scene_scale)
