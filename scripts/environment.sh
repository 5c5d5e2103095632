# Sourced by demo.sh and test.sh: makes .venv with the tested versions and puts it first on PATH.
# Quick when nothing changed since the last time.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "$1" >&2
    exit 1
}

tick() { # tick TITLE: the seconds gone by, every second on a terminal, else every ten
    local begin=$SECONDS
    while sleep 1; do
        if [ -t 1 ]; then
            printf '\r%s ... %d s' "$1" $((SECONDS - begin))
        elif (((SECONDS - begin) % 10 == 0)); then
            echo "$1 ... $((SECONDS - begin)) s"
        fi
    done
}

ticking=
trap 'kill $ticking 2>/dev/null || true' EXIT

timed() { # timed TITLE LOG COMMAND...: runs the command and says how long it takes; shows its messages if it fails
    local title=$1 log=$2 begin=$SECONDS status=0
    shift 2
    [ -t 1 ] || echo "$title ..."
    tick "$title" &
    ticking=$!
    "$@" >"$log" 2>&1 || status=$?
    kill $ticking
    wait $ticking 2>/dev/null || true
    [ ! -t 1 ] || printf '\r'
    if [ $status -ne 0 ]; then
        cat "$log" >&2
        fail "$title: this failed; its messages are above and in $log."
    fi
    echo "$title: $((SECONDS - begin)) s    "
}

find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3.10 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "No Python 3.10, 3.11 or 3.12 found on PATH. Install one of them and run this script again."
}

wanted_state() {
    cat pyproject.toml constraints.txt scripts/environment.sh | sha256sum | cut -d ' ' -f 1
}

create_environment() {
    local python
    python=$(find_python)
    rm -rf .venv
    if uv --version >/dev/null 2>&1; then
        uv venv --quiet --python "$python" .venv
        install() { VIRTUAL_ENV="$PWD/.venv" uv pip install --quiet "$@"; }
    else
        "$python" -m venv .venv
        install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"; }
    fi
    # The constraints are the whole list, so two that dependencies ask for can be left out: pyliblzfse wants a C compiler
    # and nothing here uses it; opencv-python puts a cv2 that needs OpenGL libraries over the headless one.
    grep -v -E '^(pyliblzfse|opencv-python)==' constraints.txt >.venv/packages.txt
    timed "making .venv with $("$python" --version); this downloads about 3 GB the first time" .venv/install.log \
        install --no-deps --requirement .venv/packages.txt --editable .
    .venv/bin/python -m tokengs_nerfstudio.late_imports >>.venv/install.log
    ln -sf "$(.venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')" .venv/bin/bundled-ffmpeg
    wanted_state >.venv/state
}

[ "$(cat .venv/state 2>/dev/null)" = "$(wanted_state)" ] || create_environment

export PATH="$PWD/.venv/bin:$PATH"
command -v ffmpeg >/dev/null || ln -sf bundled-ffmpeg .venv/bin/ffmpeg
