import importlib.util
import json
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "benchmark_network.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_network", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_plain_implementation_is_the_same_network(benchmark):
    network, context = benchmark.random_network().double(), benchmark.random_views(2, 32, 48)
    with torch.no_grad():
        plain, ours = benchmark.plain_forward(network, context), network.decode(network.encode(context))
    for name in ("means", "quats", "scales", "opacities", "colors"):
        torch.testing.assert_close(getattr(plain, name), getattr(ours, name), atol=1e-9, rtol=1e-9)


def test_keys_and_values_cost_their_own_bytes_whatever_the_depth(benchmark):
    context = benchmark.random_views(2, 32, 48)
    patches = 2 * 4 * 6
    with torch.no_grad():
        shallow, deep = benchmark.memory_bytes(context, 1), benchmark.memory_bytes(context, 3)
    assert shallow == deep == patches * 2 * 384 * 4


def test_worse_figures_are_named_and_equal_ones_pass(benchmark):
    committed = json.loads(benchmark.BASELINE.read_text())["figures"]
    assert committed["plain_over_ours"] >= 1
    assert committed["bf16_mean_error_of_scene"] < 0.01
    assert benchmark.complaints(committed, committed) == []
    worse = committed | {"plain_over_ours": 0.5, "memory_depth_12_over_depth_1": 12.0, "bf16_mean_error_of_scene": 0.1}
    found = " ".join(benchmark.complaints(worse, committed))
    assert "plain_over_ours fell" in found
    assert "memory_depth_12_over_depth_1 changed from 1.0 to 12.0" in found
    assert "10.00%" in found
