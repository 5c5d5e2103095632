"""What each process of a distributed step does; in a module of its own, so that a spawned process finds it."""

from pathlib import Path

import torch
import torch.distributed as dist
from made.training import SMALL
from torch.nn.parallel import DistributedDataParallel

from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import scene_gradients
from tokengs_nerfstudio.core.types import Example

RANKS = 2


def network() -> TokenGSNetwork:
    torch.manual_seed(3)
    return TokenGSNetwork(SMALL, initial=SCRATCH)


def gradients(network: TokenGSNetwork) -> list[torch.Tensor]:
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def rank_with_its_scenes(rank: int, port: int, example: Example, file: Path) -> None:
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=RANKS)
    replica = network()
    wrapped = DistributedDataParallel(replica)
    share = example[slice(rank, example.num_scenes, RANKS)]
    scene_gradients(wrapped, share, SMALL.rendering, TrainingConfig(chunk=1), share.num_scenes)
    if rank == 0:
        torch.save(gradients(replica), file)
    dist.destroy_process_group()
