"""Blocks as HTML and as a picture."""

import base64
import io
import re

from PIL import Image

from tokengs_nerfstudio.evaluation.charts import Chart
from tokengs_nerfstudio.evaluation.report.page import Block, Cells, Heading, Paragraph, Pictures, html, picture

BLOCKS: list[Block] = [
    Heading("A <heading>"),
    Paragraph("words & words"),
    Cells([["run", "psnr"], ["one", "20.00"]]),
    Chart("curve", "x", {"a": [(0, 1.0), (1, 2.0)]}).drawing(),
    Pictures("a caption", [Image.new("RGB", (40, 20), "red"), Image.new("RGB", (20, 20), "blue")]),
]


def test_html_needs_no_other_file_and_escapes_what_it_is_given():
    page = html("t & t", BLOCKS)
    assert "<h1>t &amp; t</h1>" in page
    assert "<h2>A &lt;heading&gt;</h2>" in page
    assert "<th>run</th><th>psnr</th>" in page
    assert "<td>one</td><td>20.00</td>" in page
    assert page.count("<svg ") == 1
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    encoded = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    pictures = [Image.open(io.BytesIO(base64.b64decode(data))) for data in encoded]
    assert [shown.size for shown in pictures] == [(40, 20), (20, 20)]
    red = pictures[0].getpixel((20, 10))
    assert isinstance(red, tuple)
    assert red[0] > 240


def test_a_picture_has_everything_below_one_another():
    whole = picture("title", BLOCKS)
    parts = [picture("title", [block]) for block in BLOCKS]
    empty = picture("title", [])
    assert whole.height == empty.height + sum(part.height - empty.height for part in parts)
    assert whole.width == max(part.width for part in parts)
    colors = {color for _, color in whole.getcolors(2**24) or []}
    assert {(255, 0, 0), (0, 0, 255), (255, 255, 255)} <= colors
