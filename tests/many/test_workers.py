"""Workers as processes and on Ray: nothing is lost with one that dies, and what keeps failing is set aside."""

import os
import signal
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
from tokengs_nerfstudio.many import on_ray
from tokengs_nerfstudio.many.folder import ResultFolder
from tokengs_nerfstudio.many.on_ray import LOCAL, RayWorkers, Share
from tokengs_nerfstudio.many.pool import LocalWorkers, visible_gpu
from tokengs_nerfstudio.many.work import Tally, work

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


class SlowRay:
    """Ray on a busy machine: its own start times out, then the cluster is not there yet, then it is."""

    def __init__(self, problem: str) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.problem = problem

    def init(self, address: str, **_) -> None:
        self.asked.append((address, os.environ.get("RAY_GCS_SERVER_PORT")))
        if len(self.asked) < 3:
            raise RuntimeError(self.problem)

    def shutdown(self) -> None:
        pass

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}


def test_a_cluster_that_starts_slowly_is_joined_and_not_started_again(monkeypatch):
    slow = SlowRay("The current node timed out during startup.")
    monkeypatch.setattr(on_ray, "_imported", lambda: slow)
    monkeypatch.setattr(on_ray, "_PAUSE", 0.0)
    assert RayWorkers(Toy, LOCAL, 4, Share()).count == 2
    (first, port), *later = slow.asked
    assert first == LOCAL
    assert later == [(f"127.0.0.1:{port}", None)] * 2


def test_a_cluster_that_cannot_start_is_not_waited_for(monkeypatch):
    broken = SlowRay("no room in shared memory")
    monkeypatch.setattr(on_ray, "_imported", lambda: broken)
    with pytest.raises(UserError, match="--ray local: no Ray cluster answers there .no room in shared memory"):
        RayWorkers(Toy, LOCAL, 4, Share())
    assert len(broken.asked) == 1


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'tokengs_nerfstudio\[ray\]'"):
        RayWorkers(Toy, LOCAL, 1, Share())
