"""What a tuning run will do, decided before it starts: its stages, the size of its scene, the views of one time."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.supervision import Batch
from tokengs_nerfstudio.core.types import Gaussians


@dataclass(frozen=True)
class PlannedStage:
    """How many steps are meant for one kind of variables: tokens, latents or gaussians."""

    name: str
    steps: int


@dataclass(frozen=True)
class Pace:
    """How a stage goes through its `steps`: evenly from `share` of it, at step `since`, to its end."""

    steps: int
    since: int = 0
    share: float = 0.0

    def progress(self, step: int) -> float:
        """How much of the stage is done, in [0, 1], once `step` of its steps are."""
        left = self.steps - self.since
        return self.share + (1 - self.share) * ((step - self.since) / left if left > 0 else 1.0)

    def changed(self, step: int, left: int) -> "Pace":
        """From `step` on, `left` more steps: as much is done at that point as before."""
        return Pace(step + left, step, self.progress(step))


def chosen_space(space: str, network: NetworkConfig, supervised: int, few_views: int | None) -> str:
    """The space to tune in. `auto` takes gaussians, from `few_views` supervised views up tokens+gaussians.

    Weights that know time and have no dynamic tokens have no Gaussians that stand still: there, `auto` takes tokens.

    Raises ValueError where the network does not have what the space needs.
    """
    everything_moves = network.time_channels > 0 and network.dynamic_tokens == 0
    if space == "auto":
        if everything_moves:
            return "tokens"
        return "gaussians" if few_views is None or supervised < few_views else "tokens+gaussians"
    if space == "latents" and network.latents == 0:
        raise UserError("tuning.space is 'latents', but these weights have no scene latents; use 'tokens'")
    if "gaussians" in space and everything_moves:
        raise UserError(
            f"tuning.space is '{space}', but with these weights everything moves; use 'tokens' or 'latents'"
        )
    return space


def leaves_out(config: TuningConfig, supervised: int) -> bool:
    """Whether one of so many views is left out to decide which state is the best."""
    stopping = config.stopping
    return stopping.rule == "held-out" and config.cameras.pose_rate == 0 and supervised >= stopping.held_out_from


def planned_stages(space: str, steps: int, config: TuningConfig, supervised: int) -> list[PlannedStage]:
    """The stages of `space`, `steps` long together unless `supervised` views are too few for so many on Gaussians, and
    for one of them to be left out.

    None of the stages is empty.
    """
    if steps <= 0:
        return []
    limited = config.stopping.rule == "held-out" and not leaves_out(config, supervised)
    limit = config.gaussians.steps_per_view * supervised if limited else steps
    if space == "gaussians":
        return [PlannedStage(space, min(steps, limit))]
    if space != "tokens+gaussians":
        return [PlannedStage(space, steps)]
    first = min(config.tokens.most_steps, round(config.tokens.share * steps))
    stages = (PlannedStage("tokens", first), PlannedStage("gaussians", min(steps - first, limit)))
    return [stage for stage in stages if stage.steps > 0]


def level_factor(progress: float, levels: tuple[tuple[float, float], ...]) -> float:
    """How many times smaller than the photos the images are at this point of a stage; levels are (start, factor)."""
    return levels[max(sum(progress >= start for start, _ in levels) - 1, 0)][1]


def token_level(network: NetworkConfig, height: int, width: int, resolution: float) -> float:
    """How many times smaller than photos of this size are those with the pixels of `resolution` training images."""
    trained_height, trained_width = network.image_size
    pixels = trained_height * trained_width * resolution**2
    return max(1.0, (height * width / pixels) ** 0.5)


def scene_extent(gaussians: Gaussians, c2w: Float[Tensor, "view 4 4"]) -> float:
    """The scene's size for learning rates: the median distance of its more solid Gaussians from the cameras."""
    solid = gaussians.opacities >= gaussians.opacities.median()
    distance = torch.cdist(c2w[:, :3, 3], gaussians.means[solid])
    return max(float(distance.median()), 1e-6)


def by_time(batch: Batch) -> list[tuple[float | None, Batch]]:
    """The views of a step, grouped by the time they show: each time's Gaussians are made once."""
    times = batch.views.times
    if times is None:
        return [(None, batch)]
    groups: list[tuple[float | None, Batch]] = []
    for time in times.unique().tolist():
        chosen = (times == time).nonzero()[:, 0]
        groups.append((time, batch.select(chosen)))
    return groups
