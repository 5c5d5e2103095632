"""Many pictures of a run as one: what the network saw, what was held out, what is rendered."""

from pathlib import Path

import torch
from PIL import Image, ImageDraw

from tokengs_nerfstudio.core.errors import MissingFileError

MARGIN, CAPTION = 6, 16


def context_photos(capture: Path, run: Path) -> list[Path]:
    """The photos of the capture that the encoder of a finished run saw; FileNotFoundError for a run without any."""
    checkpoints = sorted((run / "nerfstudio_models").glob("step-*.ckpt"))
    if not checkpoints:
        raise MissingFileError(f"{run / 'nerfstudio_models'} holds no checkpoint; run ns-train tokengs first")
    scene = torch.load(checkpoints[-1], map_location="cpu", weights_only=True)["tuning"]["scene"]
    return [capture / name for name in scene["context"]]


def rendered_photos(folder: Path) -> list[Path]:
    """The pictures below a folder that ns-render wrote, in order of name; FileNotFoundError where there are none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png"))
    if not found:
        raise MissingFileError(f"no images in {folder}; run ns-render dataset with --rendered-output-names rgb gt-rgb")
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
