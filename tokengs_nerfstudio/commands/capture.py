"""tokengs-capture procedural OUT | sample OUT | pack-meshes FOLDER OUT: what to try and to train everything with.

The first two write captures in nerfstudio's form, the third a pack of textured meshes for procedural scenes.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.core.errors import ExistingFileError, UserError, one_line
from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture
from tokengs_nerfstudio.data.procedural.meshes.packing import PackingConfig, pack_meshes
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
            raise UserError("--views, --height and --width from 1, --hold-out from 2 and --seed from 0 are possible")

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
            raise ExistingFileError(f"{self.output} exists already: name a folder that does not")
        self.output.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.output.with_name(f".{self.output.name}.{os.getpid()}")
        try:
            shutil.copytree(sample_capture(), scratch)
            os.replace(scratch, self.output)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return f"the sample capture, photos under the licence in its NOTICE.txt: {self.output}"


@dataclass(frozen=True)
class PackMeshes(PackingConfig):
    """Pack textured meshes from .glb, .gltf and .obj files for procedural scenes; needs trimesh."""

    folder: Path
    """searched with all folders in it; the first folder on the way to a file is its category"""
    output: Path
    """the pack, an .npz file"""

    def write(self) -> str:
        """Does it, and says what was written. Errors as in `pack_meshes`."""
        pack, left_out = pack_meshes(self.folder, self)
        pack.save(self.output)
        return (
            f"{len(pack)} meshes in {len(pack.categories)} categories, {len(pack.triangles):,} triangles, "
            f"{len(pack.texture_alpha)} textures, {self.output.stat().st_size / 1e6:.1f} MB: {self.output} "
            f"(left out: {left_out})"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-capture`; what is wrong ends it with one line and a non-zero code."""
    with one_line():
        print(parsed("tokengs-capture", Procedural | Sample | PackMeshes, arguments, positional=True).write())


if __name__ == "__main__":
    main()
