"""Machines whose steps take as long as somebody says, for whoever counts seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tokengs_nerfstudio.core.tuning.photometry import Photometry


@dataclass
class Machine:
    """Its clock goes on by tuning steps alone, so many seconds for each, for each pixel and for each Gaussian."""

    fixed: float = 0.0
    per_pixel: float = 0.0
    per_gaussian: float = 0.0
    slowness: Callable[[float], float] = lambda now: 1.0
    """how many times slower it is, by what its clock says"""
    now: float = 0.0
    steps: int = 0

    def clock(self) -> float:
        return self.now

    def installed(self, monkeypatch: pytest.MonkeyPatch) -> "Machine":
        backward = Photometry.backward

        def counted(photometry: Photometry, drawing: Any, batch: Any, cameras: Any) -> Any:
            pixels, gaussians = batch.views.images[:, 0].numel(), drawing.splats_at(None).count
            seconds = self.fixed + self.per_pixel * pixels + self.per_gaussian * gaussians
            self.now, self.steps = self.now + self.slowness(self.now) * seconds, self.steps + 1
            return backward(photometry, drawing, batch, cameras)

        monkeypatch.setattr(Photometry, "backward", counted)
        return self
