"""What a scene is to the rest of the method: cameras that are known at once, images that are loaded when asked for."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.types import Views


@runtime_checkable
class Scene(Protocol):
    """Posed frames of one place, on disk or made on the fly.

    Cameras and times of all frames are at hand without touching an image. All frames share one image size; a reader
    whose files differ in size brings them to a common one and adapts the intrinsics. Loading the same indices twice
    gives the same views, and several threads may load at once.
    """

    @property
    def name(self) -> str:
        """What the scene is called in messages and in evaluation indices."""
        ...

    @property
    def c2w(self) -> Float[Tensor, "frame 4 4"]:
        """Camera-to-world of every frame, OpenCV axes (x right, y down, z forward), in the scene's own world; of 64
        bits where 32 would blur the positions."""
        ...

    @property
    def intrinsics(self) -> Float[Tensor, "frame 3 3"]:
        """Pinhole intrinsics of every frame, in pixels of the images that `load` gives."""
        ...

    @property
    def times(self) -> Float[Tensor, " frame"] | None:
        """The time of every frame, the scene's span mapped to [0, 1]; None for a scene without times."""
        ...

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the images that `load` gives."""
        ...

    def load(self, indices: Sequence[int]) -> Views:
        """The frames at `indices`, in that order; IndexError for an index the scene does not have."""
        ...


@runtime_checkable
class MovingScene(Scene, Protocol):
    """A scene that several cameras filmed at once: frame camera * moments + moment is what a camera saw at a moment."""

    @property
    def moments(self) -> int:
        """How often every camera looked."""
        ...
