"""A Ray cluster of this machine alone, in a process of its own: it ends with whoever asked for it, however that ends.

On a busy machine Ray gives up its own start: within 15 s its agents, two processes that import Ray, have to answer, and
within half a minute the node. What it has started by then stays behind as long as the process that asked. So that
process is ours: it ends with a start that failed, which takes everything along, and the next try begins from nothing.

Most of what a process of Ray does at first is, where it is installed, to make a parser of addresses that nothing here
reads (rfc3987_syntax, by jsonschema): 1.4 of 2.5 processor seconds. The cluster is told that there is none. And workers
are as nice to others as we are, not by 15 more, by which they hardly begin beside other work.
"""

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_READY, _FAILED = "cluster ", "problem "
_TOO_SLOW = "timed out during startup"
_AS_WE_ARE = {"RAY_worker_niceness": "0"}
_UNWANTED = "rfc3987_syntax"
_STORE = 2**27
"""bytes of shared memory: nothing but names goes through it"""
_END = 20.0
"""seconds that a cluster has to end by itself"""


def keep_others_out() -> None:
    """Has clusters of this process, and what talks to them, ask for a token, unless the environment says otherwise.

    Ray looks at these variables when it is first imported.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ["RAY_AUTH_MODE"] == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


class OwnCluster:
    """A cluster that is there until `close`; RuntimeError where there is none after so many `seconds` of trying.

    `address` is where it answers.
    """

    def __init__(self, seconds: float) -> None:
        keep_others_out()
        self._folder = tempfile.TemporaryDirectory(prefix="tokengs-ray-")
        environment = os.environ | _AS_WE_ARE | {"PYTHONPATH": without_unwanted(Path(self._folder.name))}
        command, piped = [sys.executable, "-m", __name__], subprocess.PIPE
        end = time.monotonic() + seconds
        while True:
            self._process = subprocess.Popen(command, stdin=piped, stdout=piped, text=True, env=environment)
            said = self._said()
            if said.startswith(_READY):
                self.address = said.removeprefix(_READY)
                return
            self._end()
            if _TOO_SLOW not in said or time.monotonic() > end:
                self._folder.cleanup()
                raise RuntimeError(said.removeprefix(_FAILED) or "it ended without a word")

    def _said(self) -> str:
        lines = self._process.stdout or ()
        return next((line.strip() for line in lines if line.startswith((_READY, _FAILED))), "")

    def close(self) -> None:
        """End it."""
        self._end()
        self._folder.cleanup()

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def without_unwanted(folder: Path) -> str:
    """Where modules are looked for first, as PYTHONPATH says it: `folder`, in which the unwanted one is none."""
    (folder / f"{_UNWANTED}.py").write_text("raise ImportError\n")
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


def main() -> None:
    """Starts the cluster, says where it is, and keeps it until nobody can write to our standard input any more."""
    import ray

    options: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _STORE}
    try:
        ray.init(address="local", log_to_driver=False, configure_logging=False, **options)
    except Exception as error:  # Ray has no class of its own for what goes wrong here
        print(_FAILED + " ".join(str(error).split()), flush=True)
        return
    print(_READY + ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    main()
