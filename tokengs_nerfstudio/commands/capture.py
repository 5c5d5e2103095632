"""tokengs-capture procedural OUT | sample OUT: captures to try everything with, in nerfstudio's form."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokengs_nerfstudio.commands.options import one_line_errors, parsed
from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture
from tokengs_nerfstudio.data.procedural.tracing import ProceduralScene, Tracer


@dataclass(frozen=True)
class Procedural:
    """Write the photos and cameras of a random scene."""

    output: Path
    """folder of the capture; must not exist yet, or be one that was written before (see --overwrite)"""
    seed: int = 12
    """which scene"""
    views: int = 32
    """how many photos"""
    height: int = 192
    """image height in pixels"""
    width: int = 256
    """image width in pixels"""
    hold_out: int = 4
    """every so many views one belongs to the test split"""
    overwrite: bool = False
    """replace a capture written before"""

    def __post_init__(self) -> None:
        if min(self.views, self.height, self.width) < 1 or self.hold_out < 2 or self.seed < 0:
            raise ValueError("--views, --height and --width from 1, --hold-out from 2 and --seed from 0 are possible")

    def write(self) -> str:
        """Does it, and says what was written."""
        scene = ProceduralScene(self.seed, self.views, self.height, self.width, tracer=Tracer(threads=2))
        test = list(range(self.hold_out - 1, self.views, self.hold_out))
        views = scene.load(range(self.views))
        folder = write_nerfstudio_capture(self.output, views, test=test, overwrite=self.overwrite)
        return f"{self.views} views of scene {self.seed}, {len(test)} of them held out: {folder}"


@dataclass(frozen=True)
class Sample:
    """Copy the capture that comes with the package: real photos of bananas on a carpet."""

    output: Path
    """folder of the capture; must not exist yet"""

    def write(self) -> str:
        """Does it, and says what was written. FileExistsError where there is something already."""
        from tokengs_nerfstudio.samples import sample_capture

        if self.output.exists():
            raise FileExistsError(f"{self.output} exists already: name a folder that does not")
        self.output.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.output.with_name(f".{self.output.name}.{os.getpid()}")
        try:
            shutil.copytree(sample_capture(), scratch)
            os.replace(scratch, self.output)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return f"the sample capture, photos under the licence in its NOTICE.txt: {self.output}"


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-capture`; what is wrong ends it with one line and a non-zero code."""
    with one_line_errors():
        print(parsed("tokengs-capture", Procedural | Sample, arguments, positional=True).write())


if __name__ == "__main__":
    main()
