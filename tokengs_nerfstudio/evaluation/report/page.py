"""A page of headings, tables, drawings and pictures: as HTML that needs no other file, and as one picture."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image

from tokengs_nerfstudio.evaluation.drawing import TEXT_SIZE, Anchor, Drawing, Line, Shape, Words, text_width

_MARGIN, _ROW, _GAP, _HEAD = 24, 20, 18, 40
_TITLE_SIZE, _HEADING_SIZE = 24, 18
_PICTURE_HEIGHT = 150

_STYLE = (
    "body{font-family:sans-serif;font-size:14px;margin:2em;color:#222}"
    "table{border-collapse:collapse}td,th{padding:3px 12px;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}figure{display:inline-block;margin:6px 10px 6px 0}"
    "figcaption{color:#555}img{height:150px;margin-right:4px}"
)


@dataclass(frozen=True)
class Heading:
    """Of what follows."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """One line of text."""

    text: str


@dataclass(frozen=True)
class Cells:
    """A table; the first row names its columns."""

    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Pictures:
    """Pictures in a row."""

    caption: str
    pictures: Sequence[Image.Image]


Block = Heading | Paragraph | Cells | Pictures | Drawing


def html(title: str, blocks: Sequence[Block]) -> str:
    """The whole file; drawings and pictures are in it."""
    head = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    body = "\n".join(_element(block) for block in blocks)
    return f"{head}<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"


def _element(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h2>{escape(block.text)}</h2>"
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Drawing):
        return f"<figure>{block.svg()}</figure>"
    if isinstance(block, Pictures):
        images = "".join(f'<img alt="" src="data:image/jpeg;base64,{_encoded(picture)}">' for picture in block.pictures)
        return f"<figure>{images}<figcaption>{escape(block.caption)}</figcaption></figure>"
    first, *rest = block.rows
    rows = [f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in first)}</tr>"]
    rows += [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rest]
    return f"<table>{''.join(rows)}</table>"


def _encoded(picture: Image.Image) -> str:
    """Twice as fine as it is shown."""
    height = min(picture.height, 2 * _PICTURE_HEIGHT)
    small = picture.convert("RGB").resize((max(1, round(picture.width * height / picture.height)), height))
    file = io.BytesIO()
    small.save(file, "jpeg", quality=88)
    return base64.b64encode(file.getvalue()).decode()


def picture(title: str, blocks: Sequence[Block]) -> Image.Image:
    """All of it below one another, two pixels to a unit."""
    parts = [_line(title, _HEAD, _TITLE_SIZE), *(part for block in blocks for part in _drawn(block))]
    width = max(part.width for part in parts) + 4 * _MARGIN
    canvas = Image.new("RGB", (width, sum(part.height for part in parts) + 4 * _MARGIN), "white")
    top = 2 * _MARGIN
    for part in parts:
        canvas.paste(part, (2 * _MARGIN, top))
        top += part.height
    return canvas


def _drawn(block: Block) -> Iterator[Image.Image]:
    if isinstance(block, Heading):
        yield _line(block.text, _HEAD, _HEADING_SIZE)
    elif isinstance(block, Paragraph):
        yield _line(block.text)
    elif isinstance(block, Drawing):
        yield block.picture()
    elif isinstance(block, Cells):
        yield _table(block.rows).picture()
    else:
        yield _row_of(block.pictures)
        yield _line(block.caption)


def _line(text: str, height: int = _ROW + 4, size: int = TEXT_SIZE) -> Image.Image:
    return Drawing(round(text_width(text, size)) + 4, height, [Words(0, height / 2, text, size=size)]).picture()


def _table(rows: Sequence[Sequence[str]]) -> Drawing:
    widths = [max(text_width(row[place]) for row in rows) + _GAP for place in range(len(rows[0]))]
    shapes: list[Shape] = []
    for number, row in enumerate(rows):
        left = 0.0
        for place, (cell, width) in enumerate(zip(row, widths)):
            anchor: Anchor = "end" if place else "start"
            shapes.append(Words(left + (width if place else 0), _ROW * (number + 0.5), cell, anchor))
            left += width
        shapes.append(Line([(0, _ROW * (number + 1)), (left, _ROW * (number + 1))], "#dddddd"))
    return Drawing(round(sum(widths)) + 4, _ROW * (len(rows) + 1), shapes)


def _row_of(pictures: Sequence[Image.Image]) -> Image.Image:
    height = 2 * _PICTURE_HEIGHT
    resized = [shown.convert("RGB").resize((round(shown.width * height / shown.height), height)) for shown in pictures]
    canvas = Image.new("RGB", (sum(shown.width + 8 for shown in resized), height), "white")
    left = 0
    for shown in resized:
        canvas.paste(shown, (left, 0))
        left += shown.width + 8
    return canvas
