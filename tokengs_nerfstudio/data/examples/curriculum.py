"""Easy scenes first: the network learns to place Gaussians before it learns how differently large scenes are."""

from dataclasses import dataclass, field
from typing import Annotated

from numpy.random import Generator

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.ranges import Ascending, Count, Share, check
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.mesh_scenes import MeshExamples
from tokengs_nerfstudio.data.examples.mixture import MixtureExamples
from tokengs_nerfstudio.data.examples.moving_meshes import MovingMeshExamples
from tokengs_nerfstudio.data.examples.procedural import ProceduralExamples
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import library_of

EASY = ProceduralConfig(
    fov=(34.0, 58.0), orbit_probability=0.8, forward_probability=0.1, orbit_span=(50.0, 160.0), elevation=(8.0, 45.0)
)


@dataclass(frozen=True)
class Curriculum:
    """A source that draws from an easy one at first and from the usual one in the end; held out is the usual one's."""

    easy: ExampleSource
    usual: ExampleSource
    only: float
    """share of the run up to which all batches are easy"""
    none: float
    """share of the run from which none is; they become ever fewer in between"""

    def draw(self, shape: BatchShape, rng: Generator, progress: float) -> Example:
        """As `ExampleSource.draw`."""
        share = min(max((self.none - progress) / max(self.none - self.only, 1e-9), 0.0), 1.0)
        source = self.easy if rng.random() < share else self.usual
        return source.draw(shape, rng, progress)

    def held_out(self, shape: BatchShape) -> Example:
        """As `ExampleSource.held_out`."""
        return self.usual.held_out(shape)


@dataclass(frozen=True)
class ProceduralCurriculumConfig:
    """Which procedural scenes a run draws."""

    scenes: ProceduralConfig = field(default_factory=ProceduralConfig)
    """scenes of solids, which need no files"""
    meshes: MeshSceneConfig = field(default_factory=MeshSceneConfig)
    """scenes of textured meshes; they are drawn where there is a mesh pack"""
    solids: Share = 0.15
    """share of the batches that are of solids where there is a mesh pack"""
    uses: Count = 2
    """examples that a traced scene of meshes serves, with other context and target views"""
    easy_scenes: ProceduralConfig = field(default_factory=lambda: EASY)
    """what is drawn at first: fields of view and camera paths alike in size"""
    easy: Annotated[tuple[Share, Share], Ascending()] = (0.35, 0.6)
    """only easy scenes up to the first share of the run, ever fewer batches of them up to the second"""

    def source(self) -> ExampleSource:
        """Where the batches come from; errors as in `library_of`."""
        check(self, "ProceduralCurriculumConfig.{}".format)
        usual: ExampleSource = ProceduralExamples(self.scenes)
        if self.meshes.sources.pack is not None:
            library_of(self.meshes.sources)  # what is wrong with the files is said before the first step
            usual = MixtureExamples((self._of_meshes(), usual), (1 - self.solids, self.solids))
        elif self.meshes.moving:
            raise UserError("scenes that move are of meshes: name a mesh pack, meshes.sources.pack")
        return Curriculum(ProceduralExamples(self.easy_scenes), usual, *self.easy)

    def _of_meshes(self) -> ExampleSource:
        still, moving = MeshExamples(self.meshes, self.uses), self.meshes.moving
        if not moving:
            return still
        return MixtureExamples((MovingMeshExamples(self.meshes, self.uses), still), (moving, 1 - moving))
