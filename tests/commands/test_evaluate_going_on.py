"""tokengs-evaluate stopped, killed, asked for more, shared between processes: nothing is measured twice."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made.evaluations import metrics, options

from tokengs_nerfstudio.commands.evaluate import Run
from tokengs_nerfstudio.core.errors import UserError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def measured(monkeypatch) -> list[str]:
    """The scenes that are put through the network, as it happens."""
    done: list[str] = []
    real = Run._measured

    def spied(self, job, photos):
        done.append("/".join(filter(None, job.key)))
        return real(self, job, photos)

    monkeypatch.setattr(Run, "_measured", spied)
    return done


def started(
    root: Path, *command: str, output: str, media: int = 0, killed_at: int = 0
) -> subprocess.CompletedProcess[str]:
    """What became of `made/evaluation_run.py`, which `command` runs."""
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    return subprocess.run(
        [*command, str(REPOSITORY / "tests/made/evaluation_run.py"), str(root), output, str(media), str(killed_at)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip


def torchrun(root: Path, output: str, ranks: int = 2, media: int = 0) -> str:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    ended = started(root, *command, output=output, media=media)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_same_command_goes_on_and_redoes_nothing(root, measured, monkeypatch):
    real, taken = Run._take, []

    def killed(self, *arguments):
        real(self, *arguments)
        taken.append(arguments)
        if len(taken) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "_take", killed)
    with pytest.raises(SystemExit) as ended:
        Run(options(root)).evaluate()
    assert ended.value.code == 130
    assert not (root / "out/metrics.json").exists()
    monkeypatch.setattr(Run, "_take", real)
    Run(options(root)).evaluate()
    assert measured == ["blobs6", "blobs7", "blobs8"]
    Run(options(root, output=root / "whole")).evaluate()
    assert metrics(root / "out") == metrics(root / "whole")
    Run(options(root)).evaluate()
    assert len(measured) == 6


def test_killed_while_it_writes_a_record_it_goes_on_and_redoes_nothing(root, measured):
    options(root)  # writes the weights
    ended = started(
        root, sys.executable, output="out", killed_at=3
    )  # after what the folder is of, and the first record
    assert ended.returncode == -signal.SIGKILL, ended.stdout + ended.stderr
    left, half_written = sorted(path.name for path in (root / "out/scenes").iterdir())[::-1]
    assert left == "blobs6.json"
    assert half_written.startswith(".blobs7.")
    chosen = {"token_count": (8,), "tuning": "tokens", "tuning_steps": 2}
    Run(options(root, **chosen)).evaluate()
    assert measured[:2] == ["blobs7", "blobs8"]
    assert "blobs6" not in measured
    assert not (root / "out/scenes" / half_written).exists()
    Run(options(root, output=root / "whole", **chosen)).evaluate()
    assert metrics(root / "out") == metrics(root / "whole")


def test_more_can_be_asked_for_later(root, measured):
    Run(options(root, limit=2)).evaluate()
    assert metrics(root / "out")["about"]["of_scenes"] == 2
    before = metrics(root / "out")["scenes"]
    Run(options(root, media=1, token_count=(8,))).evaluate()
    assert measured[2:] == ["blobs6", "blobs8", *(f"token_count/8_tokens/{n}" for n in ("blobs6", "blobs7", "blobs8"))]
    assert metrics(root / "out")["scenes"][:2] == before
    assert (root / "out/gaussians/blobs6.ply").is_file()
    assert [path.name for path in (root / "out/images").iterdir()] == ["blobs6"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "seed was 0"),
        ({"short_side": 20}, "short side"),
        ({"scored": "novel"}, "scored"),
        ({"tuning": "tokens"}, "tuning"),
        ({"tokens": 8}, "weights"),
    ],
)
def test_another_evaluation_does_not_mix_in(root, change, said):
    Run(options(root, limit=1)).evaluate()
    with pytest.raises(UserError, match=f"results of another evaluation: its .*{said.replace(' ', '.')}"):
        Run(options(root, limit=1, **change)).evaluate()


def test_two_processes_share_the_scenes_and_come_to_the_same_to_the_bit(root, measured):
    options(root)  # writes the weights
    said = torchrun(root, "two", media=2)
    assert said.count("results: ") == 1
    Run(options(root, output=root / "one", media=2, token_count=(8,), tuning="tokens", tuning_steps=2)).evaluate()
    assert metrics(root / "two") == metrics(root / "one")
    times = [
        (file.relative_to(root / "two"), json.loads(file.read_text())["means"]["encode_seconds"])
        for file in sorted((root / "two/scenes").rglob("*.json"))
    ]
    assert len(times) == 6
    assert {path.name for path in (root / "two/gaussians").iterdir()} == {"blobs6.ply", "blobs7.ply"}
    # One process goes on where two were.
    (root / "two/scenes/blobs7.json").unlink()
    del measured[:]
    Run(options(root, output=root / "two", media=2, token_count=(8,), tuning="tokens", tuning_steps=2)).evaluate()
    assert measured == ["blobs7"]
    assert metrics(root / "two") == metrics(root / "one")


@pytest.mark.slow
def test_machines_need_not_share_the_folder(root):
    options(root)
    torchrun(root, "machine{}", media=2)
    files = [sorted(path.name for path in (root / f"machine{rank}/scenes").glob("*.json")) for rank in (0, 1)]
    assert files == [["blobs6.json", "blobs7.json", "blobs8.json"], ["blobs7.json"]]
    assert not (root / "machine1/metrics.json").exists()
    before = metrics(root / "machine0")
    for file in (root / "machine0/scenes/blobs7.json", root / "machine0/metrics.json"):
        file.unlink()
    kept = root / "machine1/scenes/blobs7.json"
    kept.write_text(kept.read_text().replace('"gaussians": 256', '"gaussians": 257'))
    torchrun(root, "machine{}", media=2)
    media = [[path.name for path in (root / f"machine{rank}/gaussians").iterdir()] for rank in (0, 1)]
    assert media == [["blobs6.ply"], ["blobs7.ply"]]  # each on the machine that made them, not made again
    counts = [record["means"]["gaussians"] for record in metrics(root / "machine0")["scenes"]]
    assert counts == [256, 257, 256]  # known from the other machine, not done again
    assert [record["scene"] for record in before["scenes"]] == ["blobs6", "blobs7", "blobs8"]
