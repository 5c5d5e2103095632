"""tokengs-report: one page from folders."""

import pytest
from made.endings import ended
from made.evaluations import ABOUT, record
from PIL import Image

from tokengs_nerfstudio.commands.report import main
from tokengs_nerfstudio.evaluation.tables import write_metrics


def test_a_page_and_a_picture_of_it(tmp_path, capsys):
    for name, psnr in (("one", 20.0), ("two", 21.0)):
        write_metrics(tmp_path / name, ABOUT, [record("scene", psnr)])
    (tmp_path / "learned").mkdir()
    (tmp_path / "learned/log.jsonl").write_text('{"step": 1, "loss": 0.5}\n')
    page = tmp_path / "out/page.html"
    main([*(str(tmp_path / name) for name in ("one", "two", "learned")), "--output", str(page), "--title", "Mine"])
    assert capsys.readouterr().out.split() == [str(page), str(page.with_suffix(".png"))]
    text = page.read_text()
    assert all(word in text for word in ("<h1>Mine</h1>", "+1.00", "<svg "))
    with Image.open(page.with_suffix(".png")) as picture:
        assert picture.height > 400
    assert {path.name for path in page.parent.iterdir()} == {"page.html", "page.png"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "--runs is empty"), (["nowhere"], "nowhere is no run"), (["x", "--output", "page.pdf"], "ends in .html")],
)
def test_what_is_wrong_is_said_in_one_line(arguments, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert said in ended(main, *arguments)
