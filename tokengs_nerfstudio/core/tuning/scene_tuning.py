"""Test-time tuning: the one implementation of per-scene optimisation, driven by `tune()` or by nerfstudio's Trainer.

What is optimised is what the network reads (tokens or scene latents, arXiv 2604.15239, section 3.4), the Gaussians
themselves, or first the one and then the other. All of it happens in the network's canonical frame.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering.gsplat_strategies import GsplatDensification, check_densification
from tokengs_nerfstudio.core.tuning.budget import contributing, free_memory, most_seen, views_that_fit
from tokengs_nerfstudio.core.tuning.cameras import CameraVariables
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.gaussians import GaussianVariables, Growth, thinned
from tokengs_nerfstudio.core.tuning.photometry import Photometry
from tokengs_nerfstudio.core.tuning.plane_sweep import ClearSpace
from tokengs_nerfstudio.core.tuning.schedule import Stage, chosen_space, level_factor, planned_stages, scene_extent
from tokengs_nerfstudio.core.tuning.seeds import replacements
from tokengs_nerfstudio.core.tuning.stopping import BestState, TuningReport
from tokengs_nerfstudio.core.tuning.supervision import Supervision, check_supervision, left_out_view
from tokengs_nerfstudio.core.tuning.tokens import TokenVariables, latent_variables, token_variables
from tokengs_nerfstudio.core.types import Gaussians, Views

Variables = TokenVariables | GaussianVariables


class SceneTuning:
    """One scene under optimisation: encodes once, then each `step()` moves tokens, latents or Gaussians a little.

    `context` and `supervised` are one scene (no batch axis) in the network's canonical frame; `context` has a size
    the network can take, `supervised` the capture's own. The network is frozen (its parameters stop asking for
    gradients) and stays outside of any module tree. `steps` is the whole number of steps planned, 0 for the
    feed-forward result alone.

    Raises ValueError where the space asked for is not one the network has, where there is nothing to supervise, or
    where the densification asked for does not run here.
    """

    def __init__(
        self,
        network: TokenGSNetwork,
        context: Views,
        supervised: Views,
        config: TuningConfig,
        steps: int,
        seed: int = 0,
    ):
        if steps > 0:
            check_supervision(supervised)
        if steps > 0 and config.densification != "budget":
            check_densification(config.densification, supervised.images.device)
        self.config, self.steps, self.steps_done, self._seed = config, steps, 0, seed
        self.space = chosen_space(config.space, network.config, supervised.num_views, config.few_views)
        self._most_steps = None if config.stopping == "steps" else config.steps_per_view * supervised.num_views
        self._stage, self._stage_step, self._stages = 0, 0, self._plan(self.space, steps)
        self._network = network.requires_grad_(False)
        self._kept: Tensor | None = None
        self._time = None if supervised.times is None else float(supervised.times[0])
        self._variables: Variables = self._encoded(context)
        self.supervision = Supervision(supervised, self._left_out(supervised), seed)
        self.extent = scene_extent(self.gaussians(), supervised.c2w)
        self.cameras = self._camera_variables(supervised)
        self._chunk = config.views_per_step
        self._best, self._start_psnr = BestState(), None
        if not self.finished:
            self._enter_stage()
            self._start_psnr = self._best.psnr

    @property
    def finished(self) -> bool:
        return self._stage >= len(self._stages)

    @property
    def stage(self) -> str:
        """What is being optimised now: tokens, latents, gaussians, or nothing any more (finished)."""
        return "finished" if self.finished else self._stages[self._stage].name

    def step(self) -> dict[str, float | Tensor]:
        """One optimisation step; the loss and its parts, detached and still on their device.

        Once finished, nothing moves any more and an empty dict comes back.
        """
        if self.finished:
            return {}
        progress = self._stage_step / self._stages[self._stage].steps
        batch = self.supervision.batch(self.config.views_per_step, self._factor(progress))
        gaussians = self._variables if isinstance(self._variables, GaussianVariables) else None
        drawn = [] if gaussians is not None and gaussians.asks_for_pictures else None
        parts = self._photometry().backward(self._splats_of_step, batch, self.cameras, self._chunk, drawn)
        self._variables.step(progress)
        self.cameras.step(progress)
        self.steps_done += 1
        self._stage_step += 1
        if gaussians is not None:
            gaussians.grow(self._stage_step, drawn or ())
            self._clear(gaussians)
        self._look()
        self._leave_stage()
        return parts

    @property
    def steps_left(self) -> int:
        """Planned steps that are still to be taken; a left-out view may end a stage earlier."""
        return sum(stage.steps for stage in self._stages[self._stage :]) - self._stage_step

    def extend(self, steps: int) -> None:
        """Plan `steps` more once all planned ones are done: from the best state on, in the space of the last stage.

        ValueError while there are steps left.
        """
        if not self.finished:
            raise ValueError(f"{self.steps_left} planned steps are left; take them before planning more")
        self._kept = None
        space = self._stages[-1].name if self._stages else self.space
        self._stages += self._plan(space, steps)
        if not self.finished:
            self._enter_stage()

    @torch.no_grad()
    def gaussians(self, time: float | None = None) -> Gaussians:
        """The Gaussians of now, detached, in the canonical frame; once finished, the best ones.

        `time` is for weights that know time; the first supervised view's where left out. With a limit on their number,
        the finished scene consists of those that the supervised views show most.
        """
        splats = self._variables.splats(self._time if time is None else time).detach()
        limit = self.config.max_gaussians
        if not self.finished or not 0 < limit < splats.count:
            return splats
        if self._kept is None:
            self._kept = most_seen(splats, self.supervision.views, limit, self.config.near)
        return splats.select(self._kept)

    def report(self) -> TuningReport:
        """What has been done so far, and how many of the Gaussians the supervised views show."""
        gaussians = self.gaussians()
        return TuningReport(
            space=self.space,
            steps=self.steps_done,
            best_step=self._best.step if self.supervision.held_out else self.steps_done,
            gaussians=gaussians.count,
            contributing=contributing(gaussians, self.supervision.views, self.config.near),
            held_out_psnr=self._best.psnr,
            start_psnr=self._start_psnr,
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything a later process needs to go on exactly here, given the same network, views and config."""
        return {
            "steps_done": self.steps_done,
            "seed": self._seed,
            "plan": [(stage.name, stage.steps) for stage in self._stages],
            "stage": (self._stage, self._stage_step),
            "variables": self._variables.state_dict(),
            "cameras": self.cameras.state_dict(),
            "supervision": self.supervision.state_dict(),
            "best": self._best.state_dict(),
            "start_psnr": self._start_psnr,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict()` was taken."""
        self.steps_done, self._start_psnr, self._kept = state["steps_done"], state["start_psnr"], None
        self._seed = state["seed"]
        self._stages = [Stage(name, steps) for name, steps in state["plan"]]
        self._stage, self._stage_step = state["stage"]
        if "parameters" in state["variables"] and not isinstance(self._variables, GaussianVariables):
            self._variables = self._gaussian_variables(self.gaussians())
        self._variables.load_state_dict(state["variables"])
        self.cameras.load_state_dict(state["cameras"])
        self.supervision.load_state_dict(state["supervision"])
        self._best.load_state_dict(state["best"])

    def _plan(self, space: str, steps: int) -> list[Stage]:
        return planned_stages(space, steps, self.config.token_fraction, self.config.token_steps, self._most_steps)

    def _encoded(self, context: Views) -> TokenVariables:
        """Tokens or latents: also where only Gaussians are tuned, for these start from what the tokens decode to."""
        config, batched = self.config, context.unsqueeze()
        if self.space == "latents":
            return latent_variables(self._network, batched, config.latent_rate, config.rates_decay)
        return token_variables(self._network, batched, config.token_rate, config.rates_decay)

    def _gaussian_variables(self, start: Gaussians) -> GaussianVariables:
        """Gaussians as variables, no more than allowed, and as many of a step's views together as fit with them."""
        c, views = self.config, self.supervision.views
        if 0 < c.max_gaussians < start.count:
            start = start.select(most_seen(start, views, c.max_gaussians, c.near))
        budget = max(start.count, round(c.gaussians_per_pixel * views.height * views.width))
        budget = min(budget, c.max_gaussians or budget)
        free = free_memory(views.images.device)
        self._chunk = views_that_fit(budget, c.views_per_step, views.height, views.width, free)
        self._clear_space = ClearSpace.before(views.select(self.supervision.trained), c.clear_share, self._seed)
        return GaussianVariables(start, self.extent, c, self._growth(budget))

    def _growth(self, budget: int) -> Growth | GsplatDensification:
        c = self.config
        until = c.growth_end * self._stages[min(self._stage, len(self._stages) - 1)].steps
        if c.densification == "budget":
            return Growth(budget, until, c.growth_every)
        device = self.supervision.views.images.device
        return GsplatDensification(c.densification, self.extent, budget, until, c.growth_every, self._seed, device)

    def _camera_variables(self, supervised: Views) -> CameraVariables:
        c = self.config
        rates = (c.pose_rate if c.refine_poses else 0.0, c.exposure_rate if c.exposure else 0.0)
        return CameraVariables(supervised.c2w, self.extent, *rates)

    def _left_out(self, supervised: Views) -> list[int]:
        c = self.config
        wanted = c.stopping == "held-out" and not c.refine_poses
        return left_out_view(supervised, c.held_out_from) if wanted else []

    def _enter_stage(self) -> None:
        """Gaussians take over from what was decoded; the state a stage starts from is the first to beat."""
        if self.stage == "gaussians":
            self._variables = self._gaussian_variables(self.gaussians())
        self._best = BestState()
        self._look(force=True)
        if isinstance(self._variables, GaussianVariables) and self.config.reseed:
            trained = self.supervision.views.select(self.supervision.trained)
            start, c = self._variables.splats().detach(), self.config
            self._variables.exchange(*replacements(start, trained, c.near, c.background, self._seed))

    def _splats_of_step(self, time: float | None) -> Gaussians:
        splats, c = self._variables.splats(time), self.config
        few = self.supervision.views.num_views < c.held_out_from
        if self.stage != "gaussians" or not few or c.dropout == 0:
            return splats
        return thinned(splats, c.dropout, self._seed + self.steps_done)

    def _clear(self, gaussians: GaussianVariables) -> None:
        """Nothing stays right before a camera; looked at whenever the left-out view would be, and at the end."""
        if self._clear_space.depth > 0 and self._look_due:
            gaussians.remove(self._clear_space.contains(gaussians.splats().detach()))

    def _leave_stage(self) -> None:
        """To the next stage, with the best state of this one, when its steps are done or help no more."""
        steps = self._stages[self._stage].steps
        looked = self.supervision.held_out and self._stage_step % self.config.check_every == 0
        stale = self._stage_step - self._best.step > self.config.patience * steps
        if self._stage_step < steps and not (looked and stale):
            return
        if self.supervision.held_out:
            self._variables.restore(self._best.snapshot)
        self._stage, self._stage_step = self._stage + 1, 0
        if not self.finished:
            self._enter_stage()

    def _factor(self, progress: float) -> float:
        """How many times smaller than the photos the images of this step are."""
        if self.stage == "gaussians":
            return level_factor(progress, self.config.levels, self.config.level_starts)
        height, width = self._network.config.image_size
        pixels = height * width * self.config.token_resolution**2
        return max(1.0, (self.supervision.views.height * self.supervision.views.width / pixels) ** 0.5)

    def _photometry(self) -> Photometry:
        c, loose = self.config, self.stage == "gaussians"
        pulls = (c.opacity_pull, c.scale_pull) if loose else (0.0, 0.0)
        share = self.supervision.valid_share
        return Photometry(c.ssim, *pulls, self.extent, c.near, c.background, share)

    @property
    def _look_due(self) -> bool:
        last = self._stage_step >= self._stages[self._stage].steps
        return last or self._stage_step % self.config.check_every == 0

    @torch.no_grad()
    def _look(self, force: bool = False) -> None:
        """Remembers the state if the left-out view has never looked better; one host synchronisation a look."""
        if not self.supervision.held_out or not (force or self._look_due):
            return
        views = self.supervision.held_out_views()
        time = None if views.times is None else float(views.times[0])
        error = self._photometry().error(self._variables.splats(time), views)
        self._best.offer(error, self._stage_step, self._variables.snapshot)


def tune(
    network: TokenGSNetwork,
    context: Views,
    supervised: Views,
    config: TuningConfig,
    steps: int,
    seed: int = 0,
    on_step: Callable[[SceneTuning, dict[str, float | Tensor]], None] | None = None,
) -> Gaussians:
    """Tunes one scene and returns its Gaussians, all in the canonical frame; `on_step` is called after each step."""
    tuning = SceneTuning(network, context, supervised, config, steps, seed)
    while not tuning.finished:
        parts = tuning.step()
        if on_step is not None:
            on_step(tuning, parts)
    return tuning.gaussians()
