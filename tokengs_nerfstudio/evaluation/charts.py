"""Curves of numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokengs_nerfstudio.evaluation.drawing import Dot, Drawing, Line, Shape, Words, text_width

WIDTH, HEIGHT = 640, 340
COLORS = ("#1f6fb4", "#d1571e", "#2b8a3e", "#7b4bb3", "#b3222d", "#8a6d1f", "#1a9aa5", "#c2478c")

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 62
_MARKS = 5

Point = tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """Curves over a common axis."""

    title: str
    across: str
    """what goes from left to right"""
    curves: Mapping[str, Sequence[Point]]
    """by what they are called; points that are not finite are left out"""
    names: Sequence[str] = ()
    """what stands below the points at 0, 1, 2 ...; none where the axis is one of numbers"""

    def drawing(self) -> Drawing:
        """With axes, marks and a key."""
        curves = {name: [p for p in points if all(map(math.isfinite, p))] for name, points in self.curves.items()}
        points = [point for curve in curves.values() for point in curve] or [(0.0, 0.0)]
        low, high = _ends([y for _, y in points])
        first, last = (0.0, len(self.names) - 1.0) if self.names else _ends([x for x, _ in points], 0.0)
        inside = 0.5 if self.names else 0.0

        def place(point: Point) -> Point:
            along = (point[0] - first + inside) / (last - first + 2 * inside or 1.0)
            up = (point[1] - low) / (high - low)
            return _LEFT + along * (WIDTH - _LEFT - _RIGHT), HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM)

        shapes: list[Shape] = [Words(_LEFT, _TOP / 2, self.title), Words(WIDTH / 2, HEIGHT - 12, self.across, "middle")]
        for mark in _marks(low, high):
            y = place((first, mark))[1]
            shapes += [Line([(_LEFT, y), (WIDTH - _RIGHT, y)], "#dddddd"), Words(_LEFT - 6, y, f"{mark:g}", "end")]
        bottom = HEIGHT - _BOTTOM + 14
        if self.names:
            # Names that would touch stand in two rows.
            lower = 15 * any(text_width(name) > (WIDTH - _LEFT - _RIGHT) / len(self.names) - 6 for name in self.names)
            shapes += [
                Words(place((x, low))[0], bottom + lower * (x % 2), name, "middle") for x, name in enumerate(self.names)
            ]
        else:
            shapes += [Words(place((mark, low))[0], bottom, f"{mark:g}", "middle") for mark in _marks(first, last)]
        for number, (name, curve) in enumerate(curves.items()):
            color, line = COLORS[number % len(COLORS)], [place(point) for point in curve]
            shapes.append(Line(line, color, 2.0))
            shapes += [Dot(x, y, color) for x, y in line] if len(line) <= 40 else []
            if len(curves) > 1:
                shapes.append(Words(WIDTH - _RIGHT - 4, _TOP + 8 + 17 * number, name, "end", color))
        return Drawing(WIDTH, HEIGHT, shapes)


def _ends(values: Sequence[float], margin: float = 0.08) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = margin * (high - low) if high > low else 0.5
    return low - room, high + room


def _marks(low: float, high: float) -> list[float]:
    """Round numbers from one end to the other."""
    if high <= low:
        return [low]
    rough = (high - low) / _MARKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
    return [round(number * step, 12) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
