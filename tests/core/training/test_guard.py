from dataclasses import replace

import pytest
import torch
from made.training import random_example, small_training

from tokengs_nerfstudio.core.training.config import GuardConfig, TrainingConfig
from tokengs_nerfstudio.core.training.guard import Guard, Guarded, Health, TrainingCollapsed, health
from tokengs_nerfstudio.core.training.schedule import schedule_of

WELL = Health(dead=0.1, coverage=0.8, away=0.0, reach=4.0)


def test_health_is_what_the_renders_and_gaussians_say() -> None:
    network, example = small_training().network, random_example(3)
    whole = health(network, example, 0.005, chunk=8)
    parts = health(network, example, 0.005, chunk=1)
    assert vars(whole) == pytest.approx(vars(parts), rel=1e-5)
    assert health(network, example, 1.1, chunk=8).dead == 1.0
    with torch.no_grad():
        network.head.project.weight.zero_()
        bias = network.head.project.bias.view(-1, 14)
        bias[:, 0], bias[:, 1:3] = 5.0, 0.0
        bias[::2, 13] = -40.0
    spoiled = health(network, example, 0.005, chunk=8)
    assert spoiled.away == 1.0
    assert spoiled.dead == 0.5
    assert spoiled.reach == pytest.approx(147.4, abs=0.2)
    assert spoiled.coverage < whole.coverage


def test_values_that_are_no_numbers_are_dead_and_away() -> None:
    network = small_training().network
    with torch.no_grad():
        network.head.project.bias[:] = float("nan")
    found = health(network, random_example(1), 0.005, chunk=8)
    assert (found.dead, found.away) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (replace(WELL, dead=0.999), "99.90% of the Gaussians are transparent"),
        (replace(WELL, away=0.6), "60% of the Gaussians are beyond the far plane"),
        (replace(WELL, coverage=0.1), "covered to 10.0%, they were to 80.0%"),
        (replace(WELL, coverage=float("nan")), "covered to nan%"),
    ],
)
def test_limits(found: Health, said: str) -> None:
    guard = Guard(GuardConfig())
    assert guard.complaint(WELL) is None
    complaint = guard.complaint(found)
    assert complaint is not None
    assert said in complaint
    assert guard.complaint(replace(WELL, coverage=0.2)) is None


def test_pictures_that_were_never_covered_are_no_collapse() -> None:
    guard = Guard(GuardConfig())
    assert guard.complaint(replace(WELL, coverage=0.01)) is None
    assert guard.complaint(replace(WELL, coverage=0.005)) is None


@pytest.mark.parametrize(("norm", "said"), [(0.0, "0 times"), (5e3, "5e"), (0.1, None)])
def test_gradients_are_compared_with_the_last_good_evaluation(norm: float, said: str | None) -> None:
    guard = Guard(GuardConfig())
    assert [guard.felt(norm) for norm in (2.0, 1.0, 3.0)] == pytest.approx([1.0, 0.5, 2.0])
    for _ in range(40):
        guard.felt(1.0)
    assert guard.complaint(WELL) is None
    for _ in range(700):
        guard.felt(norm)
    complaint = guard.complaint(WELL)
    assert complaint is None if said is None else said in str(complaint)


def test_a_norm_that_is_not_finite_is_not_remembered() -> None:
    guard = Guard(GuardConfig())
    guard.felt(2.0)
    guard.felt(float("nan"))
    assert guard.felt(4.0) == 2.0


def test_back_once_slower_for_a_while_then_an_error_also_after_saving() -> None:
    config = TrainingConfig(guard=GuardConfig(slow=0.25, slow_steps=50))
    guard = Guard(config.guard)
    guarded = Guarded(schedule_of(config), guard)
    assert guarded.rate(10, 0.03) == 1.0
    guard.set_back(100, 80, "no pictures")
    assert [guarded.rate(step, 0.03) for step in (81, 149, 150)] == [0.25, 0.25, 1.0]
    assert guarded.maturity(81, 0.4) == 0.4
    again = Guard(config.guard)
    again.load_state_dict(guard.state_dict())
    with pytest.raises(TrainingCollapsed, match=r"again at step 200 \(black\) .* once, to step 180"):
        again.set_back(200, 180, "black")
