"""Where training gets its examples from."""

from pathlib import Path

from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.mixture import MixtureExamples
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.source import ExampleSource


def source_of(
    folder: Path | None, procedural: ProceduralCurriculumConfig, captures: CapturesConfig, most_context: int
) -> ExampleSource:
    """The captures in `folder`, procedural scenes where there is none, or both where captures have but a share.

    Errors as in `CapturesConfig.source`.
    """
    if folder is None:
        return procedural.source()
    real = captures.source(folder, most_context)
    if captures.share == 1:
        return real
    return MixtureExamples((procedural.source(), real), (1 - captures.share, captures.share))
