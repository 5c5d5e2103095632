import json
from pathlib import Path

import pytest
from made.training import SMALL

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.core.training.schedule import Cooldown, OneCycle, Stable, one_cycle, schedule_of


def test_one_cycle_rises_and_falls() -> None:
    assert one_cycle(0.0, 0.1) == pytest.approx(1 / 25)
    assert one_cycle(0.1, 0.1) == pytest.approx(1.0)
    assert one_cycle(0.55, 0.1) == pytest.approx(0.5 * (1 + 1 / 25_000))
    assert one_cycle(1.0, 0.1) == one_cycle(7.0, 0.1) == pytest.approx(1 / 25_000)
    assert one_cycle(0.0, 0.0) == 1.0
    assert all(one_cycle(i / 100, 0.1) < one_cycle((i + 1) / 100, 0.1) for i in range(10))
    with pytest.raises(ValueError, match=r"got 1\.0"):
        one_cycle(0.5, 1.0)


def test_the_default_schedule_is_one_cycle_over_the_run() -> None:
    schedule = schedule_of(TrainingConfig())
    assert isinstance(schedule, OneCycle)
    assert [schedule.rate(9, p) for p in (0.0, 0.2, 1.0)] == [one_cycle(p, 0.03) for p in (0.0, 0.2, 1.0)]
    assert schedule.maturity(9, 0.2) == 0.2


def test_a_stable_run_depends_on_the_step_alone() -> None:
    schedule = schedule_of(TrainingConfig(schedule="wsd", warmup_steps=100, curriculum_steps=1000))
    rates = [schedule.rate(step, progress) for step, progress in ((0, 0.9), (50, 0.1), (100, 0.5), (10**7, 1.0))]
    assert rates == pytest.approx([1 / 25, 0.52, 1.0, 1.0])
    assert [schedule.maturity(step, 0.3) for step in (0, 350, 1000, 10**7)] == [0.0, 0.35, 1.0, 1.0]
    assert Stable(0, 0).rate(0, 0.0) == Stable(0, 0).maturity(0, 0.0) == 1.0


def test_a_cooldown_falls_quickly_at_first_and_to_nearly_nothing() -> None:
    rates = [Cooldown().rate(0, progress) for progress in (0.0, 0.25, 0.81, 1.0, 2.0)]
    assert rates == pytest.approx([1.0, 0.5, 0.1, 1e-4, 1e-4])
    assert Cooldown().maturity(0, 0.0) == 1.0


def test_unknown_schedules_are_refused(no_shape_checks: None) -> None:
    with pytest.raises(ValueError, match=r"TrainingConfig\.schedule is 'cosine'; choose one of one-cycle, wsd"):
        NetworkTraining(TokenGSNetwork(SMALL), TrainingConfig(schedule="cosine"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "rate"), [("train_dl3dv_base", 4e-4), ("finetune_dl3dv_latent_6view_ssim", 4e-5)])
def test_one_cycle_is_the_published_schedule(shared: Path, name: str, rate: float) -> None:
    golden = json.loads((shared / "golden" / "G5_info.json").read_text())["lr_schedule"][name]
    last = golden["total_steps"] - 1
    warmup = (golden["pct_start"] * golden["total_steps"] - 1) / last
    for step, (published, *_) in golden["step_to_lr_beta1_beta2"].items():
        assert rate * one_cycle(int(step) / last, warmup) == pytest.approx(published, rel=1e-6), step
