import baselines
import benchmark_training as benchmark

from tokengs_nerfstudio.core import load_network


def test_the_committed_figures_keep_the_promise_and_worse_ones_are_named() -> None:
    """Ten scenes a second on two cores, where a scene takes some 50 ms to make and serves twice."""
    committed = baselines.read(benchmark.BASELINE)
    assert committed["step"] < 200 - 50 / 2
    assert benchmark.complaints(committed, committed) == []
    (complaint,) = benchmark.complaints(committed | {"step_over_products": 9.0}, committed)
    assert "step_over_products rose" in complaint


def test_every_part_is_measured() -> None:
    options = benchmark.BenchmarkTraining(scenes=1, side=16, repeats=1)
    figures = benchmark.measure(options)
    assert set(figures) == set(baselines.read(benchmark.BASELINE))
    assert min(figures.values()) >= 0
    # `tiny` at 64 px: 256 patches and 256 tokens of width 192 in 4 + 4 blocks and the surfaces, three times forward.
    assert 8e9 < 6 * benchmark.multiplications(load_network("tiny"), 64) < 10e9
