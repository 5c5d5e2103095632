"""Means over the last steps."""

import pytest
import torch
from torch import Tensor

from tokengs_nerfstudio.core.tuning.averages import Averages


def walked(averages: Averages, values: list[float]) -> dict[str, Tensor]:
    """A parameter after it has had those values, one a step."""
    parameters = {"means": torch.zeros(2, 3)}
    for value in values:
        parameters["means"].fill_(value)
        averages.add(parameters)
    return parameters


def test_the_first_steps_count_alike_and_later_ones_ever_more():
    averages = Averages(0.75)
    parameters = walked(averages, [1.0, 2.0, 6.0, 7.0, 8.0])
    assert parameters["means"].eq(8.0).all()
    averages.settle(parameters)
    four = (1 + 2 + 6 + 7) / 4
    torch.testing.assert_close(parameters["means"], torch.full((2, 3), 0.75 * four + 0.25 * 8))


def test_without_averaging_the_last_step_stays():
    averages = Averages(0.0)
    parameters = walked(averages, [1.0, 2.0])
    averages.settle(parameters)
    assert parameters["means"].eq(2.0).all()
    assert averages.state_dict(parameters) == {}


def test_another_tensor_begins_anew():
    averages = Averages(0.9)
    parameters = walked(averages, [1.0, 2.0])
    parameters["means"] = torch.full((3, 3), 5.0)
    averages.add(parameters)
    parameters["means"].fill_(7.0)
    averages.add(parameters)
    averages.settle(parameters)
    torch.testing.assert_close(parameters["means"], torch.full((3, 3), 6.0))
    assert averages.state_dict({"means": torch.zeros(2, 3)}) == {}


def test_a_parameter_that_no_step_has_seen_stays():
    averages = Averages(0.9)
    walked(averages, [1.0])
    other = {"means": torch.full((4, 3), 5.0)}
    averages.settle(other)
    assert other["means"].eq(5.0).all()


def test_it_goes_on_from_its_state():
    once, again = Averages(0.6), Averages(0.6)
    parameters = walked(once, [1.0, 4.0])
    again.load_state_dict(once.state_dict(parameters), parameters)
    for value in (2.0, 5.0, 3.0):
        parameters["means"].fill_(value)
        once.add(parameters)
        again.add(parameters)
    shown = []
    for averages in (once, again):
        averages.settle(parameters)
        shown.append(parameters["means"].clone())
    assert torch.equal(*shown)


@pytest.mark.parametrize("decay", [0.5, 0.95])
def test_a_noisy_walk_settles_nearer_to_where_it_goes(decay):
    generator = torch.Generator().manual_seed(0)
    averages, parameters = Averages(decay), {"means": torch.zeros(1000, 3)}
    for _ in range(100):
        parameters["means"].copy_(torch.randn(1000, 3, generator=generator))
        averages.add(parameters)
    last = parameters["means"].square().mean()
    averages.settle(parameters)
    assert parameters["means"].square().mean() < 0.5 * last
