# Sourced by demo.sh and test.sh: makes .venv with the tested versions and puts it first on PATH.
# Quick when nothing changed since the last time.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "$1" >&2
    exit 1
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
    local python log=.venv/install.log
    python=$(find_python)
    echo "Making .venv with $("$python" --version); this downloads about 3 GB of packages the first time."
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
    install --no-deps --requirement .venv/packages.txt --editable . 2>"$log" ||
        { cat "$log" >&2; fail "The installation failed; its messages are above and in $log."; }
    .venv/bin/python -m tokengs_nerfstudio.late_imports >"$log"
    ln -sf "$(.venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')" .venv/bin/bundled-ffmpeg
    wanted_state >.venv/state
}

[ "$(cat .venv/state 2>/dev/null)" = "$(wanted_state)" ] || create_environment

export PATH="$PWD/.venv/bin:$PATH"
command -v ffmpeg >/dev/null || ln -sf bundled-ffmpeg .venv/bin/ffmpeg
