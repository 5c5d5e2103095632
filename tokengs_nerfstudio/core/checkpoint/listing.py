"""All weights that have a name, for those who choose: a list for Python, a text for terminals, a table for pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tokengs_nerfstudio.core.checkpoint.registry import PUBLISHED, fetched, shipped_weights

_SHIPPED_LICENCE = "Apache-2.0, as this package"


@dataclass(frozen=True)
class NamedWeights:
    """Weights by the name that `--pipeline.model.checkpoint` and `load_network` take."""

    name: str
    preset: str
    """settings that the file does not tell; that of shipped weights is said by their header"""
    about: str
    """what they were trained for"""
    address: str
    """URL, or the path of a shipped file"""
    size: str
    licence: str
    """what is stated, and where"""
    sha256: str | None = None
    """None where nobody has recorded it"""
    path: Path | None = None
    """the file on this machine; None for one that is still to be fetched"""


def named_weights() -> tuple[NamedWeights, ...]:
    """Shipped weights, then published ones; nothing is fetched."""
    shipped = [
        NamedWeights(
            name, name, "comes with the package", str(path), f"{path.stat().st_size * 1e-9:.2f} GB", _SHIPPED_LICENCE,
            path=path,
        )
        for name, path in shipped_weights().items()
    ]  # fmt: skip
    published = [
        NamedWeights(name, w.preset, w.about, w.address, w.size, w.licence, w.sha256, fetched(name, w))
        for name, w in PUBLISHED.items()
    ]
    return (*shipped, *published)


def as_text(weights: Iterable[NamedWeights]) -> str:
    """For a terminal: a paragraph for each, and every licence once, after those that it is about."""
    by_licence: dict[str, list[NamedWeights]] = {}
    for one in weights:
        by_licence.setdefault(one.licence, []).append(one)
    lines = []
    for licence, some in by_licence.items():
        for one in some:
            here = f"here: {one.path}" if one.path else "to be fetched"
            lines += [f"{one.name}: {one.about}", f"    preset {one.preset}, {one.size}, {here}"]
            lines += [] if one.path and str(one.path) == one.address else [f"    {one.address}"]
            lines += [f"    sha256 {one.sha256 or 'not recorded'}"] if one.path is None or one.sha256 else []
        lines += [f"  licence of {'these' if len(some) > 1 else some[0].name}: {licence}", ""]
    return "\n".join(lines)


def as_markdown(weights: Iterable[NamedWeights]) -> str:
    """For a page: a row for each of those that are fetched."""
    rows = ["| name | trained for | file, sha256 | size |", "|---|---|---|---|"]
    for one in weights:
        if one.address.startswith("http"):
            file = one.address.rpartition("/")[2]
            rows.append(
                f"| `{one.name}` | {one.about} (preset `{one.preset}`) | [{file}]({one.address}) "
                f"`{one.sha256 or 'not recorded'}` | {one.size} |"
            )
    return "\n".join(rows)
