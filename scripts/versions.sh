#!/usr/bin/env bash
# The fast tests on the oldest, the middle and the newest Python and torch that pyproject.toml allows, and a table of them.
# One environment after the other, each about 8 GB in a temporary folder and gone afterwards: needs three Pythons, PyPI, time.
# Arguments go to pytest: scripts/versions.sh tests/core. A Python that is not there is a failure. Logs of failures stay.
set -uo pipefail
cd "$(dirname "$0")/.."

newest=$(grep -o -E '"torch[<>=][^"]*"' pyproject.toml | tr -d '"')
pairs=("3.10 torch==2.4.*" "3.11 torch==2.7.*" "3.12 $newest")
folder=$(mktemp -d -t tokengs-versions-XXXXXX)
trap 'rm -rf "$folder"/3.*' EXIT
rows=() failed=0

row() { # row PYTHON TORCH PASSED SKIPPED FAILED SECONDS
    rows+=("$(printf '| %s | %s | %s | %s | %s | %s |' "$@")")
}

find_python() { # find_python 3.10: where that one is, on PATH or in pyenv's folder
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

install() { # install PYTHON ARGUMENTS...: with uv where it is, which takes a fraction of the time
    local python=$1
    shift
    if uv --version >/dev/null 2>&1; then
        uv pip install --python "$python" "$@"
    else
        "$python" -m pip install --disable-pip-version-check "$@"
    fi
}

create_environment() { # create_environment PYTHON TORCH FOLDER
    # torch brings its own list; of constraints.txt the rest is left, less two that nothing here uses (see environment.sh).
    "$1" -m venv "$3" &&
        install "$3/bin/python" "$2" torchvision &&
        grep -v -E '^(torch|torchvision|triton|sympy|nvidia-[a-z0-9-]*|pyliblzfse|opencv-python)==' constraints.txt \
            >"$3/packages.txt" &&
        install "$3/bin/python" --no-deps --requirement "$3/packages.txt" --editable . &&
        "$3/bin/python" -m tokengs_nerfstudio.late_imports
}

count() { # count WORD FILE: the number before it in pytest's last line, 0 where it is not there
    local found
    found=$(tail -n 1 "$2" | grep -o -E "[0-9]+ $1")
    echo "${found:-0}" | cut -d ' ' -f 1
}

try() { # try PYTHON TORCH ARGUMENTS...: one environment, its tests, its row
    local version=$1 torch=$2 environment=$folder/$1 log=$folder/tests-$1.log python begin status=0
    shift 2
    if ! python=$(find_python "$version"); then
        echo "Python $version: not on this machine, neither on PATH nor in pyenv"
        row "$version" "$torch" "no such Python" "" "" ""
        return 1
    fi
    echo "Python $version, $torch: making $environment ..."
    if ! create_environment "$python" "$torch" "$environment" >"$folder/install-$version.log" 2>&1; then
        tail -n 20 "$folder/install-$version.log"
        row "$version" "$torch" "no install" "" "" ""
        rm -rf "$environment"
        return 1
    fi
    torch=$("$environment/bin/python" -c 'import torch; print("torch", torch.__version__)')
    echo "Python $version, $torch: testing ..."
    begin=$SECONDS
    PATH="$environment/bin:$PATH" OMP_NUM_THREADS=1 nice -n 10 "$environment/bin/python" -m pytest -m "not slow" "$@" >"$log" 2>&1 || status=$?
    row "$version" "$torch" "$(count passed "$log")" "$(count skipped "$log")" "$(($(count failed "$log") + $(count error "$log")))" \
        $((SECONDS - begin))
    [ $status -eq 0 ] || tail -n 40 "$log"
    rm -rf "$environment"
    return $status
}

for pair in "${pairs[@]}"; do
    try "${pair%% *}" "${pair#* }" "$@" || failed=1
done
printf '%s\n' '| Python | torch | passed | skipped | failed | seconds |' '|---|---|---|---|---|---|' "${rows[@]}"
if [ $failed -eq 0 ]; then
    rm -rf "$folder"
else
    echo "not all of it held; what was said is in $folder" >&2
fi
exit $failed
