"""How commands end where a user has something to put right."""

from collections.abc import Callable, Sequence

import pytest

from tokengs_nerfstudio.core.errors import CommandEnded


def ended(main: Callable[[Sequence[str]], object], *arguments: object) -> str:
    """The one line that a command with these arguments ends with."""
    with pytest.raises(CommandEnded) as caught:
        main([str(argument) for argument in arguments])
    line = str(caught.value.code)
    assert line.startswith("Error: ")
    assert "\n" not in line
    return line
