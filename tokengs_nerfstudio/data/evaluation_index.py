"""The fixed views of published benchmarks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.core.json_text import read_json
from tokengs_nerfstudio.data.view_sampler import ViewSelection


class EvaluationIndex:
    """The fixed context and target views of a benchmark, read from a JSON file.

    Two forms are read: an object from scene name to {"context": [...], "target": [...]} (null for scenes that the
    benchmark leaves out), and a list of such objects, each with its "scene" or "key".
    """

    def __init__(self, path: str | Path) -> None:
        """FileNotFoundError where the file does not exist, ValueError where it is no evaluation index."""
        self.path = Path(path)
        if not self.path.is_file():
            raise MissingFileError(f"there is no evaluation index {self.path}")
        entries = self._entries(read_json(self.path))
        self._selections = {name: self._selection(name, entry) for name, entry in entries if entry is not None}

    @property
    def scenes(self) -> list[str]:
        """The scenes of the benchmark, in the order of the file."""
        return list(self._selections)

    def select(self, scene: str, num_frames: int | None = None) -> ViewSelection:
        """The views of a scene; with `num_frames` they are checked to exist.

        ValueError for a scene that the index does not have, IndexError for views that the scene does not have.
        """
        if scene not in self._selections:
            some = ", ".join(self.scenes[:3]) or "none"
            raise UserError(f"{self.path} has no scene '{scene}'; it has {len(self.scenes)} scenes ({some}, ...)")
        selection = self._selections[scene]
        views = selection.context + selection.target
        if num_frames is not None and max(views) >= num_frames:
            raise IndexError(
                f"{self.path} asks for frame {max(views)} of scene '{scene}', which has {num_frames} frames; "
                "the index was made for another version of the data"
            )
        return selection

    def _entries(self, content: Any) -> Sequence[tuple[Any, Any]]:
        if isinstance(content, Mapping):
            return list(content.items())
        if not isinstance(content, list):
            raise UserError(f"{self.path} must hold an object or a list of scenes, got {type(content).__name__}")
        names = [entry.get("scene", entry.get("key")) if isinstance(entry, Mapping) else None for entry in content]
        for place, name in enumerate(names):
            if not isinstance(name, str):
                raise UserError(f"entry {place} of {self.path} has no 'scene'")
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise UserError(f"{self.path} has several entries for the scene '{repeated[0]}'")
        return list(zip(names, content, strict=True))

    def _selection(self, scene: str, entry: Any) -> ViewSelection:
        record = entry if isinstance(entry, Mapping) else {}
        context, target = record.get("context"), record.get("target")
        for part in (context, target):
            if not part or not isinstance(part, list) or not all(type(i) is int and i >= 0 for i in part):
                raise UserError(
                    f"scene '{scene}' of {self.path} needs 'context' and 'target', lists of frame numbers from 0 on"
                )
        return ViewSelection(list(context or ()), list(target or ()))
