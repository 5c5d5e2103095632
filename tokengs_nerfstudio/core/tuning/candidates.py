"""What evidence may decide about a tuning: the spaces, and settings that help one scene and harm the next."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.settings import differences, with_settings

FEED_FORWARD = "feed-forward"

# By setting: what is tried beside the usual value, and how the table calls it.
_VARIANTS: tuple[tuple[str, Any, str], ...] = (("gaussians.reseed", False, "no new places"),)
# The same where points of the scene are known; tried on Gaussians from the feed-forward result.
_ALONE, _OFF = ("gaussians.points", "alone", "points alone"), ("gaussians.points", "off", "no points")


@dataclass(frozen=True)
class Candidate:
    """One way to tune."""

    space: str
    """as the setting; feed-forward: not at all"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """by their paths, where they are not the usual ones"""
    words: str = ""
    """what these settings are called"""

    @property
    def name(self) -> str:
        return f"{self.space}, {self.words}" if self.words else self.space

    def applied(self, config: TuningConfig) -> TuningConfig:
        """The configuration that tunes so; that of no tuning at all is as it was."""
        if self.space == FEED_FORWARD:
            return config
        return with_settings(config, {"space": self.space, **self.settings})


def candidates(
    config: TuningConfig, network: NetworkConfig, points: bool = False, surfaces: bool = False
) -> list[Candidate]:
    """What is tried for `config`, the feed-forward result first; nothing where the space is given or the weights know
    time. Where the capture has `points` or photos tell `surfaces`, the scene is tried without them; with its own points
    alone where the photos tell none. A setting that is not at its default was chosen by somebody, and stays."""
    if config.space != "auto" or network.time_channels:
        return []
    of_points = ([_ALONE] if points and not surfaces else []) + ([_OFF] if points or surfaces else [])
    return [Candidate(FEED_FORWARD), Candidate("tokens"), Candidate("gaussians"), *_with_variants(config, of_points)]


def _with_variants(config: TuningConfig, of_points: list[tuple[str, Any, str]]) -> Iterator[Candidate]:
    """Gaussians, alone and after tokens, as settings may be otherwise. With the usual ones tokens before Gaussians are
    within a third of a dB of Gaussians alone (docs/measurements.md): not worth a trial of their own."""
    others = differences(TuningConfig(), config)
    free = [variant for variant in _VARIANTS if variant[0] not in others]
    for space in ("gaussians", "tokens+gaussians"):
        if not free and space != "gaussians":
            yield Candidate(space)
        more = [one for one in of_points if space == "gaussians" and one[0] not in others]
        for setting, value, words in [*free, *more]:
            yield Candidate(space, {setting: value}, words)
