import baselines
import benchmark_scenes as benchmark
from made.meshes import small_sources


def test_a_worse_ratio_is_named() -> None:
    committed = baselines.read(benchmark.BASELINE)
    assert benchmark.complaints(committed, committed) == []
    worse = committed | {"solids_over_meshes": 0.5 * committed["solids_over_meshes"]}
    (complaint,) = benchmark.complaints(worse, committed)
    assert "solids_over_meshes fell" in complaint


def test_every_part_is_measured(tmp_path) -> None:
    figures = benchmark.measure(benchmark.Options(sources=small_sources(tmp_path), scenes=2, repeats=1))
    assert set(figures) == set(baselines.read(benchmark.BASELINE))
    assert min(figures.values()) > 0


def test_without_a_pack_nothing_is_measured_and_the_script_says_so(tmp_path, capsys) -> None:
    options = benchmark.Options(check=True, sources=benchmark.MeshSources(tmp_path / "gone.npz"))
    assert benchmark.main(options) == 0
    assert "not measured: there is no mesh pack" in capsys.readouterr().out
