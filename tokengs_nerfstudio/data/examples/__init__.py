"""Where training gets its examples from."""

from pathlib import Path

from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.source import ExampleSource


def source_of(
    folder: Path | None, procedural: ProceduralCurriculumConfig, captures: CapturesConfig, most_context: int
) -> ExampleSource:
    """The captures in `folder`, or procedural scenes where there is none; errors as in `CapturesConfig.source`."""
    return procedural.source() if folder is None else captures.source(folder, most_context)
