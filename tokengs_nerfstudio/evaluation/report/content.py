"""What stands on the page: runs side by side, scene by scene, what they bear, how they learned, where they fail."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tokengs_nerfstudio.core.errors import content_of
from tokengs_nerfstudio.evaluation.axes import TITLES, place
from tokengs_nerfstudio.evaluation.charts import Chart
from tokengs_nerfstudio.evaluation.measuring import mean
from tokengs_nerfstudio.evaluation.report.page import Block, Cells, Heading, Paragraph, Pictures
from tokengs_nerfstudio.evaluation.report.runs import Evaluated, Trained
from tokengs_nerfstudio.evaluation.results import file_name
from tokengs_nerfstudio.evaluation.tables import Table, written

_WORST = 6
_OWN = ("weights", "tokens", "data", "tuning", "tuning_steps", "tuning_settings", "context_views", "seed", "dtype")
"""What runs that are compared may differ in without being measured otherwise."""
_LEARNED = {"held_out_psnr": "Held-out PSNR, dB", "loss": "Loss"}


def page(evaluated: Sequence[Evaluated], trained: Sequence[Trained]) -> list[Block]:
    """All blocks, benchmark by benchmark."""
    blocks = list[Block]()
    for preset in dict.fromkeys(run.preset for run in evaluated):
        blocks += _benchmark(preset, [run for run in evaluated if run.preset == preset])
    return blocks + list(_training(trained))


def _benchmark(preset: str, runs: Sequence[Evaluated]) -> Iterator[Block]:
    yield Heading(preset)
    yield Cells(Table("", "run", [(run.name, {**run.mean, "scenes": float(len(run.records))}) for run in runs]).cells())
    yield from (Paragraph(f"{run.name}: weights {run.about['checkpoint']}, {_tuned(run.about)}") for run in runs)
    unlike = _unlike(runs)
    if unlike:
        yield Paragraph(f"Not measured alike, so do not compare: {', '.join(unlike)}")
    yield from _robustness(runs)
    yield Heading(f"{preset}, scene by scene: PSNR, dB")
    yield Cells(_by_scene(runs))
    yield from _worst(preset, runs)


def _tuned(about: Mapping[str, Any]) -> str:
    return "not tuned" if about["tuning"] == "none" else f"{about['tuning_steps']} steps of tuning ({about['tuning']})"


def _unlike(runs: Sequence[Evaluated]) -> list[str]:
    """What decides the figures and is not the same in all runs."""
    first = runs[0].about
    known = [
        name
        for name in first
        if name not in (*_OWN, "checkpoint", "scenes", "of_scenes", "missing", "broken", "threads")
    ]
    said = []
    for name in known:
        values = list(dict.fromkeys(str(run.about.get(name)) for run in runs))
        if len(values) > 1:
            said.append(f"{name.replace('_', ' ')} ({' and '.join(values)})")
    return said + ["scenes"] * (len({frozenset(run.by_scene) for run in runs}) > 1)


def _by_scene(runs: Sequence[Evaluated]) -> list[list[str]]:
    """The scenes of all runs, the first run's worst ones first; others beside their difference from the first."""
    first, *others = runs
    known = {scene: run.by_scene[scene] for run in reversed(runs) for scene in run.by_scene}
    scenes = sorted(known, key=lambda scene: (scene not in first.by_scene, known[scene]["means"]["psnr"]))
    rows = [["scene", first.name, *(name for run in others for name in (run.name, "difference"))]]
    for scene in scenes:
        value, row = _psnr(first, scene), [scene, written("psnr", _psnr(first, scene))]
        for run in others:
            other = _psnr(run, scene)
            row += [written("psnr", other), "-" if value is None or other is None else f"{other - value:+.2f}"]
        rows.append(row)
    return rows


def _psnr(run: Evaluated, scene: str) -> float | None:
    return run.by_scene[scene]["means"]["psnr"] if scene in run.by_scene else None


def _robustness(runs: Sequence[Evaluated]) -> Iterator[Block]:
    """A chart of all runs that have the same rows of an axis, and the runs' tables."""
    for axis, title in TITLES.items():
        having = [run for run in runs if axis in run.axes]
        names = sorted(dict.fromkeys(next(iter(row.values())) for run in having for row in run.axes[axis]), key=place)
        curves = {
            run.name: sorted((float(names.index(next(iter(row.values())))), row["psnr"]) for row in run.axes[axis])
            for run in having
        }
        if having:
            yield Chart(f"{title}: PSNR, dB", title.lower(), curves, names).drawing()
        for run in having:
            yield Cells(Table("", run.name, [_named(row) for row in run.axes[axis]]).cells())


def _named(row: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    (_, name), *values = row.items()
    return str(name), dict(values)


def _training(trained: Sequence[Trained]) -> Iterator[Block]:
    if not trained:
        return
    yield Heading("training")
    for name, title in _LEARNED.items():
        curves = {run.name: curve for run in trained if (curve := run.curve(name))}
        if curves:
            yield Chart(title, "step", curves).drawing()


def _worst(preset: str, runs: Sequence[Evaluated]) -> Iterator[Block]:
    """The worst view of the worst scenes that pictures were written of: the photo, then each run's picture of it."""
    seen = [run for run in runs if (run.folder / "images").is_dir()]
    scenes = {record["scene"] for run in seen for record in run.records if _views_with_pictures(run, record["scene"])}
    if not scenes:
        yield Paragraph("No pictures of the worst scenes: evaluate with --media N")
        return

    def quality(scene: str) -> float:
        return mean([run.by_scene[scene]["means"]["psnr"] for run in seen if scene in run.by_scene])

    yield Heading(f"{preset}, the worst scenes with pictures")
    for scene in sorted(scenes, key=quality)[:_WORST]:
        run = next(run for run in seen if _views_with_pictures(run, scene))
        _, frame = min(_views_with_pictures(run, scene))
        image = f"images/{file_name(scene)}/{frame:05d}"
        shown = [(other.name, other.folder / f"{image}.png", _of_frame(other, scene, frame)) for other in seen]
        shown = [(name, file, psnr) for name, file, psnr in shown if file.is_file()]
        said = ", ".join(f"{name} {written('psnr', psnr)} dB" for name, _, psnr in shown)
        files = [run.folder / f"{image}_true.png", *(file for _, file, _ in shown)]
        yield Pictures(f"{scene}, frame {frame}: photo, {said}", [_opened(file) for file in files])


def _views_with_pictures(run: Evaluated, scene: str) -> list[tuple[float, int]]:
    """(PSNR, frame) of the scene's views that there are pictures of."""
    record = run.by_scene.get(scene)
    if record is None:
        return []
    folder = run.folder / f"images/{file_name(scene)}"
    views = zip(record["views"]["psnr"], record["target"])
    return [(psnr, frame) for psnr, frame in views if (folder / f"{frame:05d}_true.png").is_file()]


def _of_frame(run: Evaluated, scene: str, frame: int) -> float | None:
    """A run's PSNR of one target, in dB; None where it did not look at that."""
    record = run.by_scene.get(scene, {"target": []})
    return record["views"]["psnr"][record["target"].index(frame)] if frame in record["target"] else None


def _opened(file: Path) -> Image.Image:
    with content_of(file, "a picture", "evaluate with --media anew, or remove it"), Image.open(file) as picture:
        return picture.convert("RGB")
