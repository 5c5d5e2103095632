"""The same shapes as SVG and as a picture."""

from xml.etree import ElementTree

from tokengs_nerfstudio.evaluation.drawing import Dot, Drawing, Line, Words, text_width

SHAPES = [Line([(10, 10), (90, 10)], "#ff0000", 2.0), Dot(50, 40, "#0000ff"), Words(50, 60, "<&>", "middle")]


def test_svg_is_xml_of_that_size():
    root = ElementTree.fromstring(Drawing(100, 80, SHAPES).svg())
    assert (root.get("width"), root.get("height")) == ("100", "80")
    assert [child.tag.split("}")[1] for child in root] == ["rect", "polyline", "circle", "text"]
    assert root[3].text == "<&>"


def test_a_picture_shows_lines_dots_and_words_where_they_are():
    picture = Drawing(100, 80, SHAPES).picture()
    assert picture.size == (200, 160)
    assert picture.getpixel((100, 20)) == (255, 0, 0)
    assert picture.getpixel((100, 80)) == (0, 0, 255)
    assert picture.getpixel((5, 5)) == (255, 255, 255)
    text = picture.crop((60, 100, 140, 140)).convert("L")
    box = text.point(lambda value: 255 * (value < 128)).getbbox()
    assert box is not None
    assert abs((box[0] + box[2]) / 2 - 40) < 5
    assert abs((box[1] + box[3]) / 2 - 20) < 5


def test_larger_words_are_larger():
    small, large = (Drawing(300, 60, [Words(5, 30, "words", size=size)]) for size in (13, 26))
    heights = []
    for drawing in (small, large):
        box = drawing.picture().convert("L").point(lambda value: 255 * (value < 128)).getbbox()
        assert box is not None
        heights.append(box[3] - box[1])
    assert heights[1] > 1.7 * heights[0]
    assert 'font-size="26"' in large.svg()


def test_words_end_where_they_should():
    width = text_width("many words")
    picture = Drawing(200, 40, [Words(190, 20, "many words", "end")]).picture().convert("L")
    box = picture.point(lambda value: 255 * (value < 128)).getbbox()
    assert box is not None
    assert abs(box[2] / 2 - 190) < 3
    assert abs((box[2] - box[0]) / 2 - width) < 4
