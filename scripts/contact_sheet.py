"""One picture of a finished run: context photos, held-out photos, and the same views rendered."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from PIL import Image, ImageDraw

from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture

MARGIN, CAPTION = 6, 16


@dataclass(frozen=True)
class ContactSheet:
    """Put a run's context, ground truth and renders of held-out views into one PNG."""

    capture: Path
    """folder of the capture"""
    run: Path
    """folder of the run, with its config.yml"""
    renders: Path
    """what `ns-render dataset --split test --rendered-output-names rgb gt-rgb` wrote, down to the folder `test`"""
    output: Path
    """the PNG"""
    columns: int = 6
    """most pictures in a row"""


def context_photos(capture: Path, run: Path) -> list[Path]:
    """The photos that the encoder of a finished run saw."""
    checkpoints = sorted((run / "nerfstudio_models").glob("step-*.ckpt"))
    if not checkpoints:
        raise FileNotFoundError(f"{run / 'nerfstudio_models'} holds no checkpoint; run ns-train tokengs first")
    scene = torch.load(checkpoints[-1], map_location="cpu", weights_only=True)["tuning"]["scene"]
    photos = NerfstudioCapture(capture)
    train = photos.split().train
    return [Path(photos.image_paths[train[position]]) for position in scene["context"]]


def rendered_photos(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png"))
    if not found:
        raise FileNotFoundError(f"no images in {folder}; run ns-render dataset with --rendered-output-names rgb gt-rgb")
    return found


def sheet(rows: dict[str, list[Path]]) -> Image.Image:
    """Rows of pictures of one size, each under its caption."""
    pictures = {caption: [Image.open(path).convert("RGB") for path in paths] for caption, paths in rows.items()}
    width, height = next(iter(pictures.values()))[0].size
    columns = max(len(row) for row in pictures.values())
    size = (columns * (width + MARGIN) + MARGIN, len(rows) * (height + CAPTION + MARGIN) + MARGIN)
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for number, (caption, row) in enumerate(pictures.items()):
        top = MARGIN + number * (height + CAPTION + MARGIN)
        draw.text((MARGIN, top), caption, fill="black")
        for column, picture in enumerate(row):
            canvas.paste(picture.resize((width, height)), (MARGIN + column * (width + MARGIN), top + CAPTION))
    return canvas


def main(args: ContactSheet) -> None:
    truth, rendered = rendered_photos(args.renders / "gt-rgb"), rendered_photos(args.renders / "rgb")
    rows = {
        "context: what the network sees": context_photos(args.capture, args.run)[: args.columns],
        "held-out photos: never seen by network or tuning": truth[: args.columns],
        "the same views, rendered": rendered[: args.columns],
    }
    scratch = args.output.with_name(f".{args.output.name}")
    sheet(rows).save(scratch, format="PNG")
    os.replace(scratch, args.output)
    print(args.output)


if __name__ == "__main__":
    main(tyro.cli(ContactSheet))
