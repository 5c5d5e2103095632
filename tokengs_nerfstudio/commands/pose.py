"""tokengs-pose PHOTOS_OR_VIDEO: photos or a film without poses become a capture in nerfstudio's form."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.commands.progress import display
from tokengs_nerfstudio.core.errors import MissingFileError, UserError, one_line
from tokengs_nerfstudio.data.posing.config import PosingConfig
from tokengs_nerfstudio.data.posing.posing import is_unposed, posed


@dataclass(frozen=True)
class Pose(PosingConfig):
    """Find out where photos, or the frames of a video, were taken from."""

    source: Path
    """folder of photos, or a video"""
    output: Path | None = None
    """folder of the capture, photos copied; if not set: beside the photos, VIDEO_capture for a video, and where these
    cannot be written the cache folder"""

    @property
    def settings(self) -> PosingConfig:
        """What is set for posing alone."""
        return PosingConfig(**{name: getattr(self, name) for name in PosingConfig.__dataclass_fields__})


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-pose`; what cannot be posed ends it with one line and a non-zero code."""
    options = parsed("tokengs-pose", Pose, arguments, positional=True)
    with one_line(), display() as shown:
        if not options.source.exists():
            raise MissingFileError(f"there is nothing at {options.source}: name a folder of photos or a video")
        if not is_unposed(options.source):
            raise UserError(_why_not(options.source))
        found = posed(options.source, options.settings, options.output, shown.say, shown.update)
        if found.reused:
            shown.say(f"posed before, nothing has changed: {found.folder}")


def _why_not(source: Path) -> str:
    if (source / "transforms.json").exists():
        return f"{source} has a transforms.json with poses: nothing to do; take it away to pose the photos anew"
    return f"{source} is neither a video nor a folder with photos"


if __name__ == "__main__":
    main()
