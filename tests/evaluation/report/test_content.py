"""What stands on the page."""

from pathlib import Path

import pytest
from made.evaluations import ABOUT, record
from PIL import Image

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.evaluation.drawing import Drawing, Line, Words
from tokengs_nerfstudio.evaluation.report.content import page
from tokengs_nerfstudio.evaluation.report.page import Block, Cells, Heading, Paragraph, Pictures
from tokengs_nerfstudio.evaluation.report.runs import Evaluated, Trained
from tokengs_nerfstudio.evaluation.tables import means_of


def run(name: str, psnr: dict[str, float], folder: Path = Path("nowhere"), axes=None, **about) -> Evaluated:
    records = [record(scene, value) for scene, value in psnr.items()]
    return Evaluated(name, folder / name, {**ABOUT, **about}, means_of(records), records, axes or {})


def of_kind(kind: type, blocks: list[Block]) -> list:
    return [block for block in blocks if isinstance(block, kind)]


def texts(blocks: list[Block]) -> str:
    return "\n".join(block.text for block in [*of_kind(Paragraph, blocks), *of_kind(Heading, blocks)])


def test_runs_stand_side_by_side_and_scenes_by_their_quality():
    blocks = page([run("one", {"a": 20.0, "b": 10.0}), run("two", {"a": 21.5, "c": 3.0})], [])
    side_by_side, by_scene = of_kind(Cells, blocks)
    assert [row[0] for row in side_by_side.rows] == ["run", "one", "two"]
    assert side_by_side.rows[1][1] == "15.00"
    assert by_scene.rows == [
        ["scene", "one", "two", "difference"],
        ["b", "10.00", "-", "-"],
        ["a", "20.00", "21.50", "+1.50"],
        ["c", "-", "3.00", "-"],
    ]
    assert "Not measured alike, so do not compare: scenes" in texts(blocks)


def test_benchmarks_are_not_mixed():
    blocks = page([run("one", {"a": 1.0}), run("two", {"a": 2.0}, preset="kubric")], [])
    assert [len(cells.rows) for cells in of_kind(Cells, blocks)] == [2, 2, 2, 2]
    assert [block.text for block in of_kind(Heading, blocks)] == [
        "captures", "captures, scene by scene: PSNR, dB", "kubric", "kubric, scene by scene: PSNR, dB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"), [({"scored": "novel"}, "scored (all and novel)"), ({"checkpoint": "x"}, "")]
)
def test_runs_that_were_measured_otherwise_are_told(change, said):
    blocks = page([run("one", {"a": 1.0}), run("two", {"a": 2.0}, **change)], [])
    assert ("Not measured alike" in texts(blocks)) == bool(said)
    assert said in texts(blocks)


def test_what_runs_bear_is_one_chart_with_a_table_each():
    rows = [{"number of tokens": name, "psnr": value} for name, value in (("4 tokens", 1.0), ("8 tokens", 2.0))]
    runs = [run("one", {"a": 1.0}, axes={"token_count": rows[1:]}), run("two", {"a": 1.0}, axes={"token_count": rows})]
    blocks = page(runs, [])
    (drawing,) = of_kind(Drawing, blocks)
    words = {shape.text for shape in drawing.shapes if isinstance(shape, Words)}
    assert {"4 tokens", "8 tokens", "one", "two"} <= words
    few, many = (next(w.x for w in drawing.shapes if isinstance(w, Words) and w.text == f"{n} tokens") for n in (4, 8))
    assert few < many
    assert [[x for x, _ in line.points] for line in drawing.shapes if isinstance(line, Line) and line.width == 2.0] == [
        [many], [few, many],
    ]  # fmt: skip
    tables = [cells.rows for cells in of_kind(Cells, blocks)]
    assert [["one", "psnr"], ["8 tokens", "2.00"]] in tables
    assert [["two", "psnr"], ["4 tokens", "1.00"], ["8 tokens", "2.00"]] in tables


def test_trainings_are_curves_of_what_their_logs_have():
    trained = [Trained("a", [{"step": 1, "loss": 0.5}]), Trained("b", [{"step": 2, "loss": 0.5}])]
    blocks = page([], trained)
    assert len(of_kind(Drawing, blocks)) == 1
    assert page([], []) == []


def test_the_worst_views_of_the_worst_scenes_are_shown(tmp_path):
    runs = [run("one", {"a": 20.0, "b": 10.0, "c": 5.0}, tmp_path), run("two", {"a": 1.0, "b": 12.0}, tmp_path)]
    for number, name in enumerate(("one", "two")):
        for scene in ("a", "b"):
            folder = tmp_path / name / "images" / scene
            folder.mkdir(parents=True)
            for frame in (2, 3):
                Image.new("RGB", (8, 8), (100 + 50 * number, frame, 0)).save(folder / f"{frame:05d}.png")
                Image.new("RGB", (8, 8), (0, frame, 9)).save(folder / f"{frame:05d}_true.png")
    blocks = page(runs, [])
    shown = of_kind(Pictures, blocks)
    assert [block.caption for block in shown] == [
        "a, frame 2: photo, one 19.00 dB, two 0.00 dB", "b, frame 2: photo, one 9.00 dB, two 11.00 dB",
    ]  # fmt: skip
    assert [picture.getpixel((0, 0)) for picture in shown[0].pictures] == [(0, 2, 9), (100, 2, 0), (150, 2, 0)]
    (tmp_path / "one/images/a/00002.png").unlink()
    assert of_kind(Pictures, page(runs, []))[0].caption == "a, frame 2: photo, two 0.00 dB"
    (tmp_path / "two/images/a/00002.png").write_bytes(b"cut off")
    with pytest.raises(UserError, match=r"00002\.png cannot be read as a picture"):
        page(runs, [])
    assert "evaluate with --media" in texts(page([run("three", {"a": 1.0}, tmp_path)], []))
