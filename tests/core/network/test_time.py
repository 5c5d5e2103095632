"""Time through the whole way: from the photos' times and the target's, by network and renderer, to pictures."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from made.moving import CONTEXT, moving_network
from torch import Tensor

from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.types import RenderConfig

# So short that nothing crosses the edge of a pixel in between.
STEP = 1e-6


@pytest.fixture(scope="module")
def network():
    return deepcopy(moving_network()).double()


def error(network, of_photos: Tensor, target: Tensor) -> Tensor:
    """How far a picture for time `target` is from the second photo."""
    context = replace(CONTEXT.to(torch.float64), times=of_photos)
    splats = network.decode(network.encode(context.unsqueeze()), time=target)[0]
    view = CONTEXT.select([1]).to(torch.float64)
    pictures = render_cameras(splats, view.cameras, RenderConfig(0.025, 125.0, 0.5), depth=False, backend="torch").rgb
    return (pictures - view.images).square().mean()


def test_the_error_of_a_picture_has_the_gradient_of_all_times(network):
    """Against central differences in 64 bits."""
    of_photos = CONTEXT.times.double().clone().requires_grad_()
    target = torch.tensor([0.4], dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(error(network, of_photos, target), (of_photos, target))
    assert found[0].abs().min() > 0
    assert found[1].abs() > 1e-5
    with torch.no_grad():
        for place in range(4):
            change = STEP * torch.nn.functional.one_hot(torch.tensor(place), 4)
            ends = [error(network, of_photos + side * change, target) for side in (1, -1)]
            assert float(ends[0] - ends[1]) / (2 * STEP) == pytest.approx(float(found[0][place]), rel=1e-3, abs=1e-8)
        ends = [error(network, of_photos, target + side * STEP) for side in (1, -1)]
        assert float(ends[0] - ends[1]) / (2 * STEP) == pytest.approx(float(found[1]), rel=1e-3)


def test_scenes_of_a_batch_have_times_of_their_own(network):
    context = CONTEXT.to(torch.float64).unsqueeze()
    memory = network.encode(context)
    both = network.decode(type(memory).cat([memory, memory]), time=torch.tensor([0.1, 0.9]))
    for place, time in enumerate((0.1, 0.9)):
        torch.testing.assert_close(both.means[place], network.decode(memory, time=time).means[0])
