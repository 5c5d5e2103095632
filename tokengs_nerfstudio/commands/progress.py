"""How far a long command is: a bar on a terminal, a line now and then where there is none."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


@runtime_checkable
class Display(Protocol):
    """Where a command shows what it does."""

    def update(self, share: float, text: str) -> None:
        """The command has come to `share` in [0, 1]; `text` says more."""
        ...

    def say(self, text: str) -> None:
        """A line that stays."""
        ...


class Lines:
    """Plain lines, at least `seconds` apart: for logs."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds, self._last = seconds, float("-inf")

    def update(self, share: float, text: str) -> None:
        """As `Display.update`."""
        now = time.monotonic()
        if now - self._last >= self._seconds:
            self._last = now
            self.say(f"{share:4.0%}  {text}")

    def say(self, text: str) -> None:
        """As `Display.say`."""
        print(text, flush=True)


class Silence:
    """Nothing: for processes that work beside the one that speaks."""

    def update(self, share: float, text: str) -> None:
        """As `Display.update`."""

    def say(self, text: str) -> None:
        """As `Display.say`."""


class Bar:
    """A bar that stays in its place, lines that are said above it."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._task = progress, progress.add_task("", total=1.0, text="")

    def update(self, share: float, text: str) -> None:
        """As `Display.update`."""
        self._progress.update(self._task, completed=share, text=text)

    def say(self, text: str) -> None:
        """As `Display.say`."""
        self._progress.console.print(text, highlight=False, markup=False)


@contextmanager
def display(console: Console | None = None, speaks: bool = True) -> Iterator[Display]:
    """What suits this process's standard output; a bar is drawn on `console`, or on one of its own."""
    if not speaks:
        yield Silence()
        return
    if not sys.stdout.isatty():
        yield Lines()
        return
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=console or Console(), transient=True) as progress:
        yield Bar(progress)
