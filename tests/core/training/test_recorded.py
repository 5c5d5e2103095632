"""A network that is replayed: the same gradient as without, and which shapes are recorded."""

from contextlib import nullcontext

import pytest
import torch
from made.scenes import small_network
from made.training import KINDS, SMALL, held_out_example
from torch import nn

from tokengs_nerfstudio.core import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import scene_gradients
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.core.training.parallel import Serial
from tokengs_nerfstudio.core.training.recorded import RECORDED_FROM, Recorded

NETWORKS = {**KINDS, "latents": small_network(latents=16, latent_depth=1).config}


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """What is recorded, by a stand-in that computes as before: a CPU has no graphs."""
    made: list[nn.Module] = []

    def make(module: nn.Module, given: tuple[torch.Tensor, ...], **_: object) -> nn.Module:
        module(*given)
        made.append(module)
        return module

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", make)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (60, 100))
    return made


def slopes(network: TokenGSNetwork) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_are_those_of_the_network(kind: str, recordings: list[nn.Module]) -> None:
    torch.manual_seed(0)
    network = TokenGSNetwork(NETWORKS[kind]).train()
    example, config = held_out_example(network.config, 2), TrainingConfig()
    expected = scene_gradients(network, example, network.config.rendering, config, 2), slopes(network)
    replayed = Recorded(network)
    for call in range(RECORDED_FROM + 2):
        network.zero_grad(set_to_none=True)
        losses = scene_gradients(replayed, example, network.config.rendering, config, 2)
        assert losses == expected[0]
        found = slopes(network)
        assert found.keys() == expected[1].keys()
        assert all(torch.equal(found[name], slope) for name, slope in expected[1].items())
        assert len(recordings) == (call + 1 >= RECORDED_FROM)


def test_shapes_are_recorded_one_by_one_alone_and_while_there_is_room(
    recordings: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = []

    class Alone(nullcontext):
        def __enter__(self) -> None:
            entered.append(len(recordings))

    network = TokenGSNetwork(SMALL).train()
    replayed = Recorded(network, Alone())
    large, small = held_out_example(network.config, 2), held_out_example(network.config, 1)
    for _ in range(RECORDED_FROM):
        replayed(large.context)
    replayed(small.context)
    assert len(recordings) == 1
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10, 100))
    for _ in range(RECORDED_FROM):
        replayed(small.context)
    assert len(recordings) == 1
    assert entered == [0]


def test_a_training_takes_the_same_steps(recordings: list[nn.Module]) -> None:
    ends = []
    for replays in (False, True):
        torch.manual_seed(0)
        network = TokenGSNetwork(SMALL).train()
        workers = Serial(network, Recorded(network) if replays else None)
        training = NetworkTraining(network, TrainingConfig(), workers)
        example = held_out_example(network.config, 2)
        ends.append([training.step(example, step / 6).losses["loss"] for step in range(6)])
    assert ends[0] == ends[1]
    assert len(recordings) == 1
