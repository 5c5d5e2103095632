"""tokengs-reconstruct itself, in processes of its own: one worker, several, Ray, and beside the real ns-train."""

import json
import os
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from made.captures import edit, write_blobs, write_weights
from made.endings import ended
from made.jobs import waited_for
from made.tuned_runs import in_the_capture

from tokengs_nerfstudio.many.command import main
from tokengs_nerfstudio.many.options import Plan, Reconstructing, workers_here

QUICK = {"TORCHINDUCTOR_COMPILE_THREADS": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
NAMES = ("a", "b", "c")
SETTINGS = ("--steps", "12", "--threads", "1", "--device", "cpu", "--retries", "1")


def started(workplace: Path, out: str, *more: object) -> subprocess.Popen[str]:
    arguments = [workplace / "captures", "--out", workplace / out, "--checkpoint", workplace / "small.safetensors"]
    command = [sys.executable, "-m", "tokengs_nerfstudio.many.command", *arguments, *SETTINGS, *more]
    return subprocess.Popen(
        list(map(str, command)), env=os.environ | QUICK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=1800)
    return process.returncode, said


def results(folder: Path) -> dict[str, bytes]:
    """What has to be equal, of all captures that are done."""
    found = {}
    for name in NAMES:
        for file in (folder / name / "splats.ply", *sorted((folder / name).glob("pictures/*"))):
            found[str(file.relative_to(folder))] = file.read_bytes()
        metrics = json.loads((folder / name / "metrics.json").read_text())
        found[name] = json.dumps({key: value for key, value in metrics.items() if key != "seconds"}).encode()
    return found


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """Three captures, one that is broken, and what one worker makes of them."""
    folder = tmp_path_factory.mktemp("many")
    for number, name in enumerate(NAMES):
        write_blobs(folder / "captures" / name, count=9 + number, height=48, width=56)
    (folder / "captures/broken").mkdir()
    (folder / "captures/broken/transforms.json").write_text("{")
    write_weights(folder / "small.safetensors")
    code, said = outcome(started(folder, "one", "--processes", "1"))
    assert code == 1, said
    lines = said.splitlines()
    assert lines[-1] == "Error: 1 of 4 captures failed; the same command tries them again"
    assert [line.split(":")[1] for line in lines if line.startswith("set aside")] == [" broken"]
    return folder


@pytest.mark.slow
def test_several_processes_give_the_same_bytes_also_when_one_is_killed(workplace):
    process = started(workplace, "several", "--processes", "2")
    killed = threading.Thread(target=kill_a_worker, args=(workplace / "several",))
    killed.start()
    code, said = outcome(process)
    killed.join()
    assert code == 1
    assert "its worker died (SIGKILL); it is tried again" in said
    assert results(workplace / "several") == results(workplace / "one")
    page = (workplace / "several/report.html").read_text()
    assert page.count("<figure>") == 3
    assert all(f"<td>{name}</td>" in page for name in (*NAMES, "broken"))


def kill_a_worker(out: Path) -> None:
    """The one that has begun with a capture, by the process that writes its log."""
    while not (logs := list(out.glob(".unfinished/*/log.txt"))):
        threading.Event().wait(0.05)
    waited_for(logs[0], 600)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            open_files = [os.readlink(link) for link in (folder / "fd").iterdir()]
        except OSError:
            continue
        if str(logs[0].resolve()) in open_files:
            os.kill(int(folder.name), signal.SIGKILL)
            return


@pytest.mark.slow
def test_what_is_done_is_not_done_again_and_what_changed_is(workplace):
    out = workplace / "one"
    before = {name: (out / name / "splats.ply").stat().st_mtime_ns for name in NAMES}
    edit(workplace / "captures/b", lambda meta: meta.update(written_by="somebody else"))
    code, said = outcome(started(workplace, "one", "--processes", "1"))
    assert code == 1
    assert "2 of 4 captures are done already" in said
    after = {name: (out / name / "splats.ply").stat().st_mtime_ns for name in NAMES}
    assert [name for name in NAMES if before[name] != after[name]] == ["b"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
def test_ray_gives_the_same_bytes(workplace):
    code, said = outcome(started(workplace, "ray", "--ray", "local", "--processes", "2"))
    assert code == 1, said
    assert "workers on Ray (local)" in said
    assert results_but_content(workplace / "ray") == results_but_content(workplace / "one")


def results_but_content(folder: Path) -> dict[str, bytes]:
    return {name: value for name, value in results(folder).items() if name.endswith((".ply", ".jpg"))}


@pytest.mark.slow
def test_ns_train_agrees(workplace):
    """In the capture's frame within 1e-5 of the extent, held-out PSNR within 0.01 dB; in fact to the bit."""
    commands, run = Path(sys.executable).parent, workplace / "outputs/a/tokengs/run"
    train = [
        *(commands / "ns-train", "tokengs", "--data", workplace / "captures/a", "--timestamp", "run"),
        *("--output-dir", workplace / "outputs", "--vis", "tensorboard", "--machine.device-type", "cpu"),
        *("--pipeline.model.checkpoint", workplace / "small.safetensors", "--max-num-iterations", "12"),
    ]
    scores = [commands / "ns-eval", "--load-config", run / "config.yml", "--output-path", workplace / "scores.json"]
    for command in (train, scores):
        subprocess.run(list(map(str, command)), env=os.environ | QUICK, check=True, capture_output=True)
    theirs, ours = (in_the_capture(folder) for folder in (run, workplace / "one/a"))
    extent = float((theirs.means - theirs.means.mean(0)).norm(dim=-1).median())
    assert ours.count == theirs.count
    assert float((ours.means - theirs.means).abs().max()) < 1e-5 * extent
    for name, value in theirs.tensors():
        np.testing.assert_allclose(getattr(ours, name), value, atol=1e-5, rtol=1e-5)
    measured = json.loads((workplace / "scores.json").read_text())["results"]
    means = json.loads((workplace / "one/a/metrics.json").read_text())["means"]
    assert abs(measured["psnr"] - means["psnr"]) < 0.01
    assert abs(measured["ssim"] - means["ssim"]) < 1e-4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x"], "--out"),
        (["--out", "out"], "captures is empty"),
        (["nowhere", "--out", "out"], "nowhere is no capture"),
        (["nowhere", "--out", "out", "--steps", "-1"], "steps"),
        (["nowhere", "--out", "out", "--gpus", "0"], "gpus"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert said in ended(main, *arguments)
    assert not (tmp_path / "out").exists()


def test_workers_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)

    def shared(captures: int, **changes) -> tuple[int, int]:
        return workers_here(Reconstructing(captures=(Path("x"),), out=Path("y"), device="cpu", **changes), captures)

    assert shared(100, processes=2) == (2, 4)
    assert shared(100, processes=2, threads=3) == (2, 3)
    assert shared(1) == (1, 8)
    assert shared(3, processes=16) == (3, 2)


def test_the_identity_is_the_plan_without_what_only_decides_where_it_runs():
    identity = Plan("somewhere.safetensors", steps=7).identity("a digest")
    assert identity["checkpoint"] == "a digest"
    assert identity["steps"] == 7
    assert identity["tuning"]["gaussians"]["scales_rate"] > 0
    assert not {"processes", "threads", "out", "ray"} & set(identity)
