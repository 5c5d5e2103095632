"""A copy of a clean capture that a case spoils, and how cases are told apart."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

SIZE = WIDTH, HEIGHT = (64, 48)
COUNT = 16
SPLITS = ("train_filenames", "val_filenames", "test_filenames")


@dataclass
class Draft:
    """The capture in the making: its folder, the content of its transforms.json and what the run is given with it.

    `looks` is what the photos of the clean capture [view 3 height width] should look like; `masked` the mask that
    every photo should have; `together` whether it stays one scene, whose cameras agree with those of the clean one.
    """

    folder: Path
    meta: dict[str, Any]
    options: list[str] = field(default_factory=list)
    looks: Callable[[Any], Any] = lambda images: images
    tolerance: float = 0.015
    masked: np.ndarray | None = None
    data: str = ""

    @property
    def frames(self) -> list[dict[str, Any]]:
        return self.meta["frames"]

    def photo(self, index: int) -> Path:
        return self.folder / self.frames[index]["file_path"]

    def forget_split(self) -> None:
        for key in SPLITS:
            self.meta.pop(key, None)

    def redraw(self, change: Callable[[Image.Image], Image.Image], suffix: str = ".png", **saving: Any) -> None:
        """Every photo through `change` (from RGB), under another suffix if so wished, also in the splits."""
        for frame in self.frames:
            old = self.folder / frame["file_path"]
            new = old.with_suffix(suffix)
            picture = change(Image.open(old).convert("RGB"))
            old.unlink()
            picture.save(new, **saving)
            frame["file_path"] = new.relative_to(self.folder).as_posix()
        for key in SPLITS:
            if key in self.meta:
                self.meta[key] = [str(Path(name).with_suffix(suffix)) for name in self.meta[key]]

    def move(self, change: Callable[[int, np.ndarray], Any]) -> None:
        """Every pose [4, 4] through `change(index, pose)`."""
        for index, frame in enumerate(self.frames):
            pose = np.array(frame["transform_matrix"], dtype=np.float64)
            frame["transform_matrix"] = np.asarray(change(index, pose)).tolist()

    def mask(self, masks: Callable[[int], Image.Image | None], suffix: str = ".png", **saving: Any) -> None:
        """A mask for every frame that `masks` gives one."""
        (self.folder / "masks").mkdir(exist_ok=True)
        for index, frame in enumerate(self.frames):
            mask = masks(index)
            if mask is not None:
                frame["mask_path"] = f"masks/{Path(frame['file_path']).stem}{suffix}"
                mask.save(self.folder / frame["mask_path"], **saving)

    def write(self, text: str | bytes | None = None) -> None:
        content = json.dumps(self.meta) if text is None else text
        content = content.encode() if isinstance(content, str) else content
        (self.folder / "transforms.json").write_bytes(content)


def usual(case: Callable[[Draft], Any]) -> Callable[[Draft], Any]:
    """Marks the case that stands for its kind in every run of the tests; the others wait for `--all`."""
    case.usual = True  # type: ignore[attr-defined]
    return case


def draft(clean: Path, folder: Path, case: Callable[[Draft], str | bytes | None]) -> Draft:
    """A copy of the clean capture with a case's fault in it, written."""
    shutil.copytree(clean, folder)
    made = Draft(folder, json.loads((clean / "transforms.json").read_text()))
    made.write(case(made))
    return made


@dataclass(frozen=True)
class Expected:
    """What the docstring of a case, or the word for an option, says must happen.

    "Error": the run ends with one message; "Same": it holds the photos and cameras that the clean capture gives;
    "Works": it ends well. Whatever stands `in backquotes` must be said.
    """

    outcome: Literal["Error", "Same", "Works"]
    said: tuple[str, ...]

    @classmethod
    def of(cls, case: Callable[[Draft], Any]) -> "Expected":
        return cls.read(" ".join((case.__doc__ or case.__name__).split()))

    @classmethod
    def read(cls, text: str) -> "Expected":
        outcome = text.split(":")[0].split()[0]
        assert outcome in ("Error", "Same", "Works"), f"this does not say what must happen: {text}"
        return cls(outcome, tuple(re.findall(r"`([^`]+)`", text)))  # type: ignore[arg-type]
