"""Memory of a training on the CPU: every step asks for the same blocks again, so none goes back in between."""

import ctypes
import sys

# mallopt's names for numbers, from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST_BLOCK, _NEVER = 1 << 30, (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Tell the allocator of this process to keep what is freed; whether it could be told (glibc only).

    Without it each block above some 100 KB comes fresh from the kernel in every step, a page fault for every 4 KB of
    it: 5,000 of them, 10 ms, in a step of `tiny`. One arena serves all threads, so that what one frees another can use.
    Call it before other threads start; the process then holds the most that it ever needed.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    settings = ((_MMAP_THRESHOLD, _LARGEST_BLOCK), (_TRIM_THRESHOLD, _NEVER), (_ARENA_MAX, 1))
    return all([mallopt(name, value) == 1 for name, value in settings])
