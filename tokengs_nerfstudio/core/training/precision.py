"""In which arithmetic encoder and decoder are trained."""

import time
from typing import Literal

import torch

from tokengs_nerfstudio.core.network.tokengs import Precision

PrecisionChoice = Literal["auto", "fp32", "bf16"]

_SIZE, _RUNS, _WORTH_IT = 384, 8, 1.3


def chosen_precision(choice: PrecisionChoice, device: str) -> Precision:
    """The arithmetic by name; "auto" is bf16 on CPUs that are clearly faster in it, and fp32 elsewhere.

    Whether a CPU is cannot be read off its flags: with AMX products in bf16 take an eighth of the time, with
    avx512_bf16 alone they take between half of it and, on Intel's Sapphire and Emerald Rapids, twice as much. So two
    products are timed, which takes some milliseconds.
    """
    if choice != "auto":
        return choice
    if torch.device(device).type != "cpu":
        return "fp32"
    return "bf16" if product_seconds(torch.float32) > _WORTH_IT * product_seconds(torch.bfloat16) else "fp32"


def product_seconds(dtype: torch.dtype) -> float:
    """What a product of matrices takes on the CPU, with torch's current number of threads: the fastest of a few."""
    left, right = torch.ones(_SIZE, _SIZE, dtype=dtype), torch.ones(_SIZE, _SIZE, dtype=dtype)
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - start)
    return min(times)
