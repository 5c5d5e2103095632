"""Do the ns-* commands find their native libraries on a plain Debian? python scripts/native_libraries.py

Imports what the commands import, follows what each library that came from the environment needs, and names, with exit
status 1, those that neither the environment nor a plain Debian has (plain_debian_libraries.txt). The machine's own
libraries do not count: what is missed on a plain machine is found on one that has it, too. Linux only.
"""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

PLAIN = Path(__file__).with_name("plain_debian_libraries.txt")

# Runs by itself, so that only what the commands load is there.
LOAD = """
import importlib, json, sys

failures = {}
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        failures[module] = str(error)
with open("/proc/self/maps") as file:
    mapped = sorted({line.split(maxsplit=5)[5].strip() for line in file if ".so" in line})
print(json.dumps({"mapped": mapped, "failures": failures}))
"""


def command_modules() -> list[str]:
    """The modules behind nerfstudio's commands, and this package's that they load while they run."""
    commands = [entry for entry in distribution("nerfstudio").entry_points if entry.group == "console_scripts"]
    ours = ["tokengs_nerfstudio.configs", "tokengs_nerfstudio.dataparser"]
    return [*sorted({entry.module for entry in commands}), *ours, "numba", "torchvision"]


def load(modules: Iterable[str]) -> tuple[list[Path], dict[str, str]]:
    """Import `modules` in a process of its own; the native libraries loaded then, and why some could not be imported.

    Raises CalledProcessError where an import fails otherwise than by a module or a library that is not found.
    """
    command = [sys.executable, "-c", LOAD, *modules]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return [Path(path) for path in result["mapped"]], result["failures"]


def needed_and_named(library: Path) -> tuple[list[str], str]:
    """The names of the libraries that an ELF file needs, and the name by which others need it."""
    with library.open("rb") as file:
        dynamic = [segment for segment in ELFFile(file).iter_segments() if isinstance(segment, DynamicSegment)]
        # A tag gets its attribute, .needed or .soname, as it is read.
        tags: list[Any] = [tag for segment in dynamic for tag in segment.iter_tags()]
    named = [tag.soname for tag in tags if tag.entry.d_tag == "DT_SONAME"]
    return [tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"], named[0] if named else library.name


def missing_libraries(libraries: Iterable[Path], plain: Iterable[str]) -> dict[str, list[Path]]:
    """Names of libraries that neither `libraries` nor `plain` has, each with those of `libraries` that need it."""
    elf = {library: needed_and_named(library) for library in libraries}
    there = {name for _, name in elf.values()} | {library.name for library in elf} | set(plain)
    missing: dict[str, list[Path]] = {}
    for library, (needed, _) in elf.items():
        for name in needed:
            if name not in there:
                missing.setdefault(name, []).append(library)
    return missing


def plain_libraries(file: Path = PLAIN) -> set[str]:
    return {line for line in file.read_text().splitlines() if not line.startswith("#")}


def of_environment(libraries: Iterable[Path]) -> list[Path]:
    """Those of `libraries` that lie where packages are installed; not Python's own and not the machine's."""
    folders = {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")}
    return [library for library in libraries if not folders.isdisjoint(library.resolve().parents)]


def main() -> None:
    mapped, failures = load(command_modules())
    libraries = of_environment(mapped)
    lines = [f"{module} cannot be imported: {why}" for module, why in failures.items()]
    for name, needing in sorted(missing_libraries(libraries, plain_libraries()).items()):
        lines.append(f"{name} is not on a plain Debian; needed by {', '.join(map(str, needing))}")
    print("\n".join(lines) or f"{len(libraries)} native libraries of the environment have all they need")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
