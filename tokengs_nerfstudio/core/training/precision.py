"""In which arithmetic encoder and decoder are trained."""

import time
from typing import Literal

import torch
from torch import Tensor

from tokengs_nerfstudio.core.network.tokengs import Precision

PrecisionChoice = Literal["auto", "fp32", "bf16"]

_SIZE, _RUNS, _WORTH_IT = 384, 16, 1.3


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
    return "bf16" if speedup_in_bf16() > _WORTH_IT else "fp32"


def speedup_in_bf16() -> float:
    """How many times faster than in fp32 a product of matrices is on the CPU, with torch's current number of threads.

    Of the fastest of a few products each, taken in turns: what else the machine does meets both alike.
    """
    exact = torch.ones(_SIZE, _SIZE)
    rough = exact.bfloat16()
    times = [(_product_seconds(exact), _product_seconds(rough)) for _ in range(_RUNS)]
    return min(of_exact for of_exact, _ in times) / min(of_rough for _, of_rough in times)


def _product_seconds(matrix: Tensor) -> float:
    start = time.perf_counter()
    torch.matmul(matrix, matrix)
    return time.perf_counter() - start
