"""Folders of many scenes, whatever layout they have."""

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import MissingFileError
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.dl3dv import DL3DV_LAYOUT, dl3dv_scenes
from tokengs_nerfstudio.data.kubric import KUBRIC_LAYOUT, kubric_scenes
from tokengs_nerfstudio.data.re10k import RE10K_LAYOUT, re10k_scenes
from tokengs_nerfstudio.data.scene import Scene

CAPTURES_LAYOUT = "folders with a transforms.json each (nerfstudio's captures)"


class CaptureScene:
    """The capture in a folder as a `Scene` that is read when first asked for; errors as in `NerfstudioCapture`."""

    def __init__(self, folder: str | Path, max_size: int | None = None) -> None:
        self.source, self.max_size = Path(folder), max_size
        self.name = self.source.absolute().name

    @cached_property
    def _capture(self) -> NerfstudioCapture:
        return NerfstudioCapture(self.source, max_size=self.max_size)

    @property
    def c2w(self) -> Float[Tensor, "frame 4 4"]:
        """As `Scene.c2w`."""
        return self._capture.c2w

    @property
    def intrinsics(self) -> Float[Tensor, "frame 3 3"]:
        """As `Scene.intrinsics`."""
        return self._capture.intrinsics

    @property
    def times(self) -> Float[Tensor, " frame"] | None:
        """As `Scene.times`."""
        return self._capture.times

    @property
    def image_size(self) -> tuple[int, int]:
        """As `Scene.image_size`."""
        return self._capture.image_size

    def load(self, indices: Sequence[int]) -> Views:
        """As `Scene.load`."""
        return self._capture.load(indices)


def capture_scenes(root: str | Path, max_size: int | None = None) -> list[CaptureScene]:
    """The captures in the folders of `root`, in order of their names; none of them is read.

    MissingFileError where there is none.
    """
    files = sorted(Path(root).glob("*/transforms.json"))
    if not files:
        raise MissingFileError(f"no captures in {root}: expected {CAPTURES_LAYOUT}")
    return [CaptureScene(file.parent, max_size) for file in files]


def scenes_below(
    root: str | Path, images: str | None = None, split: str = "train", max_size: int | None = None
) -> list[Scene]:
    """The scenes of a folder in any layout that is known: DL3DV, RealEstate10K, Kubric 4D, captures.

    No scene is opened. `images` is the folder that DL3DV's images come from (None: see `dl3dv.IMAGE_FOLDERS`), `split`
    that of RealEstate10K, `max_size` caps the longer side of images in pixels. MissingFileError, with what
    was expected, for a folder without any of them.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingFileError(f"no captures in {root}, and no data set: there is no such folder")
    if any(any(folder.glob("*.torch")) for folder in (root, root / "train", root / "test")):
        return [*re10k_scenes(root, split, max_size)]
    for lister in (kubric_scenes, partial(dl3dv_scenes, images=images), capture_scenes):
        try:
            return [*lister(root, max_size=max_size)]
        except MissingFileError:
            continue
    expected = "; or ".join((CAPTURES_LAYOUT, DL3DV_LAYOUT, RE10K_LAYOUT, KUBRIC_LAYOUT))
    raise MissingFileError(f"no captures in {root}, and no scenes of a known data set: expected {expected}")
