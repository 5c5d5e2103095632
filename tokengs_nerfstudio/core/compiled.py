"""Compiled kernels and the threads they run on.

A plain pool instead of numba's `parallel=True`: OpenMP's pool would spin against torch's own, and numba's workqueue
aborts the process when two Python threads enter at once (a viewer beside a trainer). Here waiting threads sleep, and
any number of callers may come at the same time.
"""

import hashlib
import inspect
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from tokengs_nerfstudio.core.errors import UserError

# Tasks per thread: enough that a thread held up by other work on the machine does not hold up the rest for long.
_SHARES = 4

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_pool_size = 0
# numba's listener to its compiler, from the first kernel on.
_compiling: Any = None


class _Block(threading.local):
    """How many threads kernels have in a block of `kernels_first`, for the thread that it is in; 0 outside."""

    threads = 0


_block = _Block()


def _forget_pool() -> None:
    """A forked child has none of its parent's threads."""
    global _lock, _pool, _pool_size
    _lock, _pool, _pool_size = threading.Lock(), None, 0


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_pool)


def _pool_of(size: int) -> ThreadPoolExecutor:
    global _pool, _pool_size
    with _lock:
        if _pool is None or _pool_size < size:
            _pool, _pool_size = ThreadPoolExecutor(size, thread_name_prefix="render"), size
        return _pool


def njit(**options: Any) -> Callable[[Any], Any]:
    """numba.njit, with its `options`, for kernels that run without the GIL; cached where it may write to a folder.

    What kernels take from other files they take from `*_kernels.py` and `layout.py` beside their own: they are compiled
    anew when one of these changes. numba is imported by whoever defines kernels, not before.
    """
    import numba

    _listen()

    def compiled(function: Any) -> Any:
        # Import hooks that check types wrap functions; numba has to see the bare one.
        function = inspect.unwrap(function)
        try:
            kernel = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
        except RuntimeError:  # neither this folder, nor the user's, nor NUMBA_CACHE_DIR can be written
            return numba.njit(nogil=True, error_model="numpy", **options)(function)
        # numba looks at the kernel's own file alone, and would go on with the old code of what the kernel inlines.
        index = getattr(getattr(kernel, "_cache", None), "_cache_file", None)  # none with NUMBA_DISABLE_JIT
        if index is not None:
            index._source_stamp = index._source_stamp, _neighbours(Path(inspect.getfile(function)).parent)
        return kernel

    return compiled


def cuda_target() -> Any:
    """`numba.cuda`, whose kernels may call the functions of `njit`: these are compiled for the GPU as well.

    UserError where numba comes without it.
    """
    try:
        from numba import cuda
    except ImportError as error:
        raise UserError("this numba cannot compile for CUDA: pip install 'numba-cuda[cu12]' (or cu13)") from error
    return cuda


def cuda_kernel(function: Any) -> Any:
    """A CUDA kernel of numba; import hooks that check types wrap functions, and numba has to see the bare one."""
    return cuda_target().jit(inspect.unwrap(function))


@cache
def _neighbours(folder: Path) -> str:
    """A digest of the files in `folder` whose functions and constants end up in the machine code of kernels."""
    content = hashlib.sha256()
    for file in sorted([*folder.glob("*_kernels.py"), *folder.glob("layout.py")]):
        content.update(file.read_bytes())
    return content.hexdigest()


def _listen() -> None:
    global _compiling
    if _compiling is None:
        from numba.core import event

        _compiling = event.TimingListener()
        event.register("numba:compile", _compiling)


def compiling_seconds() -> float:
    """How long this process has compiled kernels for: a quarter of a minute where no earlier one left them in numba's
    cache, nothing afterwards."""
    return _compiling.duration if _compiling is not None and _compiling.done else 0.0


def working_seconds() -> float:
    """`time.perf_counter` without `compiling_seconds`, which come once on each machine and say nothing of a scene."""
    return time.perf_counter() - compiling_seconds()


@contextmanager
def kernels_first() -> Iterator[None]:
    """Kernels keep their threads in the block, and torch has one.

    For what is mostly kernels with small operations of torch between them: after each of these OpenMP's threads go on
    spinning, on the processors that kernels want next.
    """
    before, threads = _block.threads, torch.get_num_threads()
    _block.threads = before or threads
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _block.threads = before


def run(kernel: Callable[..., Any], units: int, *arguments: Any) -> None:
    """`kernel(task, tasks, *arguments)` for every task, on up to `torch.get_num_threads()` threads, the caller's too;
    in a block of `kernels_first` as many as there were before.

    `units` is how much there is to share out; with one thread the kernel is called once.
    """
    threads = min(_block.threads or torch.get_num_threads(), units)
    if threads <= 1:
        kernel(0, 1, *arguments)
        return
    tasks = min(units, threads * _SHARES)
    waiting = iter(range(tasks))  # next() on it is atomic under the GIL

    def work() -> None:
        for task in waiting:
            kernel(task, tasks, *arguments)

    pool = _pool_of(threads - 1)
    others = [pool.submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        if not other.cancel():  # never started: its share is done
            other.result()
