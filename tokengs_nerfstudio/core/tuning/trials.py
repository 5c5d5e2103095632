"""Evidence: short tunings on small photos, some of which are left out and tell what suits the scene.

What can be shared is: the photos of a trial are encoded and decoded once, all Gaussians start from there, and those
that come after tokens from where the trial of the tokens was on its way.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tokengs_nerfstudio.core.geometry.resize import level_size, resized
from tokengs_nerfstudio.core.geometry.twins import same_cameras
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene, prepare
from tokengs_nerfstudio.core.stored_views import joined
from tokengs_nerfstudio.core.tuning.candidates import FEED_FORWARD, MANY, Candidate
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.costs import Clock, settled, step_seconds, to_be_timed
from tokengs_nerfstudio.core.tuning.evidence import Evidence, TrialCosts, TrialSize, fitting
from tokengs_nerfstudio.core.tuning.gaussians import fewer
from tokengs_nerfstudio.core.tuning.photometry import Photometry
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.settings import with_settings
from tokengs_nerfstudio.core.tuning.supervision import most_typical_view
from tokengs_nerfstudio.core.tuning.surfaces import beginning_with, surfaces
from tokengs_nerfstudio.core.types import Example, Gaussians, Views

Told = Callable[[str], None]
"""Is told what is being done, now and then."""

# Shorter side of the photos of a trial; from coarse to fine, as `GaussianStageConfig.levels`.
_SIDE = 64.0
_LEVELS = ((0.0, 2.0), (0.4, 1.0))
# Share of a trial of tokens after which Gaussians take over.
_TOKENS_FIRST = 0.5
# Steps that are timed.
_TIMED = 2
# Of many photos several are left out at once: one in so many.
_ONE_IN = 8
# No further turn begins that would take trials this much longer than they may.
_OVER = 1.2
# Photos that a trial looks at, spread over the capture: more would only take longer to read. Those that tell points.
_MOST, _TELLING = 48, 12


@dataclass(frozen=True)
class Turn:
    """A scene without some of its photos, small."""

    scene: PreparedScene
    left_out: Views
    """in the frame of that scene"""


def turns(scene: PreparedScene, number: int) -> Iterator[list[int]]:
    """Which supervised photos are left out together, turn by turn; none where there are fewer than three.

    Of many photos those that the network does not see, since it need not do without them; of few any but what is all
    that it sees.
    """
    views = scene.example.target
    usable = views.usable()
    if len(usable) < 3:
        return
    same = same_cameras(scene.example.context.c2w, views.c2w)
    seen, needed = same.any(0).tolist(), same.all(0).tolist()
    unseen = [place for place in usable if not seen[place]]
    if len(usable) >= MANY and len(unseen) >= 2:
        count = max(1, min(len(unseen) // 2, round(len(usable) / _ONE_IN)))
        number = max(1, min(number // 2, len(unseen) // count))
        for turn in range(number):
            yield [unseen[int((place + (turn + 0.5) / number) * len(unseen) / count)] for place in range(count)]
        return
    rest = [place for place in usable if not needed[place]]
    for _ in range(min(number, len(rest))):
        yield [rest.pop(most_typical_view(views.c2w[rest]))]


def turn_of(network: TokenGSNetwork, scene: PreparedScene, left: Sequence[int]) -> Turn:
    """The scene without the photos at `left`, which the network does not see either; placed anew."""
    context, views = scene.example.context, scene.example.target
    kept = [place for place in range(views.num_views) if place not in left]
    kept = [kept[int(number * len(kept) / _MOST)] for number in range(_MOST)] if len(kept) > _MOST else kept
    gone = same_cameras(context.c2w, views.c2w[list(left)]).any(1)
    seen = context.select((~gone).nonzero()[:, 0])
    placed = prepare(network, Example(seen, _small(views, kept)), points=scene.points)
    return Turn(placed, placed.to_canonical.views(_small(views, left)))


def _small(views: Views, places: Sequence[int]) -> Views:
    """Some of the views, read and made small one by one: a large capture does not fit into memory."""
    size = level_size(views.height, views.width, max(1.0, min(views.height, views.width) / _SIDE))
    return joined([resized(views.select([place]), *size) for place in places])


@dataclass(frozen=True)
class Trials:
    """Runs candidates on turns."""

    network: TokenGSNetwork
    config: TuningConfig
    seed: int
    antialiased: bool
    told: Told
    most: int
    """Gaussians that trials on these begin with at most: as many as the tuning itself"""

    def turn(self, scene: PreparedScene, left: Sequence[int]) -> Turn:
        """`turn_of`, with points that the photos which are not left out tell, where these are wanted."""
        turn, photos = turn_of(self.network, scene, left), min(self.config.gaussians.stereo, _TELLING)
        config = with_settings(self.config, {"gaussians.stereo": photos})
        found = surfaces(turn.scene, self.network.config, config, self.seed)
        return replace(turn, scene=beginning_with(found, turn.scene, config, self.seed))

    def scores(self, turn: Turn, tried: Sequence[Candidate], size: TrialSize) -> tuple[list[float], float | None]:
        """PSNR in dB of what is left out of `turn`, by each of the candidates; and how much better the first of them on
        Gaussians shows the other photos, None where none is."""
        tokens = self._tuning(turn, replace(self.config, space="tokens"), size.token_steps)
        start = tokens.gaussians()
        shown = {FEED_FORWARD: start, "gaussians": start}
        if any("tokens" in candidate.space for candidate in tried):
            self.told("tokens")
            shown |= self._tuned_tokens(tokens)
        scores, gap = list[float](), None
        for candidate in tried:
            splats = shown[candidate.space]
            if "gaussians" in candidate.space:
                self.told(candidate.name)
                splats = self._tuned_gaussians(turn, candidate, self._first(splats), size.gaussian_steps)
            scores.append(_psnr(splats, tokens.corrected(turn.left_out), tokens))
            if gap is None and "gaussians" in candidate.space:
                gap = _psnr(splats, tokens.corrected(turn.scene.example.target), tokens) - scores[-1]
        return scores, gap

    def costs(self, turn: Turn, size: TrialSize, clock: Clock) -> TrialCosts:
        """What trials of that length cost; from a few steps that nothing comes of."""
        views = turn.left_out
        before = settled(clock, views)
        tokens = self._tuning(turn, replace(self.config, space="tokens"), _TIMED + 1)
        start, between = tokens.gaussians(), settled(clock, views)
        finest = with_settings(self._on_gaussians(Candidate("gaussians")), {"gaussians.levels": ((0.0, 1.0),)})
        gaussians = self._tuning(turn, to_be_timed(finest), _TIMED + 1, self._first(start))
        per_token, per_gaussian = (step_seconds(run, clock, _TIMED) for run in (tokens, gaussians))
        return TrialCosts(between - before, size.token_steps * per_token, size.gaussian_steps * per_gaussian)

    def _tuned_tokens(self, run: SceneTuning) -> dict[str, Gaussians]:
        """The Gaussians of tuned tokens, and those of tokens that are tuned before Gaussians: less long."""
        first = max(1, round(_TOKENS_FIRST * run.steps))
        while run.steps_done < first:
            run.step()
        early = run.gaussians()
        while not run.finished:
            run.step()
        return {"tokens": run.gaussians(), "tokens+gaussians": early}

    def _tuned_gaussians(self, turn: Turn, candidate: Candidate, start: Gaussians, steps: int) -> Gaussians:
        run = self._tuning(turn, self._on_gaussians(candidate), steps, start)
        while not run.finished:
            run.step()
        return run.gaussians()

    def _first(self, splats: Gaussians) -> Gaussians:
        return fewer(splats, self.most, self.seed)

    def _on_gaussians(self, candidate: Candidate) -> TuningConfig:
        return with_settings(replace(candidate, space="gaussians").applied(self.config), {"gaussians.levels": _LEVELS})

    def _tuning(self, turn: Turn, config: TuningConfig, steps: int, start: Gaussians | None = None) -> SceneTuning:
        config = with_settings(config, {"stopping.rule": "steps"})
        return SceneTuning(self.network, turn.scene, config, steps, start, self.seed, self.antialiased)


def gathered(
    trials: Trials, scene: PreparedScene, tried: Sequence[Candidate], seconds: float | None, clock: Clock
) -> Evidence | None:
    """What trials on `scene` show, in at most about `seconds`; without a limit they have their usual length.

    None where nothing is to be tried, where there are too few photos, and where time is too short to show anything.
    """
    size, began = TrialSize(), clock()
    left_out = list(turns(scene, size.turns)) if tried and (seconds is None or seconds > 0) else []
    if not left_out:
        return None
    made, few = trials.turn(scene, left_out[0]), len(scene.example.target.usable()) < MANY
    size = replace(size, turns=len(left_out))
    if seconds is not None:
        trials.told("what trials cost")
        costs = trials.costs(made, size, clock)
        tried, size = fitting(tried, size, costs, seconds - (clock() - began), few)
    scores, gaps = list[list[float]](), list[float]()
    for number, left in enumerate(left_out[: size.turns]):
        if number and seconds is not None and (clock() - began) * (number + 1) / number > _OVER * seconds:
            break
        turn = made if number == 0 else trials.turn(scene, left)
        shown, gap = trials.scores(turn, tried, size)
        scores.append(shown)
        gaps += [] if gap is None else [gap]
    if not scores:
        return None
    used = tuple(tuple(left) for left in left_out[: len(scores)])
    return Evidence(tuple(tried), tuple(zip(*scores)), used, size, clock() - began, few, tuple(gaps))


def _psnr(splats: Gaussians, views: Views, like: SceneTuning) -> float:
    """Mean PSNR in dB of views, rendered as a tuning does."""
    photometry = Photometry(like.config.ssim, like.rendering, like.extent)
    errors = [photometry.error(splats, views.select([place])) for place in range(views.num_views)]
    return sum(-10 * math.log10(max(error, 1e-10)) for error in errors) / len(errors)
