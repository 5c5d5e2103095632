"""Settings and their ranges; that every number of every configuration has one."""

import math
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import tyro

from tokengs_nerfstudio.commands.capture import PackMeshes, Procedural
from tokengs_nerfstudio.commands.evaluating import Evaluating
from tokengs_nerfstudio.commands.export import Export
from tokengs_nerfstudio.commands.flow import FlowOptions
from tokengs_nerfstudio.commands.pose import Pose
from tokengs_nerfstudio.commands.pretraining import Pretraining
from tokengs_nerfstudio.commands.report import Report
from tokengs_nerfstudio.configs import tokengs, tokengs_pretrain
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.ranges import Ascending, Count, NotEmpty, Range, Share, check, check_value, hints_of
from tokengs_nerfstudio.many.options import Reconstructing

CONFIGURATIONS = {
    "ns-train tokengs": tokengs.config,
    "ns-train tokengs-pretrain": tokengs_pretrain.config,
    "tokengs-pretrain": Pretraining(Path("out"), steps=1),
    "tokengs-evaluate": Evaluating("captures", Path("data")),
    "tokengs-flow": FlowOptions(Path("run"), Path("out")),
    "tokengs-export": Export(Path("run"), Path("scene.ply")),
    "tokengs-pose": Pose(Path("photos")),
    "tokengs-report": Report((Path("run"),)),
    "tokengs-reconstruct": Reconstructing(captures=(Path("scene"),), out=Path("out")),
    "tokengs-capture procedural": Procedural(Path("out")),
    "tokengs-capture pack-meshes": PackMeshes(Path("in"), Path("out")),
    "weights": PRESETS["tiny"],
}


@dataclass(frozen=True)
class Inner:
    share: Share = 0.5
    pair: Annotated[tuple[Count, Count], Ascending()] = (1, 2)
    several: Annotated[tuple[Share, ...], NotEmpty()] = (0.1,)


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    count: Count | None = None
    kind: Literal["a", "b"] = "a"
    active: bool = True
    name: str = "x"
    file: Path = Path("x")


@pytest.mark.parametrize(
    ("range_", "inside", "outside", "said"),
    [
        (Range(0, 1), (0, 0.5, 1), (-1e-9, 1.1), "from 0 to 1"),
        (Range(0, above=True), (1e-300, 1e300), (0, -1), "above 0"),
        (Range(0, 1, below=True), (0, 0.99), (1,), "from 0 to below 1"),
        (Range(0, 1, above=True), (0.1, 1), (0,), "above 0 and at most 1"),
        (Range(2), (2, 10**400), (1,), "from 2"),
        (Range(high=3), (-5, 3), (4,), "at most 3"),
    ],
)
def test_what_lies_in_a_range_and_how_it_is_said(range_, inside, outside, said):
    assert all(value in range_ for value in inside)
    assert not any(value in range_ for value in (*outside, math.nan, math.inf, -math.inf))
    assert str(range_) == said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Outer(inner=Inner(share=math.nan)), r"inner\.share is nan; a finite number is needed"),
        (Outer(inner=Inner(share=1.5)), r"inner\.share is 1\.5; a number from 0 to 1 is needed"),
        (Outer(inner=Inner(share="0.5")), r"inner\.share is '0\.5'; a number is needed"),  # type: ignore[arg-type]
        (Outer(inner=Inner(share=True)), r"inner\.share is True; a number is needed"),
        (Outer(inner=Inner(pair=(2, 1))), r"inner\.pair is \(2, 1\); the values must ascend"),
        (Outer(inner=Inner(pair=(0, 1))), r"inner\.pair is \(0, 1\): one of its values is 0; a whole number from 1 is"),
        (Outer(inner=Inner(pair=(1,))), r"inner\.pair is \(1,\); 2 values are needed"),  # type: ignore[arg-type]
        (Outer(inner=Inner(several=())), r"inner\.several is empty"),
        (Outer(inner=Inner(several=3)), r"inner\.several is 3; several values are needed"),  # type: ignore[arg-type]
        (Outer(inner=3), r"inner is 3; a Inner is needed"),  # type: ignore[arg-type]
        (Outer(count=0), r"count is 0; a whole number from 1 is needed"),
        (Outer(count=1.5), r"count is 1\.5; a whole number is needed"),  # type: ignore[arg-type]
        (Outer(kind="c"), r"kind is 'c'; choose one of a, b"),  # type: ignore[arg-type]
        (Outer(active="False"), r"active is 'False'; True or False is needed"),  # type: ignore[arg-type]
        (Outer(name=3), r"name is 3; a text is needed"),  # type: ignore[arg-type]
        (Outer(file=3), r"file is 3; a path is needed"),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_with_a_setting_is_said_with_its_path(no_shape_checks, config, said):
    with pytest.raises(UserError, match=f"^{said}"):
        check(config)


def test_names_are_the_users():
    check(Outer(count=3))
    with pytest.raises(UserError, match=r"^--inner\.share is 2"):
        check(Outer(inner=Inner(share=2)), "--{}".format)
    with pytest.raises(UserError, match=r"^steps is -1; a whole number from 1"):
        check_value(-1, Count, "steps")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_defaults_are_in_their_ranges_and_every_number_has_one(name):
    check(CONFIGURATIONS[name])
    assert numbers_without_range(CONFIGURATIONS[name]) == []


def numbers_without_range(config: Any) -> list[str]:
    """The fields of a dataclass, and of this package's dataclasses in it, that take numbers and say no range.

    Those that no user can set, because tyro does not show them, may be without.
    """
    found = []
    for entry in fields(config):
        value, annotation = getattr(config, entry.name), hints_of(type(config))[entry.name]
        if tyro.conf.Suppress[int].__metadata__[0] in getattr(annotation, "__metadata__", ()):
            continue
        if is_dataclass(value) and type(value).__module__.startswith("tokengs_nerfstudio."):
            found += [f"{entry.name}.{inner}" for inner in numbers_without_range(value)]
        elif not says_ranges(annotation):
            found.append(entry.name)
    return found


def says_ranges(annotation: Any, bounded: bool = False) -> bool:
    """Whether every number in a type has a Range around it."""
    if annotation in (int, float):
        return bounded
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return says_ranges(arguments[0], any(isinstance(bound, Range) for bound in arguments[1:]))
    return get_origin(annotation) is Literal or all(says_ranges(inner) for inner in arguments)
