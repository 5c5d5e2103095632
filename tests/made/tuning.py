"""Tunings in a line: configurations by the names of their settings, wherever these stand, and scenes that are ready."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.tuning.cameras import CameraVariables
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.photometry import Photometry
from tokengs_nerfstudio.core.types import Example, RenderConfig, Similarity, Views

USUAL = RenderConfig()
PHOTOMETRY = Photometry(ssim=0.2, rendering=USUAL, extent=2.0)


def still_cameras(views: Views) -> CameraVariables:
    return CameraVariables(views.c2w, 1.0, pose_rate=0.0, exposure_rate=0.0)


def changed(config: TuningConfig, **settings: Any) -> TuningConfig:
    """The configuration with some settings changed, `tokens_rate` being that of its part `tokens`.

    A setting without the name of its part is changed wherever there is one of that name.
    """
    parts = {entry.name: getattr(config, entry.name) for entry in fields(config)}
    nested = {name: part for name, part in parts.items() if is_dataclass(part)}
    for setting, value in settings.items():
        if setting in parts:
            parts[setting] = value
            continue
        owner, _, rest = setting.partition("_")
        owned = owner in nested and hasattr(nested[owner], rest)
        where = [owner] if owned else [name for name, part in nested.items() if hasattr(part, setting)]
        assert where, setting
        for name in where:
            parts[name] = replace(parts[name], **{rest if owned else setting: value})
    return TuningConfig(**parts)


def tuning_config(**settings: Any) -> TuningConfig:
    return changed(TuningConfig(), **settings)


FIXED = tuning_config(rule="steps", check_every=5, growth_every=10, levels=((0.0, 1.0),))
"""As many steps as are asked for, all of them at the photos' full size."""


def ready(context: Views, supervised: Views | None = None, times: tuple[float, ...] = ()) -> PreparedScene:
    """Views that are in the network's frame and of its size already."""
    return PreparedScene(Example(context, context if supervised is None else supervised), Similarity.identity(), times)
