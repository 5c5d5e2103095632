"""Scenes that cannot be read: each is named once and left out, until there are too many of them."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

from tokengs_nerfstudio.core.errors import UserError, message

_log = logging.getLogger(__name__)


@runtime_checkable
class Named(Protocol):
    """What is asked of a scene before it is known whether it can be read."""

    @property
    def name(self) -> str:
        """What the scene is called in messages."""
        ...


S = TypeVar("S", bound=Named)
T = TypeVar("T")

USUAL_SHARE = 0.05
"""of a data set may be broken"""


class BrokenScenes:
    """The broken ones among `total` scenes; UserError, with their number and first names, as soon as their share is
    above `most`. Several threads may ask at once."""

    def __init__(self, total: int, most: float = USUAL_SHARE) -> None:
        self.total, self.most = total, most
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._names)

    def attempt(self, scene: S, read: Callable[[S], T]) -> T | None:
        """What `read` makes of a scene; None where the scene is broken: what it raises as UserError says so.

        A scene that was broken once is not tried again. Errors that are not the user's are not caught.
        """
        if id(scene) in self._names:
            return None
        try:
            return read(scene)
        except UserError as error:
            self._leave_out(scene, error)
            return None

    def _leave_out(self, scene: Named, error: UserError) -> None:
        with self._lock:
            if id(scene) not in self._names:
                self._names[id(scene)] = scene.name
                _log.warning("left out, for it is broken: scene %s (%s)", scene.name, message(error))
            if len(self._names) > self.most * self.total:
                names = list(self._names.values())
                some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
                raise UserError(
                    f"{len(names)} of {self.total} scenes are broken, more than a share of {self.most:.3g}: {some} "
                    f"({message(error)}); put them right, take them away, or allow a larger share"
                ) from error
