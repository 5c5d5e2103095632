"""The folder of an evaluation: what it is of, and a record of every scene as soon as that is done."""

import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.errors import UserError, content_of
from tokengs_nerfstudio.core.files import write_text

Record = dict[str, Any]
"""Of one scene in one variant: `scene`, `variant`, `context`, `target`, `means` of all scores and costs, `views`."""

SAME = "evaluation.json"
METRICS = "metrics.json"


class Results:
    """Records of scenes in a folder, each whole or absent, by variant and scene.

    `identity` says what decides the records, in plain values. UserError for a folder of another evaluation, which is
    left as it is.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder, self._records = folder, dict[tuple[str, str], Record]()
        self.identity = json.loads(json.dumps(identity))
        known = folder / SAME
        if known.is_file():
            self._check(known)
        elif (folder / METRICS).exists() or (folder / "scenes").exists():
            raise UserError(f"{folder} holds results without {SAME}, so nobody knows what they are of: {_OTHERWISE}")
        else:
            write_text(known, json.dumps(self.identity, indent=1) + "\n")
        for file in sorted((folder / "scenes").rglob("*.json")):
            self._read(file)

    @property
    def records(self) -> Mapping[tuple[str, str], Record]:
        """All that are done, by (variant, scene)."""
        return self._records

    def add(self, record: Record, write: bool = True) -> None:
        """A scene that is done, from now on also for whoever comes after a kill."""
        key = (record["variant"], record["scene"])
        self._records[key] = record
        if write:
            write_text(self.folder / "scenes" / key[0] / f"{file_name(key[1])}.json", json.dumps(record) + "\n")

    def _check(self, known: Path) -> None:
        with content_of(known, "what an evaluation is of", "move its folder away"):
            before = dict(json.loads(known.read_text(encoding="utf-8")))
        for name in [*self.identity, *before]:
            there, now = before.get(name), self.identity.get(name)
            if there != now:
                raise UserError(
                    f"{self.folder} holds the results of another evaluation: its {name} was {_short(there)}, now it is "
                    f"{_short(now)}: {_OTHERWISE}"
                )

    def _read(self, file: Path) -> None:
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            _ = record["means"]["psnr"], record["views"]["psnr"], record["context"], record["target"]
            self._records[record["variant"], record["scene"]] = record
        except (ValueError, KeyError, TypeError):
            return  # what somebody has broken is done again


_OTHERWISE = "give another --output, or move it away"


def file_name(scene: str) -> str:
    """A scene's name as that of a file; different names stay different."""
    plain = re.sub(r"[^\w.-]+", "_", scene).lstrip(".")
    return plain if plain == scene else f"{plain}-{zlib.crc32(scene.encode()):08x}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
