"""What reading a data set costs beside training with it, in processor seconds; docs/datasets.md has more of it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig

MOST = 0.1


def cost(work: Callable[[], object]) -> float:
    """Processor seconds of all threads."""
    before = time.process_time()
    work()
    return time.process_time() - before


@pytest.mark.slow
@pytest.mark.usefixtures("threads", "no_shape_checks")
@pytest.mark.parametrize("kind", ["dl3dv", "kubric"])
def test_reading_a_batch_costs_a_tenth_of_a_step_at_most(shared: Path, kind: str) -> None:
    torch.set_num_threads(1)
    network = TokenGSNetwork(PRESETS["small"])
    source = CapturesConfig().source(shared / "golden/fake_datasets" / kind, most_context=4)
    batches = Batches(source, network.config, BatchConfig(scenes=2, context=(4, 4), size=(128, 128)))
    example = batches.batch(0, 0.0)
    assert example.context.images.shape[-2:] == (128, 128)
    training = NetworkTraining(network, TrainingConfig())
    training.step(example, 0.0)  # kernels are compiled
    reading = min(cost(lambda number=number: batches.batch(number, 0.0)) for number in range(1, 5))
    assert reading <= MOST * cost(lambda: training.step(example, 0.1))
