#!/usr/bin/env bash
# Everything that only a GPU can show, in one go and one table: scripts/gpu.sh [--minutes N] [--wheels DIR] [--output DIR]
# Needs Python 3.10-3.12 with what `tokengs_nerfstudio.core` imports, rich and pytest (no environment.sh, no network).
# --dry-run tries every part at small sizes on the CPU. See scripts/gpu_report.py.
set -euo pipefail
here="$(dirname "${BASH_SOURCE[0]}")"
exec "${PYTHON:-python3}" "$here/gpu_report.py" "$@"
