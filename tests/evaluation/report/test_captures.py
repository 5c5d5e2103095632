"""The page about many captures: the worst ones first, with pictures, times, and what failed."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tokengs_nerfstudio.commands.report import main
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.evaluation.report import captures
from tokengs_nerfstudio.evaluation.report.captures import captures_page, read_captures
from tokengs_nerfstudio.evaluation.report.page import Cells, Heading, Paragraph, Pictures


def write_result(folder: Path, name: str, psnrs: list[float], held_out: int | None = None) -> None:
    content = {
        "name": name,
        "means": {"psnr": sum(psnrs) / len(psnrs), "ssim": 0.5},
        "views": {"psnr": psnrs},
        "photos": [f"{number}.png" for number in range(len(psnrs))],
        "held_out_images": len(psnrs) if held_out is None else held_out,
        "gaussians": 1234,
        "steps": 7,
        "seconds": {"tuning": 1.0, "whole": 2.0 + len(name)},
    }
    (folder / name / "pictures").mkdir(parents=True)
    (folder / name / "metrics.json").write_text(json.dumps(content))
    for number in range(len(psnrs)):
        Image.new("RGB", (8, 4), (40 * number, 0, 0)).save(folder / name / f"pictures/{number:03d}.jpg")


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "reconstruction.json").write_text("{}")
    write_result(tmp_path, "good", [30.0, 28.0])
    write_result(tmp_path, "poor", [20.0, 10.0, 15.0])
    write_result(tmp_path, "all seen", [40.0], held_out=0)
    (tmp_path / "broken").mkdir()
    failure = {"name": "broken", "tries": 3, "problem": "no <photos>"}
    (tmp_path / "broken/failure.json").write_text(json.dumps(failure))
    return tmp_path


def test_the_worst_come_first_and_failures_are_named(folder):
    heading, quality, times, failed, failures, table, _, *pictures = captures_page(read_captures(folder))
    assert heading == Heading("3 captures, 1 failed")
    assert quality == Paragraph("Mean over the 2 captures with held-out photos: PSNR 22.00, SSIM 0.500")
    assert times == Paragraph("Seconds a capture: 7.3 in the mean, 6.0 to 10.0")
    assert failed == Heading("failed")
    assert isinstance(failures, Cells)
    assert failures.rows[1] == ["broken", "3", "no <photos>"]
    assert isinstance(table, Cells)
    assert table.rows[0][-2:] == ["tuning, s", "whole, s"]
    assert [row[:3] for row in table.rows[1:]] == [
        ["poor", "3", "15.00"],
        ["good", "2", "29.00"],
        ["all seen", "0", "40.00"],
    ]
    assert all(isinstance(block, Pictures) for block in pictures)
    assert [block.caption for block in pictures if isinstance(block, Pictures)] == [
        "poor, 1.png: 10.00 dB",
        "good, 1.png: 28.00 dB",
        "all seen, 0.png: 40.00 dB",
    ]


def test_of_very_many_the_worst_are_shown(folder, monkeypatch):
    monkeypatch.setattr(captures, "_MOST_SHOWN", 1)
    *_, shown, more = captures_page(read_captures(folder))
    assert isinstance(shown, Pictures)
    assert shown.caption.startswith("poor")
    assert more == Paragraph("The other 2 captures have theirs in their folders")


def test_the_report_command_takes_the_folder(folder, tmp_path):
    main([str(folder), "--output", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert page.count("<figure>") == 3
    assert "no &lt;photos&gt;" in page
    assert (tmp_path / "page.png").is_file()


def test_a_broken_result_is_named(folder):
    (folder / "good/metrics.json").write_text("{}")
    with pytest.raises(UserError, match=r"good/metrics\.json cannot be read as results of tokengs-reconstruct"):
        read_captures(folder)


def test_a_folder_without_results_has_a_page_too(tmp_path):
    assert captures_page(read_captures(tmp_path)) == [Heading("0 captures, 0 failed")]
