"""Licences of everything constraints.txt names: python scripts/licences.py > docs/licences.md

As the packages installed here say it of themselves: by their metadata, else by the first words of their licence file.
Ends with status 1 where a package is not free software, copyleft or silent and NOTED does not say why it is there.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
_FREE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|0BSD|MPL|Mozilla|Public Domain|Unlicense|HPND|CC0", re.I
)
_NOT_FREE = re.compile(r"(?<!L)GPL|GNU General|proprietary|non-?commercial|cc-by-nc", re.I)

_SIGNS = {
    "MIT License": "MIT",
    "Apache License": "Apache-2.0",
    "Redistribution and use in source and binary forms": "BSD",
}

# Where metadata says nothing a reader could be content with, or wheels hold more than it says.
NOTED = {
    "dulwich": "either licence, as the user likes: Apache-2.0 will do",
    "imageio-ffmpeg": "the Python code; the ffmpeg in its wheels is GPL-3 and runs as a process of its own",
    "nuscenes-devkit": "for non-commercial use, says its metadata; its LICENSE.txt says Apache-2.0. nerfstudio asks "
    "for it; only its nuscenes dataparser imports it, nothing here does",
    "nvidia": "CUDA's libraries, redistributable under NVIDIA's terms; torch's wheels for CUDA ask for them, those for "
    "CPU do not",
    "pycolmap": "COLMAP's own code; the library in its wheels holds SuiteSparse, of which parts are LGPL and may be "
    "GPL. An optional extra, imported where photos are posed",
    "pymeshlab": "nerfstudio asks for it and imports it for meshes (`ns-export tsdf`, textures of `poisson`); of ours "
    "those two try it beforehand, in a process of its own",
}

# What lies in the package itself.
BUNDLED = (
    "npm's gsplat 1.2.9 (MIT) draws the pages of `tokengs-export`; its licence is at the head of "
    "`data/splat_files/page/gsplat.js` and in every page."
)


def locked() -> list[str]:
    """The packages of constraints.txt that belong on this platform and this Python."""
    lines = (line.strip() for line in CONSTRAINTS.read_text().splitlines())
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [one.name for one in wanted if one.marker is None or one.marker.evaluate()]


def licence(package: Distribution) -> str:
    """What a package says of its licence, in a few words; empty where it says nothing."""
    metadata = package.metadata
    said = (metadata["License-Expression"] or metadata["License"] or "").strip()
    if said and said not in ("UNKNOWN", "Dual License") and "\n" not in said and not said.startswith("Copyright"):
        return said
    classified = [c.split("::")[-1].strip() for c in metadata.get_all("Classifier") or [] if c.startswith("License ::")]
    return ", ".join(classified) or _first_words(package)


def _first_words(package: Distribution) -> str:
    for file in package.files or []:
        if re.search(r"dist-info/(.*/)?LICEN[CS]E", str(file)):
            words = " ".join(file.read_text().split())
            return next((name for sign, name in _SIGNS.items() if sign in words), words[:40])
    return ""


def askers(names: list[str]) -> dict[str, set[str]]:
    """For each package the installed ones that ask for it; ours is none of them."""
    found: dict[str, set[str]] = {name: set() for name in names}
    for package in distributions():
        who = package.metadata["Name"]
        for line in package.requires or []:
            requirement = Requirement(line)
            name = requirement.name.lower().replace("_", "-")
            if name in found and "extra" not in str(requirement.marker) and not who.startswith("tokengs"):
                found[name].add(who.lower())
    return found


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Name, version, licence and askers of every package that is installed here."""
    names = locked()
    behind = askers(names)
    for name in names:
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        yield name, package.version, licence(package), ", ".join(sorted(behind[name])[:3])


def note(name: str) -> str | None:
    """What is said of a package by its name or by its family's."""
    return NOTED.get(name, NOTED.get(name.split("-")[0]))


def main() -> int:
    """Print the page; the number of packages that want a note and have none decides the status."""
    table = list(rows())
    odd = [row for row in table if _NOT_FREE.search(row[2]) or not _FREE.search(row[2])]
    print("# Licences of what this package stands on\n")
    print(f"Made by `scripts/licences.py` from the {len(table)} packages of constraints.txt that are installed on a")
    print("Linux machine, all extras included. tokengs_nerfstudio itself is Apache-2.0;")
    print(f"it asks for those that nobody else does.\n\n{BUNDLED}\n\n## Not plainly free\n")
    print("| package | licence | asked for by | |\n|---|---|---|---|")
    for name, _, said, behind in (row for row in table if row in odd or row[0] in NOTED):
        print(f"| {name} | {said or 'says nothing'} | {behind} | {note(name) or '**?**'} |")
    print("\n## All\n\n| package | version | licence | asked for by |\n|---|---|---|---|")
    for row in table:
        print(f"| {' | '.join(row)} |")
    unexplained = [name for name, *_ in odd if note(name) is None]
    if unexplained:
        print(f"not free, copyleft or silent: {', '.join(unexplained)}", file=sys.stderr)
    return 1 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
