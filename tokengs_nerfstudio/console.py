"""What the method says on nerfstudio's console."""

import logging

from nerfstudio.utils.rich_utils import CONSOLE
from rich.logging import RichHandler


def say(text: str) -> None:
    """A line as it is: names of files are no markup."""
    CONSOLE.log(text, markup=False)


def show_messages_of_the_package() -> None:
    """What the lower floor logs (assumed settings, the scale it found) belongs on the same console."""
    log = logging.getLogger("tokengs_nerfstudio")
    if not log.handlers:
        log.addHandler(RichHandler(console=CONSOLE, show_path=False))
        log.setLevel(logging.INFO)
