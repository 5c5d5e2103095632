"""Lines and words on a white page, as SVG for browsers and papers and as a picture for everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageFont

TEXT_SIZE = 13
_SHARP = 2
"""pixels of a picture to a unit of the page"""

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Line:
    """Through all points, in units of the page, y downwards."""

    points: Sequence[tuple[float, float]]
    color: str = "#444444"
    width: float = 1.0


@dataclass(frozen=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    color: str
    radius: float = 3.0


@dataclass(frozen=True)
class Words:
    """One line of text whose middle lies at y, and whose `anchor` lies at x."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    color: str = "#222222"
    size: int = TEXT_SIZE


Shape = Line | Dot | Words


@dataclass(frozen=True)
class Drawing:
    """Shapes on a page of so many units."""

    width: int
    height: int
    shapes: Sequence[Shape]

    def svg(self) -> str:
        """One element, with white behind it."""
        box = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="{TEXT_SIZE}">'
        return "\n".join(
            [head, '<rect width="100%" height="100%" fill="white"/>', *map(_element, self.shapes), "</svg>\n"]
        )

    def picture(self) -> Image.Image:
        """Two pixels to a unit."""
        canvas = Image.new("RGB", (self.width * _SHARP, self.height * _SHARP), "white")
        pen = ImageDraw.Draw(canvas)
        for shape in self.shapes:
            _draw(pen, shape)
        return canvas


def _element(shape: Shape) -> str:
    if isinstance(shape, Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        return f'<polyline points="{points}" fill="none" stroke="{shape.color}" stroke-width="{shape.width}"/>'
    if isinstance(shape, Dot):
        return f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius}" fill="{shape.color}"/>'
    place = f'x="{shape.x:.1f}" y="{shape.y + shape.size / 3:.1f}" text-anchor="{shape.anchor}"'
    if shape.size != TEXT_SIZE:
        place += f' font-size="{shape.size}"'
    return f'<text {place} fill="{shape.color}">{escape(shape.text)}</text>'


def _draw(pen: ImageDraw.ImageDraw, shape: Shape) -> None:
    if isinstance(shape, Line):
        points = [(x * _SHARP, y * _SHARP) for x, y in shape.points]
        pen.line(points, fill=shape.color, width=round(shape.width * _SHARP), joint="curve")
    elif isinstance(shape, Dot):
        x, y, radius = shape.x * _SHARP, shape.y * _SHARP, shape.radius * _SHARP
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shape.color)
    else:
        before = {"start": 0, "middle": 0.5, "end": 1}[shape.anchor] * text_width(shape.text, shape.size)
        top, bottom = font(shape.size).getbbox("Ag")[1::2]
        at = ((shape.x - before) * _SHARP, shape.y * _SHARP - (top + bottom) / 2)
        pen.text(at, shape.text, fill=shape.color, font=font(shape.size))


def text_width(text: str, size: int = TEXT_SIZE) -> float:
    """Of a line of text in a picture, in units of the page."""
    return font(size).getlength(text) / _SHARP


@cache
def font(size: int = TEXT_SIZE) -> Any:
    """Pillow's own; before Pillow 10.1 it has one size."""
    try:
        return ImageFont.load_default(size * _SHARP)
    except TypeError:
        return ImageFont.load_default()
