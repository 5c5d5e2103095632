import json
from pathlib import Path

import pytest

from tokengs_nerfstudio.core.training.schedule import one_cycle


def test_one_cycle_rises_and_falls() -> None:
    assert one_cycle(0.0, 0.1) == pytest.approx(1 / 25)
    assert one_cycle(0.1, 0.1) == pytest.approx(1.0)
    assert one_cycle(0.55, 0.1) == pytest.approx(0.5 * (1 + 1 / 25_000))
    assert one_cycle(1.0, 0.1) == one_cycle(7.0, 0.1) == pytest.approx(1 / 25_000)
    assert one_cycle(0.0, 0.0) == 1.0
    assert all(one_cycle(i / 100, 0.1) < one_cycle((i + 1) / 100, 0.1) for i in range(10))
    with pytest.raises(ValueError, match=r"got 1\.0"):
        one_cycle(0.5, 1.0)


@pytest.mark.parametrize(("name", "rate"), [("train_dl3dv_base", 4e-4), ("finetune_dl3dv_latent_6view_ssim", 4e-5)])
def test_one_cycle_is_the_published_schedule(shared: Path, name: str, rate: float) -> None:
    golden = json.loads((shared / "golden" / "G5_info.json").read_text())["lr_schedule"][name]
    last = golden["total_steps"] - 1
    warmup = (golden["pct_start"] * golden["total_steps"] - 1) / last
    for step, (published, *_) in golden["step_to_lr_beta1_beta2"].items():
        assert rate * one_cycle(int(step) / last, warmup) == pytest.approx(published, rel=1e-6), step
