"""Where training gets its examples from."""

from collections.abc import Sequence
from pathlib import Path

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.mixture import MixtureExamples
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.source import ExampleSource


def source_of(
    roots: Sequence[Path],
    weights: Sequence[float],
    procedural: ProceduralCurriculumConfig,
    captures: CapturesConfig,
    most_context: int,
) -> ExampleSource:
    """The scenes below `roots`, procedural scenes where there is none, or both where `captures.share` is below 1.

    `weights` are how often a batch is of each root, relative to each other; none for all alike. Errors as in
    `CapturesConfig.source`; UserError for other numbers of weights than of roots.
    """
    if weights and len(weights) != len(roots):
        raise UserError(f"{len(roots)} folders of scenes need as many weights, got {len(weights)}")
    if not roots:
        return procedural.source()
    sources = [captures.source(root, most_context) for root in roots]
    real = sources[0] if len(sources) == 1 else MixtureExamples(sources, weights or [1.0] * len(sources))
    if captures.share == 1:
        return real
    return MixtureExamples((procedural.source(), real), (1 - captures.share, captures.share))
