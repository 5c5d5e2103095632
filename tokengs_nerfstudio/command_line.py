"""What the user typed, where nerfstudio's commands do not hand it on."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tokengs_nerfstudio.core.errors import UserError


def command() -> str:
    """The command of this process: ns-train, ns-render, ..."""
    return Path(sys.argv[0]).stem


def option(name: str) -> list[str]:
    """What stands behind `--name` on the command line (written with - or _); nothing where it is left out."""
    wanted = name.replace("_", "-")
    for place, word in enumerate(sys.argv[1:], start=1):
        flag, equals, value = word.partition("=")
        if flag.replace("_", "-") != wanted:
            continue
        if equals:
            return [value]
        values = sys.argv[place + 1 :]
        until = next((count for count, later in enumerate(values) if later.startswith("--")), len(values))
        return values[:until]
    return []


def run_that_is_looked_at() -> Path | None:
    """The folder of the finished run that a command was given, wherever it lies now: that of its config.yml."""
    given = option("--load-config")
    if command() == "ns-train" or len(given) != 1:
        return None
    return Path(given[0]).parent


def check_format_of_rgba() -> None:
    """UserError where `ns-render` is asked for pictures with alpha in a format that has none."""
    if command() != "ns-render" or "rgba" not in option("--rendered-output-names"):
        return
    if sys.argv[1:2] != ["dataset"] and option("--output-format") != ["images"]:
        raise UserError("a film has no transparency: add --output-format images --image-format png for rgba")
    if option("--image-format") != ["png"]:
        raise UserError("JPEG has no transparency: add --image-format png for rgba")


def offer_ffmpeg() -> None:
    """An `ffmpeg` on the PATH of this process where the machine has none: that of PyPI's imageio-ffmpeg.

    Nothing happens where that package brings no program for this machine.
    """
    if shutil.which("ffmpeg") is not None:
        return
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        return
    folder = tempfile.mkdtemp(prefix="tokengs-ffmpeg-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (Path(folder) / "ffmpeg").symlink_to(program)
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}{os.pathsep}{folder}"
