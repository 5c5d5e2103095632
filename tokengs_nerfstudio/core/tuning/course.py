"""How far a tuning has come: through planned stages, step by step, at a pace that may change on the way."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple
from typing import Any

from tokengs_nerfstudio.core.tuning.schedule import Pace, PlannedStage


class Course:
    """Planned stages one after another, and the place among them; past the last one it is finished."""

    def __init__(self, stages: Iterable[PlannedStage]):
        self._stages = list(stages)
        self._number, self.steps_in_stage = 0, 0
        self._pace, self._paces = self._planned_pace(), list[tuple[int, int]]()

    @property
    def stages(self) -> tuple[PlannedStage, ...]:
        """All of them, as they were planned."""
        return tuple(self._stages)

    @property
    def finished(self) -> bool:
        return self._number >= len(self._stages)

    @property
    def here(self) -> PlannedStage | None:
        """The stage at hand as planned; None once finished."""
        return None if self.finished else self._stages[self._number]

    @property
    def later(self) -> tuple[PlannedStage, ...]:
        """The stages to come."""
        return tuple(self._stages[self._number + 1 :])

    @property
    def progress(self) -> float:
        """How much of the stage at hand is done, in [0, 1]."""
        return self._pace.progress(self.steps_in_stage)

    @property
    def steps_of_stage(self) -> int:
        """Steps that the stage at hand is to have, at its pace of now."""
        return self._pace.steps

    @property
    def steps_left(self) -> int:
        """Planned steps that are still to be taken; a left-out view may end a stage earlier."""
        return sum(stage.steps for stage in self.later) + self._pace.steps - self.steps_in_stage

    @property
    def paces(self) -> tuple[tuple[int, int], ...]:
        """Every `repace` so far: how many steps had been taken, and how many of the stage were to come."""
        return tuple(self._paces)

    def step(self) -> None:
        """One more step of the stage at hand is done."""
        self.steps_in_stage += 1

    def leave(self) -> None:
        """On to the next stage."""
        self._number, self.steps_in_stage = self._number + 1, 0
        self._pace = self._planned_pace()

    def repace(self, steps_done: int, left: int) -> None:
        """After `steps_done` steps of all stages, `left` more of the one at hand: it goes on from where it is."""
        self._pace = self._pace.changed(self.steps_in_stage, left)
        self._paces.append((steps_done, left))

    def extend(self, stages: Iterable[PlannedStage]) -> None:
        """More stages, once all are done."""
        self._stages += stages
        self._pace = self._planned_pace()

    def state_dict(self) -> dict[str, Any]:
        return {
            "plan": [(stage.name, stage.steps) for stage in self._stages],
            "stage": (self._number, self.steps_in_stage),
            "pace": (astuple(self._pace), list(self._paces)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._stages = [PlannedStage(name, steps) for name, steps in state["plan"]]
        self._number, self.steps_in_stage = state["stage"]
        pace, paces = state.get("pace", (astuple(self._planned_pace()), ()))  # older runs kept to their plan
        self._pace, self._paces = Pace(*pace), [(step, left) for step, left in paces]

    def _planned_pace(self) -> Pace:
        return Pace(0 if self.here is None else self.here.steps)
