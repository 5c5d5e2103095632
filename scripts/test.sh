#!/usr/bin/env bash
# Everything that must hold before a change lands. Arguments go to pytest: scripts/test.sh tests/core -k cameras
# With --all every odd input of tests/cases is tried, else one of each kind.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

ruff check .
ruff format --check .
pyright
lint-imports
# Two at a time, whole files: tests of one file share captures, weights and finished runs. A thread each: threads of two
# processes that wait for their turn on the same processors take it from each other, and all takes twice the time.
OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile "$@"
