"""How fast a run is and how long it still takes."""

import time
from collections import deque
from collections.abc import Callable


class Pace:
    """Scenes per second and time left, from the last steps of this process alone.

    It is made when the first of them is about to begin, at `progress` in [0, 1] of the run.
    """

    def __init__(self, progress: float, window: int = 50, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._scenes = clock, 0
        self._marks = deque([(clock(), 0, progress)], maxlen=window + 1)

    def step(self, scenes: int, progress: float) -> None:
        """A step with so many scenes is done and the run at `progress`."""
        self._scenes += scenes
        self._marks.append((self._clock(), self._scenes, progress))

    @property
    def scenes_per_second(self) -> float:
        """0 before the first step."""
        (start, before, _), (now, scenes, _) = self._marks[0], self._marks[-1]
        return (scenes - before) / (now - start) if now > start else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None where that cannot be told yet."""
        (start, _, before), (now, _, progress) = self._marks[0], self._marks[-1]
        return (now - start) * max(1.0 - progress, 0.0) / (progress - before) if progress > before else None

    def text(self, step: int, loss: float) -> str:
        """Where the run is, in one line."""
        left = duration(self.seconds_left)
        return f"step {step:,}  loss {loss:.4f}  {self.scenes_per_second:.1f} scenes/s  {left} left"


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds as people read them: 1:05:09, 5:09; a dash for an unknown one."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
