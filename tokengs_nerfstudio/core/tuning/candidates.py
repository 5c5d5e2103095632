"""What evidence may decide about a tuning: the spaces, and settings that help one scene and harm the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.settings import differences, with_settings

FEED_FORWARD = "feed-forward"

MANY = 9
"""Photos from which on they are many: several are left out at once, and new places pay."""

# By setting: the value, and how the table calls it. Of new places trials of a few steps say nothing: they always advise
# against, with few photos rightly or to no harm, with many to the scene's loss (docs/measurements.md).
_OF_FEW = ("gaussians.reseed", False, "no new places")
# What is tried where points of the scene are known, on Gaussians from the feed-forward result.
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
    config: TuningConfig, network: NetworkConfig, photos: int, points: bool = False, surfaces: bool = False
) -> list[Candidate]:
    """What is tried for `config` on so many photos, the feed-forward result first; nothing where the space is given or
    the weights know time.

    Where the capture has `points` or photos tell `surfaces`, the scene is tried without them; with its own points alone
    where the photos tell none. A setting that is not at its default was chosen by somebody, and stays.
    """
    if config.space != "auto" or network.time_channels:
        return []
    others = differences(TuningConfig(), config)

    def gaussians(space: str, *variants: tuple[str, Any, str]) -> Candidate:
        free = [variant for variant in variants if variant[0] not in others]
        return Candidate(space, {path: value for path, value, _ in free}, ", ".join(words for *_, words in free))

    usual = (_OF_FEW,) if photos < MANY else ()
    of_points = ([_ALONE] if points and not surfaces else []) + ([_OFF] if points or surfaces else [])
    return [
        Candidate(FEED_FORWARD),
        Candidate("tokens"),
        gaussians("gaussians", *usual),
        *(gaussians("gaussians", *usual, variant) for variant in of_points if variant[0] not in others),
        gaussians("tokens+gaussians", *usual),
    ]
