import baselines
import benchmark_tuning as benchmark


def test_the_committed_ratios_keep_the_promise_and_worse_ones_are_named() -> None:
    committed = baselines.read(benchmark.BASELINE)
    assert committed["naive_over_as_shipped"] >= 2
    assert benchmark.complaints(committed, committed) == []
    (complaint,) = benchmark.complaints(committed | {"naive_over_as_shipped": 1.0}, committed)
    assert "naive_over_as_shipped fell" in complaint


def test_every_kind_of_step_is_measured() -> None:
    figures = benchmark.measure(benchmark.BenchmarkTuning(views=2, supervised_size=32, repeats=1))
    assert set(figures) == set(baselines.read(benchmark.BASELINE))
    assert min(figures.values()) > 0
