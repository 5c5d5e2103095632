"""Presets that go on from trained weights for one number of views, as TokenGS (arXiv 2604.15239) does."""

from dataclasses import dataclass, replace
from typing import TypeVar

from tokengs_nerfstudio.commands.pretraining import FINETUNINGS, Pretraining
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig

T = TypeVar("T", TrainingConfig, BatchConfig, ProceduralCurriculumConfig)

STEPS, WARMUP_STEPS, RATE = 10_000, 400, 0.1


@dataclass(frozen=True)
class Views:
    """How many views a scene of a finetuning has."""

    context: int
    novel: int


VIEWS = {name: Views(context, (10 if context == 6 else 8) - context) for name, context in FINETUNINGS.items()}


def finetuned(options: Pretraining) -> Pretraining:
    """`options` with what its preset says, where that is a finetuning: a tenth of the usual rates, 400 steps of warm-up
    of 10,000, always the preset's number of context views, no easy scenes at first.

    What is not at its default stays as it is.
    """
    views = VIEWS.get(options.preset or "")
    if views is None:
        return options
    unknown = options.steps is None and options.hours is None
    usual = options.training
    training = _where_default(
        usual,
        learning_rate=RATE * usual.learning_rate,
        matrix_rate=RATE * usual.matrix_rate,
        warmup=WARMUP_STEPS / STEPS,
        warmup_steps=WARMUP_STEPS,
    )
    return replace(
        options,
        steps=STEPS if unknown else options.steps,
        training=training,
        batches=_where_default(options.batches, context=(views.context, views.context), novel=views.novel),
        procedural=_where_default(options.procedural, easy=(0.0, 0.0)),
    )


def _where_default(config: T, **changes: object) -> T:
    usual = type(config)()
    return replace(config, **{n: v for n, v in changes.items() if getattr(config, n) == getattr(usual, n)})
