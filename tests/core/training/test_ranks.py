import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from made.rank_run import STEPS, TRAINING
from made.runs import logged, losses, options
from made.training import random_example, small_training

from tokengs_nerfstudio.commands.pretrain import Run
from tokengs_nerfstudio.core.checkpoint.loading import load_network
from tokengs_nerfstudio.core.training.ranks import Ranks, RankWorkers
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.batches import Batches

REPOSITORY = Path(__file__).parents[3]


def torchruns(output: Path, *options: list[str]) -> str:
    """What a run says that so many torchruns take part in, all of them in one folder."""
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run"]
    script = [str(REPOSITORY / "tests/made/rank_run.py"), str(output)]
    running = [
        subprocess.Popen(
            [*command, *some, *script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for some in options
    ]
    try:
        said = [process.communicate(timeout=240)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0] * len(running), "\n".join(said)
    return "\n".join(said)


def on_one_machine(output: Path) -> str:
    """Two processes of one torchrun."""
    return torchruns(output, ["--standalone", "--nproc-per-node", "2"])


def on_two_machines(output: Path) -> str:
    """Two torchruns that meet by a rendezvous, with a process each."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    meeting = ["--rdzv-id", "test", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}"]
    machine = ["--nnodes", "2", "--nproc-per-node", "1", "--local-addr", "127.0.0.1", *meeting]
    return torchruns(output, machine, machine)


def alone_with_the_batches_of(run: Run, ranks: int) -> Run:
    """One process whose batches are those of all ranks together."""
    batches = run.batches
    shares = [Batches(batches.source, batches.network, batches.config, batches.seed, r, ranks) for r in range(ranks)]
    run._batch = lambda number: Example.cat(  # type: ignore[method-assign]
        [share.batch(number, run.training.schedule.maturity(number, 0.0)) for share in shares]
    )
    return run


@pytest.mark.usefixtures("small_preset", "threads")
@pytest.mark.parametrize("started", [on_one_machine, pytest.param(on_two_machines, marks=pytest.mark.slow)])
def test_two_processes_are_one_with_twice_the_scenes(started, tmp_path):
    said = started(tmp_path / "two")
    assert said.count(f"trained {STEPS} steps") == 1
    assert {file.name for file in (tmp_path / "two").iterdir()} >= {"state.pt", "good.pt", "network.safetensors"}
    run = alone_with_the_batches_of(Run(options(tmp_path / "one", STEPS, training=TRAINING, threads=1)), 2)
    run.train()
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    ours, expected = logged(tmp_path / "two"), logged(tmp_path / "one")
    for name in ("gradient", "depth", "scenes", "rate", "held_out_psnr", "coverage"):
        assert ours[STEPS][name] == pytest.approx(expected[STEPS][name], rel=1e-5, abs=1e-6), name
    trained, other = (load_network(tmp_path / name / "network.safetensors") for name in ("two", "one"))
    for found, wanted in zip(trained.parameters(), other.parameters()):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0.0)


def test_one_process_is_rank_0_of_1(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    ranks = Ranks()
    assert (ranks.count, ranks.rank, ranks.first, ranks.gathered("all")) == (1, 0, True, ["all"])
    ranks.close()


class TwoRanks(Ranks):
    """This process and one that has found twice the gradient on three times the scenes, and no depth."""

    def __init__(self) -> None:
        self.count, self.rank = 2, 0

    def gathered(self, value):
        scenes, losses = value
        return [value, (3 * scenes, {name: 2 * loss for name, loss in losses.items() if name != "ssim"})]

    def add(self, values):
        values.mul_(7.0)  # a quarter of ours, and three quarters of twice that


def test_ranks_count_by_their_scenes():
    example, alone, together = random_example(2), small_training(), small_training()
    expected = alone.workers.gradients(example, alone.config)
    found = RankWorkers(together.network, together.workers, TwoRanks()).gradients(example, together.config)
    assert found["loss"] == pytest.approx(1.75 * expected["loss"])
    assert found["ssim"] == pytest.approx(expected["ssim"])
    for ours, theirs in zip(together.network.parameters(), alone.network.parameters()):
        torch.testing.assert_close(ours.grad, 1.75 * theirs.grad)
