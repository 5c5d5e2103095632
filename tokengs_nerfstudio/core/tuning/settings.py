"""Settings by their paths, `gaussians.reseed`: what differs between two configurations, and one with some changed."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

Config = TypeVar("Config")


def differences(before: Any, after: Any, path: str = "") -> dict[str, Any]:
    """The settings of `after` that `before`, of the same class, has otherwise, those of their parts among them."""
    found: dict[str, Any] = {}
    for entry in fields(before):
        old, new = getattr(before, entry.name), getattr(after, entry.name)
        name = f"{path}{entry.name}"
        if is_dataclass(old):
            found |= differences(old, new, f"{name}.")
        elif old != new:
            found[name] = new
    return found


def with_settings(config: Config, settings: Mapping[str, Any]) -> Config:
    """A configuration in which some settings are others; the configuration itself stays as it is."""
    changed: dict[str, Any] = {}
    for path, value in settings.items():
        name, _, inner = path.partition(".")
        part = changed.get(name, getattr(config, name))
        changed[name] = with_settings(part, {inner: value}) if inner else value
    return replace(config, **changed)  # type: ignore[type-var]
