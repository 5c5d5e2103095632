"""How a scene is tuned. Rates are Adam's; lengths are fractions of the scene's extent."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from tokengs_nerfstudio.core.ranges import (
    Ascending,
    Count,
    NotEmpty,
    NotNegative,
    Positive,
    Range,
    Rate,
    Share,
    Weight,
    Whole,
)
from tokengs_nerfstudio.core.rendering.gsplat_strategies import DensificationName

Space = Literal["auto", "tokens", "latents", "gaussians", "tokens+gaussians"]


Level = tuple[Share, Annotated[float, Range(1, 64)]]
Levels = Annotated[tuple[Level, ...], NotEmpty(), Ascending()]


@dataclass
class TokenStageConfig:
    """Tuning of what the network reads: its tokens, or its scene latents."""

    rate: Rate = 2e-2
    """learning rate of the tokens, as a fraction of their root mean square"""
    latent_rate: Rate = 1e-2
    """learning rate of the scene latents"""
    rates_decay: Share = 0.3
    """what the rates have fallen to at the end of the stage, as a factor"""
    share: Share = 0.15
    """share of the steps spent on tokens before the Gaussians, where both are tuned"""
    most_steps: Whole = 30
    """the most steps spent on tokens before the Gaussians, where both are tuned"""
    resolution: Annotated[float, Range(0.1, 100)] = 2.0
    """side of the images that tokens are tuned on, as a multiple of what the network was trained with"""


@dataclass
class GaussianStageConfig:
    """Tuning of the Gaussians themselves: Adam's rates, image sizes, numbers."""

    means_rate: Rate | None = None
    """learning rate of the Gaussians' centres, as a fraction of the scene's extent. If not set 3e-3 where the stage
    begins with known points, and 1.2e-2 where Gaussians have to find their places"""
    means_decay: Share = 0.02
    """what the rate of the centres has fallen to at the end, as a factor"""
    scales_rate: Rate = 0.03
    """learning rate of log scales"""
    quats_rate: Rate = 0.01
    """learning rate of quaternions"""
    opacities_rate: Rate = 0.1
    """learning rate of logit opacities"""
    colors_rate: Rate = 0.06
    """learning rate of logit colours"""
    harmonics: Annotated[int, Range(0, 3)] = 0
    """degree of the spherical harmonics by which colours change with the direction; 0: they do not"""
    harmonics_rate: Rate = 2e-3
    """learning rate of the harmonics' coefficients"""
    rates_decay: Share = 0.6
    """what the rates of everything but the centres have fallen to at the end, as a factor"""
    levels: Levels = ((0.0, 4.0), (0.35, 2.0), (0.8, 1.0))
    """coarse to fine, as pairs: from this share of the stage on, images so many times smaller than the capture's"""
    per_pixel: Annotated[float, Range(0, 1e6)] = 0.35
    """Gaussians that the stage grows to, per pixel of one supervised photo, below `max_gaussians`"""
    start_share: Annotated[float, Range(0, 1, above=True)] = 0.35
    """share of that with which the stage begins at most, drawn from what the network predicts and larger in turn: the
    others grow where errors are. 1: with all that the network predicts"""
    densification: DensificationName = "budget"
    """how their number rises, never above `per_pixel`: budget splits the most pulled ones until it is reached;
    gsplat-default and gsplat-mcmc (CUDA only) are gsplat's own strategies, which may need fewer"""
    views_per_step: Count = 1
    """photos rendered in each step: twice as many steps on one photo are worth more than steps on two"""
    growth_end: Share = 0.6
    """share of the stage after which no Gaussian is split any more"""
    growth_every: Count = 50
    """steps from one round of splitting to the next"""
    reseed: bool = True
    """give Gaussians that no supervised view shows a new place before the stage"""
    points: Literal["beside", "alone", "off"] = "beside"
    """what becomes of the points that a capture names (`ply_file_path`: structure from motion) or its photos tell
    (`stereo`): the stage begins with them beside the Gaussians at hand, in place of new ones, or with them and new ones
    alone; off: without"""
    stereo: Whole = 24
    """photos, evenly chosen, whose depths are found by stereo, for points that the stage begins with as with those of
    the capture; fewer where that would take more than a tenth of the time. 0: none"""
    clear_share: Share = 0.8
    """no Gaussian stays before a camera nearer than this share of the depth of the nearest surface, where the photos
    tell how near that is; 0: Gaussians may be anywhere"""
    averaging: Annotated[float, Range(0, 1, below=True)] = 0.95
    """what a stage ends with is the mean over its last steps, each counting so much less than the next one; 0: what the
    very last step left"""
    steps_per_view: Count = 300
    """most steps of the stage for each supervised view, where no view is left out to tell when more help no more: few
    photos are soon known by heart. Not where the stopping rule is steps"""
    dropout: Annotated[float, Range(0, 1, below=True)] = 0.3
    """share of the Gaussians missing from each step, with fewer photos than `stopping.held_out_from`"""
    opacity_pull: Weight = 0.05
    """weight of the mean opacity, which lets Gaussians fade that nothing asks for"""
    scale_pull: Weight = 0.01
    """weight of the mean scale as a fraction of the extent, against large loose Gaussians"""


@dataclass
class CameraConfig:
    """What may be wrong with the photos themselves, corrected beside the scene."""

    adjust: bool = False
    """correct the poses before anything is tuned, by features that the photos share, where points that the correction
    has not seen agree much better with it; else they stay as given, to the bit. For errors of up to two degrees or so,
    of photos with some texture; takes seconds"""
    focal: bool = False
    """correct the focal length in the same way, by one factor for all photos, where points that the correction has not
    seen agree much better with it. For errors of up to a tenth or so; held-out cameras get the same factor"""
    pose_rate: Rate = 0.0
    """learning rate of the poses of all supervised cameras but the first: radians, and fractions of the extent. 0: the
    poses stay as given; 1e-3 is for errors of about a degree. No view is left out then, for its own pose would be
    wrong"""
    exposure_rate: Rate = 0.0
    """learning rate of a gain and an offset of each supervised photo's colours; 0: colours stay as they are, 3e-3 is
    for exposures that changed from photo to photo"""


@dataclass
class StoppingConfig:
    """When enough is enough."""

    rule: Literal["held-out", "steps"] = "held-out"
    """held-out: one supervised view decides which state is the best, unless trials were held and nothing here is set
    otherwise; steps: exactly the steps asked for, on all views"""
    held_out_from: Count = 9
    """number of supervised views from which one is left out for stopping"""
    check_every: Count = 25
    """steps from one look at the left-out view to the next"""
    patience: NotNegative = 0.35
    """share of a stage's steps without a better left-out view after which the stage ends, once its images are at their
    finest"""


@dataclass
class TuningConfig:
    """How one scene is tuned."""

    space: Space = "auto"
    """what is optimised; auto: what trials show to be best, and without them the Gaussians; with weights that make all
    of a scene move the tokens"""
    supervision: Literal["context", "train"] = "train"
    """tune on the photos the network has seen, or on every photo of the train split"""
    few_views: Whole | None = None
    """number of supervised views from which `auto` without trials tunes the tokens before the Gaussians; never if not
    set"""
    views_per_step: Count = 2
    """photos rendered in each step on tokens or latents, next to nothing beside decoding; on Gaussians
    `gaussians.views_per_step`"""
    ssim: Share = 0.2
    """weight of 1 - SSIM; the rest is the weight of the absolute colour difference"""
    depth: Weight = 0.3
    """weight of how far rendered depths are from those that a capture gives (`depth_file_path`), as a share of them"""
    max_gaussians: Count | None = None
    """Gaussians that must not be exceeded: those that add most to the supervised photos are kept. If not set: as many
    as the network makes or the photos can fix"""
    seconds: Positive = 60.0
    """time of the whole command, which steps, image sizes and numbers of Gaussians are planned for; where no
    trials are held it may end earlier. A number of steps, where one is given, wins over it"""
    trials: bool = True
    """let left-out photos decide, where `space` is auto, what is optimised: short trials take up to a quarter of the
    time. What is not at its default is not tried otherwise"""
    plan: Path | None = None
    """plan.json of another run, whose tuning is repeated: all other tuning options and the number of steps are as they
    were there"""
    tokens: TokenStageConfig = field(default_factory=TokenStageConfig)
    """the stage that tunes what the network reads"""
    gaussians: GaussianStageConfig = field(default_factory=GaussianStageConfig)
    """the stage that tunes Gaussians"""
    cameras: CameraConfig = field(default_factory=CameraConfig)
    """corrections of poses and exposures"""
    stopping: StoppingConfig = field(default_factory=StoppingConfig)
    """when a stage ends"""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Settings from a file; those of version 0.1 stood in one flat list, once there was one number of photos a step
        for all stages, and stages began with all that a network predicts; later ones knew no stereo, and ended with
        what their last step left."""
        vars(self).update(nested_settings(state) if "token_rate" in state else state)
        vars(self.gaussians).setdefault("views_per_step", self.views_per_step)
        vars(self.gaussians).setdefault("start_share", 1.0)
        vars(self.gaussians).setdefault("stereo", 0)
        vars(self.gaussians).setdefault("averaging", 0.0)


# Where settings of version 0.1 stand now; `near` and `background` belong to the weights.
_MOVED = {
    "token_rate": "tokens.rate",
    "latent_rate": "tokens.latent_rate",
    "token_fraction": "tokens.share",
    "token_steps": "tokens.most_steps",
    "token_resolution": "tokens.resolution",
    "gaussians_per_pixel": "gaussians.per_pixel",
    "stopping": "stopping.rule",
    "held_out_from": "stopping.held_out_from",
    "check_every": "stopping.check_every",
    "patience": "stopping.patience",
}


def nested_settings(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of TuningConfig that equal the flat settings of version 0.1."""
    parts: dict[str, Any] = {
        "tokens": TokenStageConfig(rates_decay=flat["rates_decay"]),
        "gaussians": GaussianStageConfig(
            levels=tuple(zip(flat["level_starts"], flat["levels"])), start_share=1.0, stereo=0, averaging=0.0
        ),
        "cameras": CameraConfig(
            pose_rate=flat["pose_rate"] if flat["refine_poses"] else 0.0,
            exposure_rate=flat["exposure_rate"] if flat["exposure"] else 0.0,
        ),
        "stopping": StoppingConfig(),
        "max_gaussians": flat["max_gaussians"] or None,
        "views_per_step": flat["views_per_step"],
    }
    same = {entry.name for entry in fields(GaussianStageConfig)} - {"levels"}
    for name, value in flat.items():
        part, _, setting = _MOVED.get(name, f"gaussians.{name}" if name in same else "").partition(".")
        if setting:
            setattr(parts[part], setting, value)
        elif name in ("space", "supervision", "few_views", "ssim"):
            parts[name] = value
    return parts
