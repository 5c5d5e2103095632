"""Command lines from dataclasses, whose every complaint is one line."""

import contextlib
import io
import re
from collections.abc import Sequence
from types import UnionType
from typing import Any, TypeVar, cast

T = TypeVar("T")


def parsed(
    command: str, kind: type[T] | UnionType, arguments: Sequence[str] | None = None, positional: bool = False
) -> T:
    """The options of the console script `command` (None: those of this process); --help ends it, and wrong ones do.

    `kind` is a class of options, or a union of such classes: subcommands. What a class raises as ValueError is a wrong
    option too. With `positional` options without a default are given by their place.
    """
    import tyro

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                cast(Any, kind),
                args=arguments,
                prog=command,
                config=(tyro.conf.PositionalRequiredArgs,) if positional else (),
            )
    except SystemExit as ending:
        if not ending.code:
            raise
        raise SystemExit(f"Error: {_complaint(said.getvalue())}; see {command} --help") from None


def _complaint(panel: str) -> str:
    """What stands between the title of tyro's panel and its last ruler, on one line."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", panel).replace("─", "-")
    parts = [" ".join(part.split()) for part in re.split(r"-{4,}", re.sub("[━-╿]", " ", plain))]
    said = [part for part in parts if part]
    return re.sub(r"^Error parsing [\w.-]+: ", "", said[1] if len(said) > 1 else " ".join(said))
