"""Presets of trainings: those of TokenGS (arXiv 2604.15239), and its finetuning for networks of other sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from tokengs_nerfstudio.core.checkpoint.loading import network_config
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.losses import LossConfig
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig

T = TypeVar("T", TrainingConfig, BatchConfig, CapturesConfig, ProceduralCurriculumConfig)

FINETUNINGS = {f"finetune-{views}view": views for views in (2, 4, 6)}
"""Presets that go on from trained weights, and their numbers of context views."""

RECIPES = ("base", "latent", "kubric", *FINETUNINGS)

_BASE_LOSS = LossConfig(rgb_norm="l2", ssim=0.2, visibility=1.0)
_LATENT_LOSS = LossConfig(rgb=0.8, rgb_norm="l1", ssim=0.2, visibility=1.0)
_ALL_GROWN = (0.0, 0.0)
# Longer side that photos are read with: images of 448 pixels lose nothing.
_PHOTOS = 960


@dataclass(frozen=True)
class Recipe:
    """What a preset says of a training: it takes the place of what is at its default."""

    architecture: str | None
    """a preset of networks; None for that of the weights to start from"""
    steps: int
    training: Mapping[str, Any]
    batches: Mapping[str, Any]
    captures: Mapping[str, Any]
    procedural: Mapping[str, Any]

    def applied(self, config: T) -> T:
        """One of a run's configurations with what the recipe says; what is not at its default stays."""
        known = {
            TrainingConfig: self.training,
            BatchConfig: self.batches,
            CapturesConfig: self.captures,
            ProceduralCurriculumConfig: self.procedural,
        }
        usual, changes = type(config)(), known[type(config)]
        unchanged = {
            entry.name for entry in fields(config) if getattr(config, entry.name) == getattr(usual, entry.name)
        }
        return replace(config, **{name: value for name, value in changes.items() if name in unchanged})


def recipe_of(preset: str | None, weights: str | None) -> Recipe | None:
    """The recipe of that name for a training that starts from `weights`; None where the preset is an architecture.

    UserError for a finetuning without weights, CheckpointError for weights that cannot be read.
    """
    if preset not in RECIPES:
        return None
    start = None if weights is None else network_config(weights)
    if preset in FINETUNINGS:
        if start is None:
            raise UserError(f"--preset {preset} goes on from weights: name them with --from")
        return _finetuning(FINETUNINGS[preset], start)
    if preset == "kubric":
        dynamic = start is None or start.time_channels > 0
        name = "kubric-dynamic" if dynamic else "kubric-static"
        return _published(name, 50_000, 400, 4e-5, views=(4, 4), loss=_LATENT_LOSS, easy=_ALL_GROWN)
    if preset == "latent":
        return _published("latent-4view", 150_000, 2_000, 4e-4, views=(4, 4), loss=_LATENT_LOSS)
    return _published("base", 150_000, 2_000, 4e-4, views=(4, 4), loss=_BASE_LOSS)


def _finetuning(context: int, start: NetworkConfig) -> Recipe:
    """10,000 steps at a tenth of the rates, 400 of them warm-up, always the same number of views, no easy scenes.

    Weights of the published width get 4,096 tokens and images of 256x448, as theirs have; others keep what they have.
    """
    views = (context, (10 if context == 6 else 8) - context)
    if start.width == PRESETS["base"].width:
        kind = "latent" if start.latents else "base"
        name = "locus-4view" if start.anchors else f"{kind}-{context}view"
        loss = _LATENT_LOSS if start.latents else _BASE_LOSS
        return _published(name, 10_000, 400, 4e-5, views, loss, _ALL_GROWN)
    usual = TrainingConfig()
    return Recipe(
        architecture=None,
        steps=10_000,
        training={
            "learning_rate": 0.1 * usual.learning_rate,
            "matrix_rate": 0.1 * usual.matrix_rate,
            "warmup": 400 / 10_000,
            "warmup_steps": 400,
        },
        batches={"context": (context, context), "novel": views[1]},
        captures={},
        procedural={"easy": _ALL_GROWN},
    )


def _published(
    architecture: str,
    steps: int,
    warmup: int,
    rate: float,
    views: tuple[int, int],
    loss: LossConfig,
    easy: tuple[float, float] = ProceduralCurriculumConfig().easy,
) -> Recipe:
    """AdamW alone, one cycle, 8 scenes a process; betas, weight decay, gradient clip and gaps are the usual ones."""
    context, novel = views
    return Recipe(
        architecture,
        steps,
        training={
            "learning_rate": rate,
            "matrix_rate": 0.0,
            "warmup": warmup / steps,
            "warmup_steps": warmup,
            "depth": 0.0,
            "loss": loss,
        },
        batches={
            "scenes": 8,
            "context": (context, context),
            "novel": novel,
            "shown": 0,
            "size": PRESETS[architecture].image_size,
        },
        captures={"max_size": _PHOTOS},
        procedural={"easy": easy},
    )
