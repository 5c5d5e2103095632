"""What only a GPU can show, in one go: timings beside the paper's, tests with every gsplat, captures, a pretraining.

Every part runs in a process of its own with a share of the minutes, so that none of them can take the others' time or
their device; what fails is one line of the table. Needs no nerfstudio, tyro, beartype or network. Called by gpu.sh.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gpu_options import add_training_options, training_options
from gpu_table import Row, line_of, save, show

SCRIPTS = Path(__file__).resolve().parent
REPOSITORY = SCRIPTS.parent
SAMPLE = REPOSITORY / "tokengs_nerfstudio/samples/banana"
RENDERING = ["tests/core/rendering", "tests/core/tuning/test_densification.py"]
VERSIONS = """
import importlib.metadata as m, json, platform, torch
names = ("torch", "numpy", "numba", "einops", "jaxtyping", "safetensors")
print(json.dumps({
    "python": platform.python_version(), **{name: m.version(name) for name in names}, "cuda": torch.version.cuda,
    "card": torch.cuda.get_device_name() if torch.cuda.is_available() else "none (CPU)",
}))
"""
# What runs on the GPU has small work for processors, and other processes want them.
FEW = {"OMP_NUM_THREADS": "2"}
PARTS = ("timings", "tests", "captures", "pretraining")
# Seconds that are kept back for the table, and for a pretraining to evaluate and write its weights.
TABLE, FAREWELL = 5.0, 20.0


@dataclass(frozen=True)
class Gsplat:
    """A gsplat to work with: installed already, or in a folder of its own."""

    name: str
    folder: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        paths = [str(self.folder)] if self.folder else []
        paths += [str(REPOSITORY), str(SCRIPTS), os.environ.get("PYTHONPATH", "")]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


class Report:
    """The parts, the time they have, and their rows."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.options, self.scratch, self.rows = options, scratch, list[Row]()
        self._end = time.monotonic() + 60 * options.minutes - TABLE
        self.facts: dict[str, Any] = {"date": datetime.now(timezone.utc).isoformat(timespec="seconds")}

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    def run(self) -> None:
        """Every part that is asked for, in turn; what is known is saved after each, should somebody stop the whole."""
        versions, parts = self._installed(), self.options.parts
        newest = versions[-1]
        self._part("set-up", lambda: self._describe(newest))
        if "timings" in parts:
            self._part("timings", lambda: self._time(newest, self.left * 0.4))
        for gsplat in reversed(versions if "tests" in parts else []):
            all_of_them = gsplat is newest
            share = 0.5 if all_of_them else 0.3
            self._part("tests", lambda g=gsplat, a=all_of_them, s=share: self._test(g, a, self.left * s))
        if "captures" in parts:
            self._part("captures", lambda: self._reconstruct(newest, self.left * 0.6))
        if "pretraining" in parts:
            self._part("pretraining", lambda: self._pretrain(newest, self.left))

    def _part(self, name: str, part: Callable[[], None]) -> None:
        try:
            part()
        # Whatever it is: the other parts are still worth their minutes.
        except Exception as error:
            self.rows.append(Row(name, "the run-book itself", "failed", note=f"{type(error).__name__}: {error}"))
        save(self.rows, self.facts, self.options.output)

    def _installed(self) -> list[Gsplat]:
        """A folder for every wheel, the oldest version first; without wheels, what the machine has."""
        wheels = sorted(self.options.wheels.glob("gsplat-*.whl")) if self.options.wheels else []
        if self.options.wheels and not wheels:
            self.rows.append(
                Row("set-up", f"wheels in {self.options.wheels}", "failed", note="there is no gsplat-*.whl")
            )
        found = []
        for wheel in wheels:
            gsplat = Gsplat(f"gsplat {wheel.name.split('-')[1]}", self.scratch / wheel.stem)
            command = ["-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(gsplat.folder)]
            command.append(str(wheel))
            if self._run("set-up", gsplat.name, command, Gsplat(""), min(60.0, self.left)) is not None:
                found.append(gsplat)
        return found or [Gsplat("gsplat as installed")]

    def _describe(self, gsplat: Gsplat) -> None:
        printed = self._run("set-up", "versions", ["-c", VERSIONS], gsplat, min(60.0, self.left))
        self.facts |= json.loads(printed.splitlines()[-1]) if printed else {}
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        try:
            self.facts["nvidia-smi"] = subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            self.facts["nvidia-smi"] = "not there"

    def _test(self, gsplat: Gsplat, everything: bool, seconds: float) -> None:
        results = self.scratch / f"{gsplat.name}.jsonl"
        if self.options.dry_run:
            chosen = [f"tests/core/rendering/{name}.py" for name in ("test_gsplat", "test_gsplat_call")]
        else:
            chosen = ["-m", "gpu", *(gpu_tests() if everything else RENDERING)]
        command = ["-m", "pytest", "-p", "gpu_results", "-p", "no:cacheprovider", "-q", *chosen]
        more = {"GPU_RESULTS": str(results), "OMP_NUM_THREADS": "4"}  # the references' tensors are small
        self._run(f"tests, {gsplat.name}", "all of them", command, gsplat, seconds, more)
        tests = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        self.rows += [line_of(f"tests, {gsplat.name}", test) for test in tests]
        counts = Counter(test["outcome"] for test in tests)
        note = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        status = "ok" if counts["passed"] and not counts["failed"] else "failed"
        self.rows.append(Row(f"tests, {gsplat.name}", "how many", status, len(tests), note=note))

    def _time(self, gsplat: Gsplat, seconds: float) -> None:
        self._figures("timings", ["gpu_timings.py", *self._dry], gsplat, seconds)

    def _reconstruct(self, gsplat: Gsplat, seconds: float) -> None:
        command = ["gpu_captures.py", "--captures", *map(str, self.options.captures)]
        command += ["--seconds", *map(str, [4.0] if self.options.dry_run else self.options.seconds)]
        command += ["--device", "cpu", "--short-side", "64"] if self.options.dry_run else []
        self._figures("captures", command, gsplat, seconds)

    def _figures(self, part: str, command: list[str], gsplat: Gsplat, seconds: float) -> None:
        """The rows of a script that writes figures, as many as it comes to."""
        script, *rest = command
        results = self.scratch / f"{part}.jsonl"
        self._run(part, "all of them", [str(SCRIPTS / script), "--output", str(results), *rest], gsplat, seconds, FEW)
        lines = results.read_text().splitlines() if results.exists() else []
        for figure in map(json.loads, lines):
            if "message" in figure:
                self.rows.append(Row(part, figure["what"], "failed", note=figure["message"]))
            else:
                self.rows.append(Row(part, figure["what"], "ok", figure["value"], figure["unit"], figure["paper"]))

    def _pretrain(self, gsplat: Gsplat, seconds: float) -> None:
        training = 10.0 if self.options.dry_run else seconds - FAREWELL
        if training < 10.0:
            self.rows.append(Row("pretraining", self.options.preset, "skipped", note="no time is left for it"))
            return
        until = str(time.time() + training)
        command = [str(SCRIPTS / "gpu_pretraining.py"), "--output", str(self.options.output), "--until", until]
        command += [*training_options(self.options), *self._dry]
        printed = self._run("pretraining", self.options.preset, command, gsplat, seconds, FEW)
        if printed:
            for name, value in json.loads(printed.splitlines()[-1]).items():
                unit = {"seconds": "s", "held_out_psnr": "dB"}.get(name, "")
                what = f"{self.options.preset}: {name.replace('_', ' ')}"
                self.rows.append(Row("pretraining", what, "ok", value, unit))

    @property
    def _dry(self) -> list[str]:
        return ["--dry-run"] if self.options.dry_run else []

    def _run(
        self,
        part: str,
        what: str,
        command: Sequence[str],
        gsplat: Gsplat,
        seconds: float,
        more: dict[str, str] | None = None,
    ) -> str | None:
        """What `python command` prints; None, and a row that says why, where it fails or takes longer than it may."""
        begin = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *command], cwd=REPOSITORY, env=gsplat.environment | (more or {}), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            printed, _ = process.communicate(timeout=max(seconds, 1.0))
            problem = f"exit status {process.returncode}" if process.returncode else ""
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed, _ = process.communicate()
            problem = f"stopped after its {seconds:.0f} s"
        taken = time.monotonic() - begin
        note = f"{problem}; {printed.strip()[-1500:]}" if problem else ""
        self.rows.append(Row(part, what, "failed" if problem else "ok", taken, "s", note=note))
        print(f"{part}: {what}: {problem or 'ok'} after {taken:.0f} s", flush=True)
        return None if problem else printed


def gpu_tests() -> list[str]:
    """The files that hold tests for a GPU and need no nerfstudio: others may not even be read where that is missing."""
    files = [file for part in ("core", "data") for file in sorted((REPOSITORY / "tests" / part).rglob("test_*.py"))]
    return [str(file.relative_to(REPOSITORY)) for file in files if "mark.gpu" in file.read_text(encoding="utf-8")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="for everything; the last part takes what is left")
    parser.add_argument("--wheels", type=Path, help="folder of gsplat-*.whl; the newest one is used, all are tested")
    parser.add_argument("--output", type=Path, default=Path("gpu_output"), help="folder of the report and the weights")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS, help="what is done")
    parser.add_argument(
        "--captures", type=Path, nargs="+", default=[SAMPLE], help="what ours and gsplat's way are compared on"
    )
    parser.add_argument("--seconds", type=float, nargs="+", default=[20.0], help="each has on each of them")
    add_training_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="every part at small sizes on the CPU")
    options = parser.parse_args()
    if options.dry_run:
        options.batch, options.makers, options.preset = 2, 1, "tiny"
    options.output, options.wheels = options.output.resolve(), options.wheels and options.wheels.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        report = Report(options, Path(scratch))
        report.run()
    return show(report.rows, report.facts)


if __name__ == "__main__":
    raise SystemExit(main())
