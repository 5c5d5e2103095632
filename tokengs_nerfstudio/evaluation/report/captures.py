"""What `tokengs-reconstruct` has left in its folder, and the page about it: every capture, and what failed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tokengs_nerfstudio.core.errors import content_of
from tokengs_nerfstudio.evaluation.measuring import mean
from tokengs_nerfstudio.evaluation.report.page import Block, Cells, Heading, Paragraph, Pictures
from tokengs_nerfstudio.evaluation.tables import written

PLAN, METRICS, FAILURE = "reconstruction.json", "metrics.json", "failure.json"
PICTURES, SPLATS = "pictures", "splats.ply"

_MOST_SHOWN = 300
"""captures with pictures on the page, which holds all of them"""
_SCORES = ("psnr", "ssim", "lpips")


@dataclass(frozen=True)
class Captures:
    """All captures of a folder."""

    folder: Path
    done: Sequence[Mapping[str, Any]]
    """what metrics.json says of each, in order of their names"""
    failed: Sequence[Mapping[str, Any]]
    """what failure.json says of each"""


def are_captures(folder: Path) -> bool:
    """Whether `tokengs-reconstruct` writes to a folder."""
    return (folder / PLAN).is_file()


def read_captures(folder: Path) -> Captures:
    """UserError for a file that is not as `tokengs-reconstruct` writes it."""
    done, failed = ([_read(file) for file in sorted(folder.glob(f"*/{name}"))] for name in (METRICS, FAILURE))
    return Captures(folder, done, failed)


def _read(file: Path) -> Mapping[str, Any]:
    with content_of(file, "results of tokengs-reconstruct", "remove its folder"):
        content = json.loads(file.read_text(encoding="utf-8"))
        _ = content["name"], content["problem"] if file.name == FAILURE else (content["means"], content["seconds"])
    return content


def captures_page(captures: Captures) -> list[Block]:
    """What stands on the page: means, failures, a table of all captures and their pictures, the worst ones first."""
    done = sorted(captures.done, key=lambda entry: entry["means"].get("psnr", 0.0))
    return [
        Heading(f"{len(done)} captures, {len(captures.failed)} failed"),
        *_summary(done),
        *_failures(captures.failed),
        *([Cells(_table(done))] if done else []),
        *_pictures(captures.folder, done),
    ]


def _summary(done: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    held_out = [entry for entry in done if entry["held_out_images"]]
    if held_out:
        means = {name: [e["means"][name] for e in held_out if name in e["means"]] for name in _SCORES}
        said = ", ".join(f"{name.upper()} {written(name, mean(values))}" for name, values in means.items() if values)
        yield Paragraph(f"Mean over the {len(held_out)} captures with held-out photos: {said}")
    if done:
        seconds = [entry["seconds"]["whole"] for entry in done]
        yield Paragraph(f"Seconds a capture: {mean(seconds):.1f} in the mean, {min(seconds):.1f} to {max(seconds):.1f}")


def _failures(failed: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    if failed:
        yield Heading("failed")
        rows = [[entry["name"], str(entry["tries"]), entry["problem"]] for entry in failed]
        yield Cells([["capture", "tries", "what is wrong"], *rows])


def _table(done: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    parts = list(dict.fromkeys(part for entry in done for part in entry["seconds"]))
    head = ["capture", "held-out photos", *(name.upper() for name in _SCORES), "Gaussians", "steps"]
    rows = [[*head, *(f"{part}, s" for part in parts)]]
    for entry in done:
        scores = [written(name, entry["means"].get(name)) for name in _SCORES]
        seconds = [f"{entry['seconds'].get(part, 0.0):.1f}" for part in parts]
        counts = f"{entry['gaussians']:,}", str(entry["steps"])
        rows.append([entry["name"], str(entry["held_out_images"]), *scores, *counts, *seconds])
    return rows


def _pictures(folder: Path, done: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    """Photos beside what is rendered, one of each capture, of the worst ones where there are very many."""
    shown = [(entry, files) for entry in done if (files := sorted((folder / entry["name"] / PICTURES).glob("*.jpg")))]
    if shown:
        yield Heading("photo and picture")
    for entry, files in shown[:_MOST_SHOWN]:
        worst = min(files, key=lambda file: entry["views"]["psnr"][int(file.stem)])
        number = int(worst.stem)
        caption = f"{entry['name']}, {entry['photos'][number]}: {entry['views']['psnr'][number]:.2f} dB"
        with Image.open(worst) as picture:
            yield Pictures(caption, [picture.convert("RGB")])
    if len(shown) > _MOST_SHOWN:
        yield Paragraph(f"The other {len(shown) - _MOST_SHOWN} captures have theirs in their folders")
