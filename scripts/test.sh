#!/usr/bin/env bash
# Everything that must hold before a change lands. Arguments go to pytest: scripts/test.sh tests/core -k cameras
# With --all every odd input of tests/cases is tried, else one of each kind.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

ruff check .
ruff format --check .
pyright
lint-imports
# Two at a time, whole files: tests of one file share captures, weights and finished runs.
pytest -n 2 --dist loadfile "$@"
