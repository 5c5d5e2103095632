"""What a tuning optimises, stage by stage: the protocol, and what every stage knows of the scene."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.tuning.supervision import Supervision
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig

SplatsAt = Callable[[float | None], Gaussians]
"""The Gaussians at a time; None for weights that know no time."""


@dataclass(frozen=True)
class StageScene:
    """The scene as every stage sees it, in the network's canonical frame."""

    supervision: Supervision
    rendering: RenderConfig
    extent: float
    """the scene's size for learning rates"""
    seed: int
    points: PointCloud | None = None
    """on the scene's surfaces, where somebody knows some"""


@dataclass
class Drawing:
    """What one step renders, and how."""

    splats_at: SplatsAt
    chunk: int
    """views rendered together at most"""
    opacity_pull: float = 0.0
    scale_pull: float = 0.0
    """on scales as fractions of the extent"""
    pictures: list[dict[str, Any]] | None = field(default=None)
    """gets the dictionaries of `render_with_info` where it is a list"""


@runtime_checkable
class Stage(Protocol):
    """A run of steps on one kind of variables."""

    name: str

    def splats(self, time: float | None = None) -> Gaussians:
        """One scene's Gaussians of now at `time`, with gradient where gradients are recorded."""
        ...

    @property
    def views_per_step(self) -> int:
        """Photos that a step looks at."""
        ...

    def level(self, progress: float) -> float:
        """How many times smaller than the photos the images are, `progress` being the share of the stage's steps."""
        ...

    def drawing(self, step: int) -> Drawing:
        """What step number `step` of the whole tuning renders."""
        ...

    def begin(self) -> None:
        """Once, after the state that the stage starts from was looked at."""
        ...

    def step(self, progress: float) -> None:
        """One step of the optimizers on the gradients at hand."""
        ...

    def after_step(self, step: int, pictures: list[dict[str, Any]] | None, look_due: bool) -> None:
        """What changes the number of variables after `step` steps of this stage; `look_due` as for left-out views."""
        ...

    def settle(self) -> None:
        """Once, after the last step: the variables become what is kept of them."""
        ...

    def snapshot(self) -> Any:
        """The state, for `restore`."""
        ...

    def restore(self, snapshot: Any) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        """Everything a later process needs to go on exactly here."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...
