"""What a GPU would have to wait for: nothing of a step comes from the host, once its constants are there."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from made.host import from_the_host
from made.training import KINDS
from torch import Tensor

from tokengs_nerfstudio.core import TokenGSNetwork
from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.rendering.request import checked
from tokengs_nerfstudio.core.training import gradients
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import scene_gradients
from tokengs_nerfstudio.core.types import Example, Renders, Views


def meta_views(scenes: int, views: int, timed: bool) -> Views:
    shape = (scenes, views)
    return Views(
        torch.empty(*shape, 3, 32, 32, device="meta"),
        torch.empty(*shape, 4, 4, device="meta"),
        torch.empty(*shape, 3, 3, device="meta"),
        times=torch.empty(shape, device="meta") if timed else None,
        depths=torch.empty(*shape, 1, 32, 32, device="meta"),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_takes_nothing_from_the_host(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = KINDS[kind]
    with torch.device("meta"):
        network = TokenGSNetwork(config).train()
    timed = config.time_channels > 0
    example = Example(meta_views(2, 3, timed), meta_views(2, 2, timed))
    # What knows no such device: autocast, the renderer, and numbers that a log asks for once a step.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(gradients, "render_targets", drawn)
    monkeypatch.setattr(Tensor, "tolist", lambda tensor: [0.0] * len(tensor))
    for _ in range(2):
        with from_the_host() as found:
            scene_gradients(network, example, config.rendering, TrainingConfig(), 2)
    assert all(parameter.grad is not None for parameter in network.decoder.parameters())
    assert found == []


def drawn(splats: Any, example: Example, rendering: Any, depth: bool = False) -> Renders:
    """Pictures that depend on all Gaussians, in stead of a renderer's, with the request that it checks."""
    request = checked(splats, example.target.cameras, rendering, depth, "torch")
    total = sum(tensor.sum() for _, tensor in splats.tensors()) + request.background.sum()
    images = example.target.images
    return Renders(images + total, images[..., :1, :, :] + total, images[..., :1, :, :] + total if depth else None)


def test_what_comes_from_the_host_is_found() -> None:
    there, two = torch.empty(3, device="meta"), torch.tensor(2.0)
    with from_the_host() as found:
        there * two
        there.new_tensor([1.0, 2.0])
        torch.as_tensor(0.5, device="meta")
        constant([0.123, 4.567], there) * there[0]
    assert found == ["aten.mul.Tensor", "new_tensor", "as_tensor", "tensor"]
    with from_the_host() as found:
        constant([0.123, 4.567], there) * there[0]
    assert found == []
