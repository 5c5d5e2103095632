"""One scene through a network, tuned or not: how good its pictures are, and what they cost."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from tokengs_nerfstudio.core.evaluation import score, shown, trivial_answers
from tokengs_nerfstudio.core.losses.ssim import ssim as training_ssim
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene, prepare
from tokengs_nerfstudio.core.rendering.piecewise import slices
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.whole import planned_tuning, run_through
from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig, Views
from tokengs_nerfstudio.evaluation.cases import LoadedCase

SCORES = ("psnr", "ssim", "training_ssim", "lpips")
"""What is measured of each picture: dB; SSIM as scikit-image has it and tables report it; SSIM as the training loss has
it; LPIPS."""
COSTS = ("gaussians", "encode_seconds", "decode_seconds", "tuning_seconds")
TRIVIAL = ("mean_colour", "nearest_photo")
"""PSNR in dB of two answers that need no method, on views that are not in the context."""

_TOGETHER, _REHEARSAL = 8, 2

SplatsAt = Callable[[float | None], Gaussians]


@dataclass(frozen=True)
class Tuning:
    """How every scene is tuned on its context before it is looked at."""

    config: TuningConfig
    steps: int


@dataclass(frozen=True)
class Measured:
    """What came of one scene."""

    scores: dict[str, list[float]]
    """of each target"""
    costs: dict[str, float]
    trivial: dict[str, float]
    """of novel views"""
    pictures: Tensor
    """the targets as they are rendered, [view 3 height width] in [0, 1]"""
    scene: PreparedScene
    """in the network's frame; its targets are the true photos"""
    splats_at: SplatsAt
    """the Gaussians in the network's frame, for networks that know time at a time"""
    rendering: RenderConfig

    @property
    def means(self) -> dict[str, float]:
        """Over the targets, and what has one value."""
        return {**{name: mean(values) for name, values in self.scores.items()}, **self.trivial, **self.costs}


def measure(
    network: TokenGSNetwork,
    case: LoadedCase,
    tuning: Tuning | None = None,
    seed: int = 0,
    lpips_network: str = "vgg",
    rehearsed: bool = True,
) -> Measured:
    """One scene; its photos go where the network is. UserError where photos or weights cannot be used so.

    What is not `rehearsed` is done twice, for kernels that are compiled when first used would count as time.
    """
    device = network.tokens.device
    scene = prepare(network, case.example.to(device), case.scale)
    clock = _Clock(device)
    supervised = case.supervised.to(device)
    if not rehearsed:
        _feed_forward(network, scene, clock)
        if tuning is not None:
            _tuned(network, scene, supervised, replace(tuning, steps=min(tuning.steps, _REHEARSAL)), seed)
    torch.manual_seed(seed)
    splats_at, costs = _feed_forward(network, scene, clock)
    if tuning is not None:
        started = clock.now()
        tuned = _tuned(network, scene, supervised, tuning, seed)
        splats_at = _remembered(tuned.gaussians)
        scene = replace(scene, example=Example(scene.example.context, tuned.corrected(scene.example.target)))
        costs["tuning_seconds"] = clock.now() - started
    rendering = network.config.rendering(scene.example)
    with torch.no_grad():
        pictures, costs["gaussians"] = _pictures(splats_at, scene, rendering)
        scores = _scores(pictures, scene.example.target.images, lpips_network)
    return Measured(scores, costs, _trivial(case), pictures, scene, splats_at, rendering)


def time_of(scene: PreparedScene, view: int) -> float | None:
    """When a target is shown; None for networks that know no time."""
    times = scene.example.target.times
    return float(times[view]) if scene.times and times is not None else None


def mean(values: Sequence[float]) -> float:
    """To the last bit the same in whatever order."""
    return math.fsum(values) / len(values)


@torch.no_grad()
def _feed_forward(network: TokenGSNetwork, scene: PreparedScene, clock: "_Clock") -> tuple[SplatsAt, dict[str, float]]:
    """Encoded once; decoded at the first target's time to see how long it takes."""
    context = scene.example.context.unsqueeze()
    started = clock.now()
    memory = network.encode(context)
    encoded = clock.now()
    network.decode(memory, time=time_of(scene, 0))
    costs = {"encode_seconds": encoded - started, "decode_seconds": clock.now() - encoded}
    return _remembered(lambda time: network.decode(memory, time=time).squeeze()), costs


def _tuned(network: TokenGSNetwork, scene: PreparedScene, supervised: Views, tuning: Tuning, seed: int) -> SceneTuning:
    """Tuned on the context alone: targets are only looked at."""
    placed = scene.to_canonical.views(supervised)
    placed = replace(placed, c2w=placed.c2w.to(scene.example.target.c2w))
    context = replace(scene, example=Example(scene.example.context, placed))
    planned = planned_tuning(network, context, tuning.config, tuning.steps, seed)
    run_through(planned)
    return planned.tuning


def _remembered(splats_at: SplatsAt) -> SplatsAt:
    """Pictures, depths and films ask for the same time one after another: it is decoded once."""
    return torch.no_grad()(lru_cache(maxsize=1)(splats_at))


def _trivial(case: LoadedCase) -> dict[str, float]:
    """On novel views; none where there is no such view."""
    if not case.novel:
        return {}
    answers = trivial_answers(case.supervised, case.example.target.select(case.novel))
    return {name: answers[name.replace("_", " ")] for name in TRIVIAL}


def _pictures(splats_at: SplatsAt, scene: PreparedScene, rendering: RenderConfig) -> tuple[Tensor, int]:
    """Every target, at its own time where the network knows time, and the number of Gaussians."""
    asked = scene.example.target
    groups = [list(range(asked.num_views))]
    if scene.times and asked.times is not None:
        groups = [(asked.times == moment).nonzero()[:, 0].tolist() for moment in asked.times.unique()]
    pictures, count = torch.empty_like(asked.images), 0
    for group in groups:
        splats = splats_at(time_of(scene, group[0]))
        count = max(count, splats.count)
        for part in (group[piece] for piece in slices(len(group), _TOGETHER)):
            pictures[part] = shown(splats, asked.select(part), rendering).clamp(0, 1)
    return pictures, count


def _scores(pictures: Tensor, photos: Tensor, lpips_network: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for piece in slices(len(photos), _TOGETHER):
        made, true = pictures[piece], photos[piece]
        scores = vars(score(made, true, lpips_network))
        scores["training_ssim"] = training_ssim(made[:, None], true[:, None])
        for name in SCORES:
            if scores[name] is not None:
                found.setdefault(name, []).extend(scores[name].tolist())
    return found


class _Clock:
    """Seconds, with all that a GPU was asked for done."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()
