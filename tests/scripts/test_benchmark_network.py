import baselines
import benchmark_network as benchmark
import torch


def test_the_plain_implementation_is_the_same_network() -> None:
    network, context = benchmark.random_network().double(), benchmark.random_views(2, 32, 48)
    with torch.no_grad():
        plain, ours = benchmark.plain_forward(network, context), network.decode(network.encode(context))
    for name in ("means", "quats", "scales", "opacities", "colors"):
        torch.testing.assert_close(getattr(plain, name), getattr(ours, name), atol=1e-9, rtol=1e-9)


def test_keys_and_values_cost_their_own_bytes_whatever_the_depth() -> None:
    context = benchmark.random_views(2, 32, 48)
    patches = 2 * 4 * 6
    with torch.no_grad():
        shallow, deep = benchmark.memory_bytes(context, 1), benchmark.memory_bytes(context, 3)
    assert shallow == deep == patches * 2 * 384 * 4


def test_worse_figures_are_named_and_equal_ones_pass() -> None:
    committed = baselines.read(benchmark.BASELINE)
    assert committed["plain_over_ours"] >= 1
    assert committed["bf16_mean_error_of_scene"] < 0.01
    assert benchmark.complaints(committed, committed) == []
    worse = committed | {"plain_over_ours": 0.5, "memory_depth_12_over_depth_1": 12.0, "bf16_mean_error_of_scene": 0.1}
    found = " ".join(benchmark.complaints(worse, committed))
    assert "plain_over_ours fell" in found
    assert "memory_depth_12_over_depth_1 changed from 1.0 to 12.0" in found
    assert "10.00%" in found
