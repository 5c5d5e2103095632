import json

import benchmark_rendering as benchmark


def test_the_committed_figures_keep_the_promise() -> None:
    committed = json.loads(benchmark.BASELINE.read_text())
    assert committed["figures"]["torch_over_numba"] >= benchmark.LEAST_OVER_TORCH
    assert benchmark.complaints(committed["figures"], committed["figures"], quiet=committed["machine"]["quiet"]) == []


def test_worse_figures_are_named() -> None:
    good = {"torch_over_numba": 100.0, "one_thread_over_several": 1.7, "alone_over_beside_torch": 1.0}
    assert benchmark.complaints(good, good, quiet=True) == []
    for name, value in [("torch_over_numba", 70.0), ("one_thread_over_several", 1.5), ("alone_over_beside_torch", 0.5)]:
        (complaint,) = benchmark.complaints({**good, name: value}, good, quiet=True)
        assert name in complaint
    assert benchmark.complaints({**good, "one_thread_over_several": 1.0}, good, quiet=False) == []


def test_a_case_renders_and_drops_its_gradients() -> None:
    case = benchmark.random_case(scenes=2, views=2, gaussians=50, size=16)
    case.step("numba")
    assert case.splats.means.grad is None
    assert benchmark.processor_seconds(case, "numba", 2) > 0
