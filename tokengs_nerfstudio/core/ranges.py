"""What settings may be: ranges that stand in the types of their fields, and one walk that checks a whole configuration.

A field says its range as `rate: NotNegative = 0.1`, or `Annotated[float, Range(0, 1)]` for one of its own. A dataclass
whose fields depend on each other is `Related`: what is raised as it is made, tyro would tell without naming the flag.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints, runtime_checkable

from tokengs_nerfstudio.core.errors import UserError


@dataclass(frozen=True)
class Range:
    """The finite numbers from `low` to `high`, these two included unless `above` and `below` say otherwise."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, number: float) -> bool:
        if not isinstance(number, Integral) and not math.isfinite(number):
            return False
        high_enough = self.low < number if self.above else self.low <= number
        return high_enough and (number < self.high if self.below else number <= self.high)

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'from'} {self.low:.15g}" if math.isfinite(self.low) else ""
        high = f"{'below' if self.below else 'at most'} {self.high:.15g}" if math.isfinite(self.high) else ""
        both = f"{low} and {high}" if self.above and high else f"{low} to {'below ' * self.below}{self.high:.15g}"
        return both if low and high else low or high or "of any size"


@dataclass(frozen=True)
class Ascending:
    """Of a pair: the second is not smaller than the first. Of a longer tuple: each than the one before."""


@dataclass(frozen=True)
class NotEmpty:
    """Of a tuple: it has entries."""


@dataclass(frozen=True)
class NotAllZero:
    """Of shares: something is left of them."""


@runtime_checkable
class Related(Protocol):
    """A dataclass that `check` asks whether its fields agree, where each of them is in its range."""

    def contradiction(self) -> tuple[str, str] | None:
        """The field that is at odds with others and what is wrong with it, in words that go on after its name."""
        ...


Finite = Annotated[float, Range()]
NotNegative = Annotated[float, Range(0)]
Positive = Annotated[float, Range(0, above=True)]
Share = Annotated[float, Range(0, 1)]
Rate = Annotated[float, Range(0, 10)]
"""a learning rate; above ten nothing converges, and numbers overflow in the end"""
Weight = Annotated[float, Range(0, 10_000)]
"""of a part of a loss"""
Length = Annotated[float, Range(1e-12, 1e12)]
"""a factor on lengths: what float32 can square"""
Whole = Annotated[int, Range(0)]
Count = Annotated[int, Range(1)]
Seed = Annotated[int, Range(0, 2**32 - 1)]

Naming = Callable[[str], str]
"""`pipeline.model.num_tokens` to what a user knows it by."""


def check(config: Any, name: Naming = str) -> None:
    """UserError for the first setting of a dataclass, and of those in it, that is not what its type and range say.

    Numbers are finite, whole where the type is int; literals, texts, flags, tuples and parts are what they should be.
    Of dataclasses of other packages only floats are looked at, which have to be finite.
    """
    for path, complaint in _complaints(config, "", _package(type(config))):
        raise UserError(f"{name(path)} {complaint}")


def check_value(value: Any, annotation: Any, name: str) -> None:
    """The same for one value that is no field, `name` being the beginning of all paths in it."""
    for path, complaint in _complaint(value, annotation, name, _package(type(value))):
        raise UserError(f"{path} {complaint}")


def _complaints(config: Any, path: str, home: str) -> Iterator[tuple[str, str]]:
    hints = hints_of(type(config)) if _package(type(config)) == home else {}
    for entry in fields(config):
        inner = f"{path}.{entry.name}" if path else entry.name
        if not entry.name.startswith("_"):
            yield from _complaint(getattr(config, entry.name), hints.get(entry.name, Any), inner, home)
    found = config.contradiction() if hints and isinstance(config, Related) else None
    if found:
        yield f"{path}.{found[0]}" if path else found[0], found[1]


def _complaint(value: Any, annotation: Any, path: str, home: str) -> Iterator[tuple[str, str]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if is_dataclass(value) and not is_dataclass(annotation):  # one of several that could be chosen
        yield from _complaints(value, path, home)
    elif origin is Annotated:
        found = list(_complaint(value, arguments[0], path, home))
        yield from found or _out_of_bounds(value, arguments[1:], path)
    elif origin in (Union, UnionType):
        yield from _of_union(value, arguments, path, home)
    elif origin is Literal:
        if value not in arguments:
            yield path, f"is {value!r}; choose one of {', '.join(map(str, arguments))}"
    elif origin is tuple:
        yield from _of_tuple(value, arguments, path, home)
    elif is_dataclass(annotation):
        kind = annotation if isinstance(annotation, type) else type(annotation)
        if not isinstance(value, kind):
            yield path, f"is {value!r}; a {kind.__name__} is needed"
        else:
            yield from _complaints(value, path, home)
    else:
        yield from _of_plain(value, annotation, path)


def _of_union(value: Any, choices: tuple[Any, ...], path: str, home: str) -> Iterator[tuple[str, str]]:
    if value is None and NoneType in choices:
        return
    found = [list(_complaint(value, choice, path, home)) for choice in choices if choice is not NoneType]
    if all(found):
        yield from found[0]


def _of_tuple(value: Any, arguments: tuple[Any, ...], path: str, home: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, tuple | list):
        yield path, f"is {value!r}; several values are needed"
        return
    kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
    if len(kinds) != len(value):
        yield path, f"is {value!r}; {len(kinds)} values are needed"
        return
    for item, kind in zip(value, kinds):
        for _, complaint in _complaint(item, kind, path, home):
            yield path, f"is {value!r}: one of its values {complaint}"


def _of_plain(value: Any, annotation: Any, path: str) -> Iterator[tuple[str, str]]:
    known: dict[Any, tuple[Any, str]] = {
        bool: (bool, "True or False is needed"),
        int: (Integral, "a whole number is needed"),
        float: (Real, "a number is needed"),
        str: (str, "a text is needed"),
        Path: (str | Path, "a path is needed"),
    }
    kind, needed = known.get(annotation, (object, ""))
    if isinstance(value, float) and not math.isfinite(value):
        yield path, f"is {value!r}; a finite number is needed"
    elif not isinstance(value, kind) or (isinstance(value, bool) and annotation in (int, float)):
        yield path, f"is {value!r}; {needed}"


def _out_of_bounds(value: Any, bounds: tuple[Any, ...], path: str) -> Iterator[tuple[str, str]]:
    for bound in bounds:
        if isinstance(bound, Range) and value not in bound:
            yield path, f"is {value!r}; a {_kind_of(value)} {bound} is needed"
        elif isinstance(bound, NotEmpty) and not value:
            yield path, "is empty; at least one value is needed"
        elif isinstance(bound, NotAllZero) and not any(value):
            yield path, f"is {value!r}; not all of them may be 0"
        elif isinstance(bound, Ascending) and list(value) != sorted(value):
            yield path, f"is {value!r}; the values must ascend"


def _kind_of(number: Any) -> str:
    return "whole number" if isinstance(number, Integral) else "number"


@cache
def hints_of(kind: type) -> dict[str, Any]:
    """The types of all fields of a dataclass with what is annotated to them."""
    return get_type_hints(kind, include_extras=True)


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]
