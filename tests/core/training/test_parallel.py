import socket
from pathlib import Path

import pytest
import torch
from made.ranks import RANKS, gradients, network, rank_with_its_scenes
from made.training import SMALL, random_example
from torch.multiprocessing.spawn import spawn

from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.parallel import Serial, Threads


@pytest.mark.slow
def test_wrapped_for_distributed_training_the_gradients_are_the_same(tmp_path: Path) -> None:
    """Two processes with half of the scenes each: DDP averages what each of them found, the mean over all scenes."""
    torch.manual_seed(0)
    example = random_example(4)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    spawn(rank_with_its_scenes, (port, example, tmp_path / "gradients.pt"), nprocs=RANKS)
    alone = network()
    Serial(alone).gradients(example, TrainingConfig())
    found = torch.load(tmp_path / "gradients.pt", weights_only=True)
    assert len(found) == len(gradients(alone))
    for ours, expected in zip(found, gradients(alone)):
        torch.testing.assert_close(ours, expected, atol=2e-6, rtol=1e-3)


def test_threads_without_a_scene_stay_idle_and_replicas_keep_no_gradient() -> None:
    ours = network()
    threads = Threads(ours, 3)
    threads.gradients(random_example(1), TrainingConfig())
    expected = [gradient.clone() for gradient in gradients(ours)]
    ours.zero_grad(set_to_none=True)
    torch.manual_seed(0)
    example = random_example(3)
    threads.gradients(example, TrainingConfig())
    alone = network()
    Serial(alone).gradients(example, TrainingConfig())
    assert len(expected) == len(gradients(ours))
    for first, second in zip(gradients(ours), gradients(alone)):
        torch.testing.assert_close(first, second, atol=2e-6, rtol=1e-3)


def test_replicas_follow_the_weights() -> None:
    """A step of the optimizer is seen by all threads: the second step's gradient is that of the new weights."""
    ours = network()
    threads = Threads(ours, 2)
    example = random_example(2)
    threads.gradients(example, TrainingConfig())
    threads.update([torch.optim.SGD(ours.parameters(), lr=0.1)])
    ours.zero_grad(set_to_none=True)
    moved = TokenGSNetwork(SMALL, initial=SCRATCH)
    moved.load_state_dict(ours.state_dict())
    threads.gradients(example, TrainingConfig())
    Serial(moved).gradients(example, TrainingConfig())
    for first, second in zip(gradients(ours), gradients(moved)):
        torch.testing.assert_close(first, second, atol=2e-6, rtol=1e-3)
