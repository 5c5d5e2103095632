"""The GPU run-book, as far as a machine without a GPU can tell: every part small, and what happens when parts fail."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import gpu_report
import pytest
from gpu_options import add_training_options, training_options
from gpu_pretraining import write_pieces
from gpu_table import Row, save, show

from tokengs_nerfstudio.core import TokenGSNetwork, load_network
from tokengs_nerfstudio.core.network.config import PRESETS

REPOSITORY = Path(__file__).resolve().parents[2]


def report(tmp_path: Path) -> gpu_report.Report:
    options = argparse.Namespace(minutes=1.0, output=tmp_path, wheels=None, dry_run=True, parts=["timings"])
    return gpu_report.Report(options, tmp_path)


def test_pieces_join_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(os.urandom(2500))
    listed = write_pieces(tmp_path / "weights.bin", tmp_path, size=1000)
    assert [(tmp_path / str(name)).stat().st_size for name in listed["pieces"]] == [1000, 1000, 500]  # type: ignore[union-attr]
    before = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").unlink()
    subprocess.run(str(listed["join"]), shell=True, check=True, cwd=tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == before
    assert hashlib.sha256(before).hexdigest() == json.loads((tmp_path / "weights.bin.json").read_text())["sha256"]
    with pytest.raises(ValueError, match="more than 2 pieces"):
        write_pieces(tmp_path / "weights.bin", tmp_path, size=1000, most=2)


def test_what_a_training_is_asked_reaches_its_process() -> None:
    parser = argparse.ArgumentParser()
    add_training_options(parser)
    weights = ["--preset", "tiny", "--batch", "4", "--makers", "2", "--from", "w.safetensors"]
    scenes = ["--data", "one", "--data", "two", "--late-sides", "64", "96"]
    options = parser.parse_args([*weights, *scenes])
    assert parser.parse_args(training_options(options)) == options
    usual = parser.parse_args([])
    assert parser.parse_args(training_options(usual)) == usual


def test_every_test_for_a_gpu_is_found_and_can_be_read_without_nerfstudio() -> None:
    found = gpu_report.gpu_tests()
    assert {"tests/core/test_cuda.py", "tests/core/rendering/test_gsplat.py"} <= set(found)
    assert not any("nerfstudio.engine" in (REPOSITORY / name).read_text() for name in found)


def test_a_part_that_takes_too_long_is_stopped_and_one_that_breaks_is_told(tmp_path: Path) -> None:
    book, here = report(tmp_path), gpu_report.Gsplat("gsplat")
    begin = time.monotonic()
    assert book._run("tests", "asleep", ["-c", "import time; time.sleep(60)"], here, 1.0) is None
    assert time.monotonic() - begin < 10
    assert book._run("tests", "broken", ["-c", "print('so far'); raise SystemExit(3)"], here, 20.0) is None
    assert book._run("tests", "fine", ["-c", "print('done')"], here, 20.0) == "done\n"
    asleep, broken, fine = book.rows
    assert (asleep.status, broken.status, fine.status) == ("failed", "failed", "ok")
    assert "stopped after its 1 s" in asleep.note
    assert "exit status 3; so far" in broken.note


def test_a_part_that_the_book_gets_wrong_does_not_cost_the_others(tmp_path: Path) -> None:
    book = report(tmp_path)
    book._part("timings", lambda: json.loads("nothing"))
    book._part("pretraining", lambda: book.rows.append(Row("pretraining", "tiny", "ok")))
    assert [row.status for row in book.rows] == ["failed", "ok"]
    assert json.loads((tmp_path / "figures.json").read_text())["verdict"] == "1 ok, 1 failed, 0 skipped"


def test_failures_are_shown_and_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row("timings", "render [1]", "ok", 12345.6, "ms", 5.61), Row("tests", "a::b", "ok")]
    assert show(rows, {"card": "none"}) == 0
    printed = capsys.readouterr().out
    assert "render [1]" in printed
    assert "12,346 ms" in printed
    assert "a::b" not in printed
    rows.append(Row("tests", "a::c[x]", "failed", note="assert [1] == [2]"))
    assert show(rows, {}) == 1
    assert "assert [1] == [2]" in capsys.readouterr().out
    save(rows, {}, tmp_path)
    assert "--- tests: a::c[x]\nassert [1] == [2]" in (tmp_path / "report.txt").read_text()


def test_every_test_leaves_a_line(tmp_path: Path) -> None:
    (tmp_path / "test_three.py").write_text(
        "import pytest\n"
        "def test_good(record_property): record_property('error', 0.5)\n"
        "def test_bad(): assert 1 == 2\n"
        "@pytest.mark.skip\ndef test_not(): pass\n"
    )
    results = tmp_path / "results.jsonl"
    # These tests may themselves be run by a worker of pytest-xdist; the three are not.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    environment |= {"PYTHONPATH": str(REPOSITORY / "scripts"), "GPU_RESULTS": str(results)}
    command = [sys.executable, "-m", "pytest", "-p", "gpu_results", "-p", "no:cacheprovider", "test_three.py"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True)
    good, bad, skipped = (json.loads(line) for line in results.read_text().splitlines())
    assert (good["outcome"], bad["outcome"], skipped["outcome"]) == ("passed", "failed", "skipped")
    assert good["figures"] == {"error": 0.5}
    assert "assert 1 == 2" in bad["message"]


@pytest.mark.slow
def test_the_dry_run_does_every_part(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    environment |= {"PYTHON": sys.executable}
    command = [str(REPOSITORY / "scripts" / "gpu.sh"), "--dry-run", "--output", str(tmp_path / "out")]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "out" / "figures.json").read_text())["rows"]
    assert {row["part"].split(",")[0] for row in rows} == {"set-up", "tests", "timings", "captures", "pretraining"}
    assert all(row["status"] != "failed" for row in rows)
    assert any("token-tuning steps" in row["what"] and row["value"] > 0 for row in rows)
    assert any("banana" in row["what"] and row["unit"] == "dB" and row["value"] > 15 for row in rows)
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(files) <= 8
    assert max(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 15 * 2**20
    listed = json.loads((tmp_path / "out" / "network.compact.safetensors.json").read_text())
    subprocess.run(listed["join"], shell=True, check=True, cwd=tmp_path / "out")
    trained = load_network(tmp_path / "out" / listed["file"])
    assert trained.num_parameters == TokenGSNetwork(PRESETS["tiny"]).num_parameters
