from pathlib import Path

import baselines
import pytest


def test_what_is_written_is_read_and_no_scratch_is_left(tmp_path: Path) -> None:
    baselines.write(tmp_path / "speed.json", {"ratio": 2.0}, threads=2, quiet=True)
    assert baselines.read(tmp_path / "speed.json") == {"ratio": 2.0}
    assert [path.name for path in tmp_path.iterdir()] == ["speed.json"]


def test_a_complaint_is_printed_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert baselines.verdict([]) == 0
    assert baselines.verdict(["ratio fell"]) == 1
    assert "worse than the committed figures: ratio fell" in capsys.readouterr().out
