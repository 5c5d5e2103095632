"""Results are whole or absent, and known again."""

import json
from pathlib import Path

import pytest
from made.jobs import jobs

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.many.folder import Job, ResultFolder


def written(job: Job, text: str = "new") -> None:
    job.folder.mkdir(parents=True)
    (job.folder / "splats.ply").write_text(text)
    (job.folder / "log.txt").write_text(f"log of {text}")
    (job.folder / "metrics.json").write_text(json.dumps({"name": job.capture.name, "identity": dict(job.identity)}))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_published_result_is_done_until_plan_or_capture_change(tmp_path):
    folder = ResultFolder(tmp_path / "out", {"steps": 3, "sides": (1, 2), "file": Path("x")})
    (job,) = jobs(folder, "a")
    written(job)
    assert names(tmp_path / "out") == [".unfinished", "reconstruction.json"]
    folder.publish(job)
    assert names(tmp_path / "out/a") == ["log.txt", "metrics.json", "splats.ply"]
    folder.close()
    assert names(tmp_path / "out") == ["a", "reconstruction.json"]
    again = ResultFolder(tmp_path / "out", {"steps": 3, "sides": (1, 2), "file": Path("x")})
    assert [job.capture.name for job in jobs(again, "a", "b")] == ["b"]
    again.close()
    other = ResultFolder(tmp_path / "out", {"steps": 4, "sides": (1, 2)})
    (changed,) = jobs(other, "a")
    written(changed, "newer")
    other.publish(changed)
    assert (tmp_path / "out/a/splats.ply").read_text() == "newer"
    assert jobs(other, "a") == []


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_what_is_no_result_is_done_again(tmp_path, text):
    folder = ResultFolder(tmp_path, {})
    (tmp_path / "a").mkdir()
    (tmp_path / "a/metrics.json").write_text(text)
    assert len(jobs(folder, "a")) == 1


def test_a_capture_that_is_set_aside_keeps_its_log_and_comes_again(tmp_path):
    folder = ResultFolder(tmp_path, {"steps": 3})
    (job,) = jobs(folder, "a")
    written(job)
    folder.set_aside(job.again(), "it will not do")
    assert names(tmp_path / "a") == ["failure.json"]  # that try had written nothing
    folder.set_aside(job, "it will not do")
    assert names(tmp_path / "a") == ["failure.json", "log.txt"]
    failure = json.loads((tmp_path / "a/failure.json").read_text())
    assert (failure["name"], failure["tries"], failure["problem"]) == ("a", 1, "it will not do")
    (again,) = jobs(folder, "a")
    assert again.folder != job.folder


def test_what_a_killed_command_left_goes_and_two_at_a_time_are_refused(tmp_path):
    first = ResultFolder(tmp_path, {})
    (job,) = jobs(first, "a")
    written(job)
    with pytest.raises(UserError, match="another command reconstructs there"):
        ResultFolder(tmp_path, {})
    first._lock.close()  # as a kill does
    ResultFolder(tmp_path, {}).close()
    assert not job.folder.exists()
