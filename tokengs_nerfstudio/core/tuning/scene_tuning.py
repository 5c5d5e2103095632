"""Test-time tuning: the one implementation of per-scene optimisation, driven by `tune()` or by nerfstudio's Trainer.

What is optimised is what the network reads (tokens or scene latents, arXiv 2604.15239, section 3.4), the Gaussians
themselves, or first the one and then the other. All of it happens in the network's canonical frame.
"""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tokengs_nerfstudio.core.compiled import kernels_first
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.rays import with_focal
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.poses import Adjustment, with_adjusted_cameras
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.tuning.budget import check_decoding, contributing, most_seen
from tokengs_nerfstudio.core.tuning.cameras import CameraVariables
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.course import Course
from tokengs_nerfstudio.core.tuning.entry_checks import (
    check_arguments,
    check_content,
    check_growth,
    check_kind,
    kind_of,
)
from tokengs_nerfstudio.core.tuning.gaussians import GaussianStage, check_memory, fewer, starting_count
from tokengs_nerfstudio.core.tuning.moving import MovingGaussians
from tokengs_nerfstudio.core.tuning.photometry import Parts, Photometry
from tokengs_nerfstudio.core.tuning.schedule import (
    chosen_space,
    leaves_out,
    planned_stages,
    scene_extent,
)
from tokengs_nerfstudio.core.tuning.stages import SplatsAt, Stage, StageScene
from tokengs_nerfstudio.core.tuning.stopping import Stopping, TuningReport
from tokengs_nerfstudio.core.tuning.supervision import Supervision, left_out_view
from tokengs_nerfstudio.core.tuning.tokens import TokenStage, encoded_stage
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig, Views


class SceneTuning:
    """One scene under optimisation: encodes once, then each `step()` moves tokens, latents or Gaussians a little.

    `scene` is what `core.preparation.prepare` made of the photos. The network is frozen (its parameters stop asking
    for gradients) and stays outside of any module tree. `steps` is the whole number of steps planned, 0 for the
    feed-forward result alone. Tuning begins from `start` (Gaussians in the canonical frame: of another method, of SfM
    points) where that is given, and the network is not asked. Pictures are made as the network says, `antialiased` or
    classic.

    Raises ValueError where the space asked for is not one the network has, where there is nothing to supervise or to
    start from, or where the densification asked for does not run here.
    """

    def __init__(
        self,
        network: TokenGSNetwork,
        scene: PreparedScene,
        config: TuningConfig,
        steps: int,
        start: Gaussians | None = None,
        seed: int = 0,
        antialiased: bool = False,
    ):
        check_arguments(scene, config, steps, seed, start)
        self.adjustment: Adjustment | None = None
        cameras = config.cameras
        if cameras.adjust or cameras.focal:
            example, self.adjustment = with_adjusted_cameras(scene.example, cameras.adjust, cameras.focal)
            scene = replace(scene, example=example)
        supervised = scene.example.target
        self.config, self.steps, self.steps_done = config, steps, 0
        chosen = chosen_space(config.space, network.config, supervised.num_views, config.few_views)
        self.space = chosen if start is None else "gaussians"
        if start is None:
            check_growth(config, self.space, network.config)
        self._network = network.requires_grad_(False)
        self._rendering = replace(network.config.rendering(scene.example), antialiased=antialiased)
        self.course = Course(planned_stages(self.space, steps, config, supervised.num_views))
        self._kept: Tensor | None = None
        self._time = None if supervised.times is None else float(supervised.times[0])
        check_decoding(network.config, scene.example.context)
        encoded = None if start is not None else encoded_stage(network, scene.example, config, self.space)
        self._stage: Stage | None = encoded
        self._start = start
        self.supervision = Supervision(supervised, self._left_out(supervised), seed)
        extent = scene_extent(self.gaussians(), supervised.c2w)
        if any(stage.name == GaussianStage.name for stage in self.course.stages):
            check_memory(config, starting_count(config, self.gaussians().count, supervised), supervised)
        self._scene = StageScene(self.supervision, self._rendering, extent, seed, scene.points)
        self._photometry = Photometry(config.ssim, self._rendering, extent, self.supervision.valid_share, config.depth)
        self.cameras = CameraVariables(supervised.c2w, extent, cameras.pose_rate, cameras.exposure_rate)
        self._stopping = Stopping(config.stopping, self.supervision, self._photometry)
        if not self.finished:
            self._enter_stage()
        self._start_psnr = self._stopping.best.psnr

    @property
    def finished(self) -> bool:
        return self.course.finished

    @property
    def stage(self) -> str:
        """What is being optimised now: tokens, latents, gaussians, or nothing any more (finished)."""
        return "finished" if self.course.here is None else self.course.here.name

    @property
    def rendering(self) -> RenderConfig:
        """How the Gaussians are rendered in the canonical frame."""
        return self._rendering

    @property
    def focal(self) -> float:
        """What the focal lengths of the photos, as given, are multiplied by."""
        return 1.0 if self.adjustment is None else self.adjustment.focal

    def corrected(self, views: Views) -> Views:
        """Other photos of the same capture, in any frame, with focal lengths as those tuned on have."""
        return replace(views, intrinsics=with_focal(views.intrinsics, self.focal))

    @property
    def seed(self) -> int:
        return self._scene.seed

    @property
    def extent(self) -> float:
        """The scene's size in the canonical frame."""
        return self._scene.extent

    def step(self) -> Parts:
        """One optimisation step; the loss and its parts, detached and still on their device.

        Once finished, nothing moves any more and an empty dict comes back.
        """
        if self.finished or self._stage is None:
            return {}
        progress = self.course.progress
        batch = self.supervision.batch(self._stage.views_per_step, self._stage.level(progress))
        drawing = self._stage.drawing(self.steps_done)
        with kernels_first() if isinstance(self._stage, GaussianStage) else nullcontext():
            parts = self._photometry.backward(drawing, batch, self.cameras)
            self._stage.step(progress)
        self.cameras.step(progress)
        self.steps_done += 1
        self.course.step()
        self._stage.after_step(self.course.steps_in_stage, drawing.pictures, self._stopping.due(self.course))
        self._stopping.look(self._stage, self.course)
        if self._stopping.over(self._stage, self.course):
            self._leave_stage(self._stage)
        return parts

    @property
    def steps_left(self) -> int:
        """Planned steps that are still to be taken; a left-out view may end a stage earlier."""
        return self.course.steps_left

    def repace(self, left: int) -> None:
        """Take `left` more steps of the stage at hand, whose rates and image sizes go on from where they are."""
        if not self.finished:
            self.course.repace(self.steps_done, left)

    def extend(self, steps: int) -> None:
        """Plan `steps` more once all planned ones are done: from the best state on, in the space of the last stage.

        ValueError while there are steps left.
        """
        if not self.finished:
            raise UserError(f"{self.steps_left} planned steps are left; take them before planning more")
        self._kept = None
        stages = self.course.stages
        space = stages[-1].name if stages else self.space
        self.course.extend(planned_stages(space, steps, self.config, self.supervision.views.num_views))
        if not self.finished:
            self._enter_stage()

    @torch.no_grad()
    def gaussians(self, time: float | None = None) -> Gaussians:
        """The Gaussians of now, detached, in the canonical frame; once finished, the best ones.

        `time` is for weights that know time; the first supervised view's where left out. Cut-out photos leave nothing
        around them; with a limit on their number, the finished scene has those that the supervised views show most.
        """
        splats, tuned = self._splats(self._time if time is None else time), isinstance(self._stage, GaussianStage)
        splats = self.supervision.possible(splats.detach(), wholly=not tuned)
        limit = self.config.max_gaussians
        if not self.finished or limit is None or limit >= splats.count:
            return splats
        if self._kept is None:
            everything = self._over_time(lambda moment: self._splats(moment).detach())
            self._kept = most_seen(splats, self.supervision.views, limit, self._rendering, everything)
        return splats.select(self._kept)

    def report(self) -> TuningReport:
        """What has been done so far, and how many of the Gaussians the supervised views show."""
        gaussians = self.gaussians()
        return TuningReport(
            space=self.space,
            steps=self.steps_done,
            best_step=self._stopping.best.step if self.supervision.held_out else self.steps_done,
            gaussians=gaussians.count,
            contributing=contributing(
                gaussians, self.supervision.views, self._rendering, self._over_time(self.gaussians)
            ),
            held_out_psnr=self._stopping.best.psnr,
            start_psnr=self._start_psnr,
            poses="" if self.adjustment is None else self.adjustment.text,
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything a later process needs to go on exactly here, given the same network, views and config."""
        return {
            "steps_done": self.steps_done,
            "kind": self._kind,
            "seed": self._scene.seed,
            **self.course.state_dict(),
            "variables": None if self._stage is None else (self._stage.name, self._stage.state_dict()),
            "cameras": self.cameras.state_dict(),
            "supervision": self.supervision.state_dict(),
            "best": self._stopping.best.state_dict(),
            "start_psnr": self._start_psnr,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict()` was taken. ValueError for a state of version 0.1, and of a tuning of another
        kind."""
        check_kind(state, self._kind)
        check_content(state)
        self.steps_done, self._start_psnr, self._kept = state["steps_done"], state["start_psnr"], None
        self._scene = replace(self._scene, seed=state["seed"])
        self.course.load_state_dict(state)
        if state["variables"] is not None:
            name, variables = state["variables"]
            if name == GaussianStage.name:
                self._stage = self._gaussian_stage()
            assert self._stage is not None  # tokens were encoded, or Gaussians were started from
            self._stage.load_state_dict(variables)
        self.cameras.load_state_dict(state["cameras"])
        self.supervision.load_state_dict(state["supervision"])
        self._stopping.best.load_state_dict(state["best"])

    @property
    def _kind(self) -> dict[str, Any]:
        return kind_of(self.config, self.space, self.supervision.held_out, self._rendering.antialiased)

    def _over_time(self, splats_at: SplatsAt) -> SplatsAt | None:
        """What is asked for a photo's own Gaussians; None where all photos show the same ones."""
        times = self.supervision.views.times
        moves = self._network.config.time_channels > 0 and times is not None and len(times.unique()) > 1
        return splats_at if moves else None

    def _splats(self, time: float | None) -> Gaussians:
        if self._stage is not None:
            return self._stage.splats(time)
        assert self._start is not None  # one of the two is there from the beginning
        return self._start

    def _gaussian_stage(self) -> GaussianStage:
        """A stage that takes over the Gaussians of now, to which known points come once."""
        planned, moving = self.course.here or self.course.stages[-1], self._moving()
        tuned = isinstance(self._stage, GaussianStage)
        scene = replace(self._scene, points=None) if tuned else self._scene
        with torch.no_grad():
            start = self._splats(self._time).detach()
        if moving is not None:
            start = start.select(slice(0, -moving.count))
        if self._start is None and not tuned:
            start = fewer(start, starting_count(self.config, start.count, self.supervision.views), self.seed)
        return GaussianStage(start, scene, self.config, planned.steps, moving, placed=tuned)

    def _moving(self) -> MovingGaussians | None:
        """The Gaussians of dynamic tokens, as they are tuned already or beginning with those of now."""
        if isinstance(self._stage, GaussianStage):
            return self._stage.moving
        network = self._network.config
        count = network.dynamic_tokens * network.gaussians_per_token
        if count == 0 or not isinstance(self._stage, TokenStage):
            return None
        return MovingGaussians(self._stage, count, self._scene.extent, self.config.gaussians)

    def _left_out(self, supervised: Views) -> list[int]:
        wanted = leaves_out(self.config, supervised.num_views)
        return left_out_view(supervised, self.config.stopping.held_out_from) if wanted else []

    def _enter_stage(self) -> None:
        """Gaussians take over from what was decoded."""
        if self.stage == GaussianStage.name:
            self._stage = self._gaussian_stage()
        assert self._stage is not None
        self._stopping.begin(self._stage)
        self._stage.begin()

    def _leave_stage(self, stage: Stage) -> None:
        """To the next one, with the best state of this one."""
        stage.settle()
        self._stopping.restore(stage, self.course)
        self.course.leave()
        if not self.finished:
            self._enter_stage()
