"""How a scene is tuned."""

from dataclasses import dataclass
from typing import Literal

from tokengs_nerfstudio.core.rendering.gsplat_strategies import Densification


@dataclass
class GaussianStageConfig:
    """The Gaussian stage: Adam's rates, image sizes, numbers. Lengths are fractions of the scene's extent."""

    means_rate: float = 1.2e-2
    """learning rate of the Gaussians' centres, as a fraction of the scene's extent"""
    means_decay: float = 0.02
    """what the rate of the centres has fallen to at the end, as a factor"""
    scales_rate: float = 0.02
    """learning rate of log scales"""
    quats_rate: float = 0.01
    """learning rate of quaternions"""
    opacities_rate: float = 0.05
    """learning rate of logit opacities"""
    colors_rate: float = 0.03
    """learning rate of logit colours"""
    rates_decay: float = 0.3
    """what the rates of everything but the centres have fallen to at the end, as a factor"""
    levels: tuple[float, ...] = (4.0, 2.0, 1.0)
    """coarse to fine: how many times smaller than the capture the images of the Gaussian stage are, level by level"""
    level_starts: tuple[float, ...] = (0.0, 0.35, 0.8)
    """share of the Gaussian stage at which each level starts"""
    max_gaussians: int = 0
    """number of Gaussians that must not be exceeded; 0: as many as the network makes or the photos can fix"""
    gaussians_per_pixel: float = 0.35
    """Gaussians that the Gaussian stage grows to, per pixel of one supervised photo, below `max_gaussians`"""
    densification: Densification = "budget"
    """how their number rises, never above `gaussians_per_pixel`: budget splits the most pulled ones until it is
    reached; gsplat-default and gsplat-mcmc (CUDA only) are gsplat's own strategies, which may need fewer"""
    growth_end: float = 0.6
    """share of the Gaussian stage after which no Gaussian is split any more"""
    growth_every: int = 50
    """steps from one round of splitting to the next"""
    reseed: bool = True
    """give Gaussians that no supervised view shows a new place before the Gaussian stage"""
    clear_share: float = 0.8
    """no Gaussian stays before a camera nearer than this share of the depth of the nearest surface, where the photos
    tell how near that is; 0: Gaussians may be anywhere"""
    steps_per_view: int = 30
    """most steps of the Gaussian stage for each supervised view, unless `stopping` is steps: few photos are soon known
    by heart"""
    dropout: float = 0.3
    """share of the Gaussians missing from each step of the Gaussian stage, with fewer photos than `held_out_from`"""
    opacity_pull: float = 0.01
    """weight of the mean opacity, which lets Gaussians fade that nothing asks for"""
    scale_pull: float = 0.01
    """weight of the mean scale as a fraction of the extent, against large loose Gaussians"""

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.level_starts):
            raise ValueError(f"tuning.levels {self.levels} and level_starts {self.level_starts} differ in length")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"tuning.dropout is {self.dropout}; a share from 0 to below 1 is needed")


@dataclass
class TuningConfig(GaussianStageConfig):
    """How one scene is tuned. Rates are Adam's; lengths are fractions of the scene's extent."""

    space: Literal["auto", "tokens", "latents", "gaussians", "tokens+gaussians"] = "auto"
    """what is optimised; auto: tokens and then Gaussians, with fewer than `few_views` photos the Gaussians at once,
    with weights that know time the tokens"""
    supervision: Literal["context", "train"] = "train"
    """tune on the photos the network has seen, or on every photo of the train split"""
    few_views: int = 6
    """number of supervised views from which `auto` tunes the tokens before the Gaussians"""
    views_per_step: int = 2
    """photos rendered in each step"""
    token_rate: float = 2e-2
    """learning rate of the tokens, as a fraction of their root mean square"""
    latent_rate: float = 1e-2
    """learning rate of the scene latents"""
    token_fraction: float = 0.15
    """share of the steps spent on tokens before the Gaussians, where both are tuned"""
    token_steps: int = 30
    """the most steps spent on tokens before the Gaussians, where both are tuned"""
    token_resolution: float = 2.0
    """side of the images that tokens are tuned on, as a multiple of what the network was trained with"""
    ssim: float = 0.2
    """weight of 1 - SSIM; the rest is the weight of the absolute colour difference"""
    stopping: Literal["held-out", "steps"] = "held-out"
    """held-out: one supervised view decides which state is the best; steps: exactly the steps asked for"""
    held_out_from: int = 9
    """number of supervised views from which one is left out for stopping"""
    check_every: int = 25
    """steps from one look at the left-out view to the next"""
    patience: float = 0.35
    """share of a stage's steps without a better left-out view after which the stage ends"""
    refine_poses: bool = False
    """also optimise the poses of the supervised cameras, all but the first; no view is left out then, for its own pose
    would be wrong"""
    pose_rate: float = 1e-3
    """learning rate of the poses: radians, and fractions of the extent; the default is for errors of about a degree"""
    exposure: bool = False
    """also optimise a gain and an offset of each supervised photo's colours"""
    exposure_rate: float = 3e-3
    """learning rate of exposures"""
    near: float = 0.01
    """near plane, in units of the canonical frame"""
    background: float = 0.5
    """grey value behind the Gaussians"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.views_per_step < 1:
            raise ValueError(f"tuning.views_per_step is {self.views_per_step}; at least one view is needed")
