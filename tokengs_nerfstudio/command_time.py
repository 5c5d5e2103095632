"""When the command at hand began: its time is counted from there, imports and reading included."""

import os
import sys
import time
from pathlib import Path


def seconds_before_now() -> float:
    """How long ago `ns-train` was started; 0 in a process that is something else, a notebook say, or is not told."""
    if not Path(sys.argv[0]).name.startswith("ns-train"):
        return 0.0
    try:
        after_the_name = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
        started = int(after_the_name.split()[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, AttributeError, ValueError):
        return 0.0
