"""Curves: where the points fall, and what cannot be drawn."""

import math

from tokengs_nerfstudio.evaluation.charts import HEIGHT, WIDTH, Chart
from tokengs_nerfstudio.evaluation.drawing import Dot, Drawing, Line, Words


def dots(drawing: Drawing) -> list[Dot]:
    return [shape for shape in drawing.shapes if isinstance(shape, Dot)]


def words(drawing: Drawing) -> list[str]:
    return [shape.text for shape in drawing.shapes if isinstance(shape, Words)]


def test_larger_is_higher_and_later_is_further_right():
    drawing = Chart("title", "step", {"a": [(0, 1.0), (10, 5.0), (20, 2.0)]}).drawing()
    first, highest, last = dots(drawing)
    assert first.x < highest.x < last.x
    assert highest.y < last.y < first.y
    assert all(0 < dot.x < WIDTH and 0 < dot.y < HEIGHT for dot in (first, highest, last))
    assert abs(highest.x - (first.x + last.x) / 2) < 1e-6
    assert {"title", "step", "0", "10", "20", "2", "4"} <= set(words(drawing))


def test_several_curves_have_a_key_and_colours_of_their_own():
    drawing = Chart("", "", {"one": [(0, 1.0), (1, 2.0)], "two": [(0, 2.0)]}, ["x", "y"]).drawing()
    assert {"one", "two", "x", "y"} <= set(words(drawing))
    assert len({dot.color for dot in dots(drawing)}) == 2
    alone = Chart("", "", {"one": [(0, 1.0)]}, ["x"]).drawing()
    assert "one" not in words(alone)


def test_names_that_would_touch_stand_in_two_rows():
    for length, rows in ((3, 1), (30, 2)):
        names = [letter * length for letter in "abcdef"]
        drawing = Chart("", "", {"one": [(0, 1.0)]}, names).drawing()
        heights = [shape.y for shape in drawing.shapes if isinstance(shape, Words) and shape.text in names]
        assert len(set(heights)) == rows
        assert max(heights) < HEIGHT - 20


def test_what_is_no_number_or_one_number_or_nothing():
    drawing = Chart("", "", {"a": [(0, math.inf), (1, 3.0), (2, math.nan)]}).drawing()
    assert len(dots(drawing)) == 1
    assert Chart("", "", {"a": []}).drawing().svg()
    assert Chart("", "", {}).drawing().picture().size == (2 * WIDTH, 2 * HEIGHT)


def test_long_curves_have_no_dots():
    drawing = Chart("", "", {"a": [(x, float(x % 7)) for x in range(100)]}).drawing()
    assert not dots(drawing)
    assert max(len(shape.points) for shape in drawing.shapes if isinstance(shape, Line)) == 100
