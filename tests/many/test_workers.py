"""Workers as processes and on Ray: nothing is lost with one that dies, and what keeps failing is set aside."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from made.jobs import jobs, waited_for
from made.toy_workers import Toy

from tokengs_nerfstudio.commands.progress import Silence
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.many import own_cluster
from tokengs_nerfstudio.many.folder import ResultFolder
from tokengs_nerfstudio.many.on_ray import LOCAL, RayWorkers, Share
from tokengs_nerfstudio.many.pool import LocalWorkers, visible_gpu
from tokengs_nerfstudio.many.work import Tally, work

own_cluster.keep_others_out()  # before any test imports Ray
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
KINDS = {
    "processes": partial(LocalWorkers, Toy, 2),
    "ray": partial(RayWorkers, Toy, LOCAL, 2, Share(cpus=1)),
}

TESTS = Path(__file__).parents[1]


@pytest.fixture(params=["processes", pytest.param("ray", marks=[needs_ray, pytest.mark.slow])])
def workers(request, monkeypatch):
    # Ray's workers are processes that know nothing of pytest's paths.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]))
    with closing(KINDS[request.param]()) as made:
        yield made


class Told(Silence):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.shares: list[float] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def update(self, share: float, text: str) -> None:
        self.shares.append(share)


def done(workers, out: Path, names: list[str], retries: int = 2) -> tuple[Tally, Told]:
    with closing(ResultFolder(out, {})) as folder:
        tally, told = Tally(len(names), 0), Told()
        work(jobs(folder, *names), workers, folder, tally, retries, told)
    return tally, told


def test_everything_is_done_by_all_workers_and_what_fails_is_tried_again_or_set_aside(workers, tmp_path):
    names = [*(f"good{number}" for number in range(4)), "flaky", "bad"]
    tally, told = done(workers, tmp_path, names)
    assert (tally.done, tally.failed) == (5, {"bad": "bad will not do"})
    assert told.said.count("bad: bad will not do; it is tried again") == 2
    assert told.said.count("flaky: flaky will not do; it is tried again") == 1
    assert told.shares == sorted(told.shares)
    assert told.shares[-1] == 1
    assert (tmp_path / "bad/failure.json").is_file()
    assert not (tmp_path / "bad/metrics.json").exists()
    logs = [(tmp_path / name / "log.txt").read_text().split() for name in names]
    assert 1 <= len({log[0] for log in logs}) <= workers_of(workers)
    assert max(int(log[1]) for log in logs) > 1  # the same worker takes several


def workers_of(workers) -> int:
    return workers.count if isinstance(workers, RayWorkers) else 2


def test_a_worker_that_is_killed_takes_nothing_with_it(workers, tmp_path):
    killed = []

    def kill() -> None:
        """The worker of the slow capture, as soon as it has begun."""
        for _ in range(3000):
            for log in (tmp_path / ".unfinished").glob("*/log.txt"):
                if not (log.parent / "metrics.json").exists() and log.read_text():
                    pid = int(waited_for(log).split()[0])
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)
                    return
            threading.Event().wait(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    tally, told = done(workers, tmp_path, ["slow", "good0", "good1", "good2"])
    killer.join()
    assert len(killed) == 1
    assert (tally.done, tally.failed) == (4, {})
    assert any("slow: its worker died" in said for said in told.said)
    assert sorted(path.parent.name for path in tmp_path.glob("*/metrics.json")) == ["good0", "good1", "good2", "slow"]
    assert int((tmp_path / "slow/log.txt").read_text().split()[0]) not in killed


def test_workers_take_the_gpus_in_turn():
    assert [visible_gpu({"CUDA_VISIBLE_DEVICES": "4,GPU-7"}, number) for number in range(3)] == ["4", "GPU-7", "4"]
    assert visible_gpu({}, 0) == "0"


def test_a_worker_with_a_gpu_sees_that_one_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
    with closing(LocalWorkers(Toy, 1, gpus=True)) as workers:
        done(workers, tmp_path, ["good"])
    assert (tmp_path / "good/log.txt").read_text().split()[2] == "5"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5,6"


def test_shares_of_gpus_decide_how_many_workers_fit():
    cluster = {"CPU": 64.0, "GPU": 8.0}
    assert Share(4, 0.0).fits(cluster) == 16
    assert Share(4, 1.0).fits(cluster) == 8
    assert Share(1, 0.25).fits(cluster) == 32
    assert Share(1, 0.3).fits({"CPU": 64.0, "GPU": 0.9}) == 3
    assert Share(1, 0.5).fits({"CPU": 64.0}) == 0


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999999", "nonsense address"])
def test_a_cluster_that_does_not_answer_is_named(address):
    with pytest.raises(UserError, match=f"--ray {address}: no Ray cluster answers there"):
        RayWorkers(Toy, address, 1, Share())


@pytest.fixture
def told_to_say(tmp_path, monkeypatch):
    """Has clusters say one thing after the other instead of starting, and be there until they are let go."""

    def prepare(*said: str) -> Path:
        script, count = tmp_path / "cluster.py", tmp_path / "count"
        script.write_text(
            "import sys\nfrom pathlib import Path\n"
            f"count, said = Path({str(count)!r}), {list(said)!r}\n"
            "number = len(count.read_text()) if count.exists() else 0\ncount.write_text('x' * (number + 1))\n"
            "print('noise')\nprint(said[min(number, len(said) - 1)], flush=True)\n"
            "if said[min(number, len(said) - 1)].startswith('cluster'): sys.stdin.read()\n"
        )
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n")
        python.chmod(0o755)
        monkeypatch.setattr(own_cluster.sys, "executable", str(python))
        return count

    return prepare


SLOW = "problem The current node timed out during startup."


def test_a_start_that_took_too_long_is_tried_again(told_to_say):
    count = told_to_say(SLOW, SLOW, "cluster 127.0.0.1:7")
    with closing(own_cluster.OwnCluster(60)) as cluster:
        assert cluster.address == "127.0.0.1:7"
    assert len(count.read_text()) == 3


@pytest.mark.parametrize(("said", "seconds", "why"), [(SLOW, 0, "timed out"), ("problem no room", 60, "no room")])
def test_a_start_that_cannot_work_is_not_tried_for_ever(told_to_say, said, seconds, why):
    count = told_to_say(said)
    with pytest.raises(RuntimeError, match=why):
        own_cluster.OwnCluster(seconds)
    assert len(count.read_text()) == 1


def test_a_cluster_has_no_time_for_what_it_does_not_need(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    paths = own_cluster.without_unwanted(tmp_path).split(os.pathsep)
    assert paths == [str(tmp_path), "elsewhere"]
    ask = "import importlib\ntry: importlib.import_module('rfc3987_syntax')\nexcept ImportError: print('none')"
    asked = subprocess.run(
        [sys.executable, "-c", ask],
        env=os.environ | {"PYTHONPATH": paths[0]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout == "none\n"


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'tokengs_nerfstudio\[ray\]'"):
        RayWorkers(Toy, LOCAL, 1, Share())
