import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys

import torch

from tokengs_nerfstudio.core.training.memory import keep_freed_memory

if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit("not glibc")


def step():
    blocks = [torch.ones(size * 1_000_000) for size in (8, 12, 10)]
    return sum(block.numel() for block in blocks)


for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    run = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True)
    if "not glibc" in run.stderr:
        pytest.skip("another C library")
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_a_step_gets_the_memory_of_the_step_before() -> None:
    assert faults("kept") < 0.1 * faults("usual")
