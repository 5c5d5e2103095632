from pathlib import Path

import pytest

from tokengs_nerfstudio.core.training import precision
from tokengs_nerfstudio.core.training.precision import chosen_precision, speedup_in_bf16


@pytest.mark.parametrize(("speedup", "expected"), [(10.0, "bf16"), (1.1, "fp32"), (0.5, "fp32")])
def test_auto_takes_bf16_where_it_clearly_pays(speedup: float, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "speedup_in_bf16", lambda: speedup)
    assert chosen_precision("auto", "cpu") == expected
    assert chosen_precision("auto", "cuda:0") == "fp32"
    assert [chosen_precision(name, "cpu") for name in ("fp32", "bf16")] == ["fp32", "bf16"]


def test_processors_with_amx_are_found() -> None:
    """And those that know no bf16 at all, where torch converts both matrices first."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    if not flags or ("avx512_bf16" in flags and "amx_bf16" not in flags):
        pytest.skip("the flags do not tell")
    assert chosen_precision("auto", "cpu") == ("bf16" if "amx_bf16" in flags else "fp32")
    assert speedup_in_bf16() > 0.0
