"""What trials cost, and what they have shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tokengs_nerfstudio.core.tuning.candidates import Candidate
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.settings import differences, with_settings

# Tokens gain most after the length of a trial, and never ruin a scene of few photos: by so many dB others have to be
# better. By as many has what does without the network, or without known points, to be better than what has both.
_LEAD = 0.5
# Gaussians that show the photos they are tuned on by so many dB better than the others know them by heart: then those
# fade that only single photos ask for, as this setting has it. What it divides: docs/measurements.md.
_BY_HEART, _AGAINST_IT, _PULL = 2.0, "gaussians.opacity_pull", 0.1
# Tokens are left out of trials in which they would leave no time for so many turns: with few photos, which they suit,
# and with many.
_OF_FEW, _OF_MANY = 1, 2
# Trials shorter than this share of their usual length show nothing.
_SHORTEST = 0.5


@dataclass(frozen=True)
class TrialSize:
    """How long trials are."""

    token_steps: int = 20
    gaussian_steps: int = 120
    turns: int = 4
    """how often other photos are left out, at most; half as often where several are left out together"""

    def scaled(self, factor: float) -> "TrialSize":
        """Trials `factor` times as long."""
        return replace(
            self, token_steps=round(self.token_steps * factor), gaussian_steps=round(self.gaussian_steps * factor)
        )


@dataclass(frozen=True)
class TrialCosts:
    """Seconds of a turn."""

    before: float
    """its first step"""
    tokens: float
    """its trial of tokens"""
    gaussians: float
    """each of its trials of Gaussians"""

    def of(self, tried: Sequence[Candidate]) -> float:
        """All steps of a turn in which these are tried."""
        runs = sum("gaussians" in candidate.space for candidate in tried)
        return self.tokens * any("tokens" in candidate.space for candidate in tried) + self.gaussians * runs


@dataclass(frozen=True)
class Evidence:
    """What trials have shown, and what is chosen by it."""

    tried: tuple[Candidate, ...]
    scores: tuple[tuple[float, ...], ...]
    """PSNR in dB of the left-out photos, by candidate and turn"""
    left_out: tuple[tuple[int, ...], ...]
    """places of the photos that were left out, by turn"""
    size: TrialSize
    seconds: float
    few: bool = True
    """whether the photos are few: tuned on many, Gaussians leave tokens behind long after a trial is over"""
    gaps: tuple[float, ...] = ()
    """by turn, how many dB better than what was left out Gaussians show the photos that they were tuned on"""

    def mean(self, place: int) -> float:
        """Score of a candidate, over all turns."""
        return sum(self.scores[place]) / len(self.scores[place])

    @property
    def best(self) -> Candidate:
        """The candidate that shows the left-out photos best; points alone and none have to be a lead ahead of all
        others, and others that much ahead of tokens where photos are few."""

        def merit(place: int) -> float:
            tried = self.tried[place]
            lacking = "gaussians.points" in tried.settings
            return self.mean(place) + _LEAD * ((tried.space == "tokens" and self.few) - lacking)

        return self.tried[max(range(len(self.tried)), key=merit)]

    @property
    def gap(self) -> float:
        """Over all turns; 0 where no Gaussians were tried."""
        return sum(self.gaps) / len(self.gaps) if self.gaps else 0.0

    def decided(self, config: TuningConfig) -> TuningConfig:
        """As the best candidate has it; where Gaussians know photos by heart, with what is good against it, unless
        somebody has chosen otherwise."""
        config = self.best.applied(config)
        if self.gap < _BY_HEART or _AGAINST_IT in differences(TuningConfig(), config):
            return config
        return with_settings(config, {_AGAINST_IT: _PULL})

    def rows(self) -> tuple[dict[str, Any], ...]:
        """The table, as plain values."""
        return tuple(
            {
                "tried": candidate.name,
                "psnr": round(self.mean(place), 3),
                "by_turn": [round(score, 3) for score in self.scores[place]],
                "chosen": candidate == self.best,
            }
            for place, candidate in enumerate(self.tried)
        )

    def table(self) -> str:
        """The table in lines, the highest score first, what is chosen named by a star."""
        photos = sum(map(len, self.left_out))
        tokens = f"{_LEAD} dB better than tokens is better, " if self.few else ""
        lines = [
            f"Trials of {self.size.token_steps} steps on tokens and {self.size.gaussian_steps} on Gaussians, "
            f"{self.seconds:.1f} s; PSNR of {photos} left-out photos, {len(self.left_out)} turns; {tokens}points alone "
            f"or none by {_LEAD} dB better than others:"
        ]
        for row in sorted(self.rows(), key=lambda row: -row["psnr"]):
            lines.append(f"  {'*' if row['chosen'] else ' '} {row['tried']:40s} {row['psnr']:6.2f} dB")
        if self.gap >= _BY_HEART:
            lines.append(
                f"Gaussians show photos they are tuned on {self.gap:.1f} dB better than others: {_AGAINST_IT} {_PULL}, "
                "if not set"
            )
        return "\n".join(lines)


def fitting(
    tried: Sequence[Candidate], size: TrialSize, costs: TrialCosts, seconds: float, few: bool
) -> tuple[Sequence[Candidate], TrialSize]:
    """What is tried, and how long, in so many seconds: all of it if there is time for some turns, else what needs no
    tuning of tokens, which takes long where networks are large. `few`: whether the photos are."""
    found = fitted(size, costs.before, costs.of(tried), seconds)
    if found.turns >= min(size.turns, _OF_FEW if few else _OF_MANY):
        return tried, found
    rest = [candidate for candidate in tried if "tokens" not in candidate.space]
    return rest, fitted(size, costs.before, costs.of(rest), seconds)


def fitted(size: TrialSize, before: float, steps: float, seconds: float) -> TrialSize:
    """As many turns as `seconds` allow, rather of shorter trials than fewer; none where not even one fits.

    A turn costs `before` its first step and then `steps` seconds, if its trials have the length of `size`.
    """
    number = min(size.turns, max(0, int(seconds / max(before + _SHORTEST * steps, 1e-9))))
    if number == 0:
        return replace(size, turns=0)
    factor = (seconds / number - before) / max(steps, 1e-9)
    return replace(size.scaled(min(factor, 1.0)), turns=number)
