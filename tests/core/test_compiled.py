"""Threads, caches and machine code: what the speed of the CPU renderer rests on."""

import importlib
import platform
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from made.random_scenes import random_scene, trainable, weighted_sum

from tokengs_nerfstudio.core.compiled import _neighbours, compiling_seconds, kernels_first, njit, run, working_seconds
from tokengs_nerfstudio.core.rendering import render


@pytest.mark.usefixtures("threads")
def test_the_number_of_threads_changes_no_bit() -> None:
    results = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        scene, leaves = trainable(random_scene(3000, 70, 52, views=2, seed=1, size=(0.01, 0.1)))
        renders = render(*scene.arguments)
        weighted_sum(renders, torch.ones(2, 52, 70)).backward()
        results.append([renders.rgb, renders.alpha, renders.depth, *(leaf.grad for leaf in leaves)])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(other, results[0]))


@pytest.mark.usefixtures("threads")
def test_where_buffers_lie_changes_no_bit() -> None:
    torch.set_num_threads(1)
    scene = random_scene(1000, 70, 52, views=2, seed=1, size=(0.01, 0.1))
    random, between, found = np.random.default_rng(1), [], set()
    for _ in range(150):
        if random.random() < 0.5:  # moves what is allocated after it
            between = [*between[-random.integers(50) :], np.empty(random.integers(8, 30_000), np.uint8)]
        moved, leaves = trainable(scene)
        weighted_sum(render(*moved.arguments), torch.ones(2, 52, 70)).backward()
        found.add(b"".join(leaf.grad.numpy().tobytes() for leaf in leaves if leaf.grad is not None))
    assert len(found) == 1


@pytest.mark.usefixtures("threads")
def test_kernels_keep_their_threads_where_torch_has_one() -> None:
    torch.set_num_threads(2)
    tasks: set[int] = set()

    def kernel(task: int, of: int) -> None:
        tasks.add(of)

    def seen() -> tuple[int, set[int]]:
        tasks.clear()
        run(kernel, 100)
        return torch.get_num_threads(), set(tasks)

    several = seen()
    assert several[0] == 2
    with kernels_first():
        assert seen() == (1, several[1])
        with pytest.raises(ZeroDivisionError), kernels_first():
            1 / 0  # noqa: B018
        assert seen() == (1, several[1])
    assert seen() == several
    torch.set_num_threads(1)
    with kernels_first():
        assert seen() == (1, {1})


@pytest.mark.usefixtures("threads")
def test_callers_in_several_threads_do_not_disturb_each_other() -> None:
    torch.set_num_threads(2)
    scenes = [random_scene(500, 64, 48, seed=seed, size=(0.01, 0.1)) for seed in range(4)]
    expected = [render(*scene.arguments).rgb for scene in scenes]
    found: dict[int, list[torch.Tensor]] = {k: [] for k in range(len(scenes))}

    def draw(k: int) -> None:
        for _ in range(5):
            found[k].append(render(*scenes[k].arguments).rgb)

    callers = [threading.Thread(target=draw, args=(k,)) for k in range(len(scenes))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for k, pictures in found.items():
        assert len(pictures) == 5
        assert all(torch.equal(picture, expected[k]) for picture in pictures)


def test_importing_is_cheap_and_without_a_cache_folder_the_kernels_compile_anew() -> None:
    # Stands for a read-only installation of a user without a home; root may write anywhere, so it cannot be made here.
    code = """
import sys
import tokengs_nerfstudio.core.rendering
assert not {"numba", "gsplat"} & set(sys.modules)
import numba.core.caching
numba.core.caching.CacheImpl._locator_classes = []
from tokengs_nerfstudio.core.rendering import compositing_kernels
assert type(compositing_kernels.composite._cache).__name__ == "NullCache"
power, fraction = compositing_kernels.exp2(compositing_kernels.F(-1.7))
assert abs(power * fraction - 2**-1.7) < 1e-7
print("compiled")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "compiled", done.stderr


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 instructions")
@pytest.mark.parametrize("name", ["_blend", "_unblend"])
def test_the_hot_loops_are_vectorised(name: str) -> None:
    import numba

    from tokengs_nerfstudio.core.rendering import compositing_backward_kernels, compositing_kernels, raster_kernels

    bare = getattr(compositing_kernels if name == "_blend" else compositing_backward_kernels, name).py_func
    fresh = numba.njit(fastmath={"contract"}, error_model="numpy")(bare)  # numba cannot show code from its cache
    f = numba.float32
    fresh.compile((f[::1], *[numba.int64] * 3, numba.types.UniTuple(f, raster_kernels.RECORD), f))
    code = "".join(fresh.inspect_asm().values())
    packed = re.findall(r"\bv(?:mul|add|sub|fn?m(?:add|sub)\d+)ps\s.*[yz]mm", code)
    assert len(packed) >= 15, f"{name} is not vectorised by numba {numba.__version__}: renders would be 8 times slower"
    assert not re.findall(r"\bvp?(?:gather|scatter)", code)


def test_kernels_compile_anew_when_what_they_inline_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    ours = "from tokengs_nerfstudio.core.compiled import njit\n"
    entry = "from inlined_kernels import inlined\nentry = njit()(lambda x: inlined(x))\n"
    (tmp_path / "entry_kernels.py").write_text(ours + entry)

    def result_and_hits(added: int) -> tuple[int, int]:
        """As a process finds it that starts now."""
        (tmp_path / "inlined_kernels.py").write_text(f"{ours}inlined = njit(forceinline=True)(lambda x: x + {added})\n")
        _neighbours.cache_clear()
        for name in ("inlined_kernels", "entry_kernels"):
            sys.modules.pop(name, None)
        kernel = importlib.import_module("entry_kernels").entry
        return kernel(2), sum(kernel.stats.cache_hits.values())

    assert result_and_hits(1) == (3, 0)
    assert result_and_hits(1) == (3, 1)
    assert result_and_hits(100) == (102, 0)


def test_kernels_compile_without_a_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba.njit

    def refuse_cache(*, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(numba, "njit", refuse_cache)
    assert njit()(lambda x: x + 1)(2) == 3


def test_time_that_a_tuning_is_given_is_not_spent_on_compiling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    @njit()
    def kernel(values):
        total = values[0]
        for value in values:
            total += value * total
        return total

    began, working, compiling = time.perf_counter(), working_seconds(), compiling_seconds()
    kernel(np.ones(3, np.float32))
    passed, worked = time.perf_counter() - began, working_seconds() - working
    compiled = compiling_seconds() - compiling
    assert 0.02 < compiled <= passed
    assert worked == pytest.approx(passed - compiled, abs=1e-3)
    kernel(np.ones(5, np.float32))
    assert compiling_seconds() - compiling == compiled
