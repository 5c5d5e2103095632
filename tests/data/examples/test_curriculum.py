from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from made.meshes import small_sources

from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples.curriculum import EASY, Curriculum, ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources

SHAPE = BatchShape(scenes=1, context=2, novel=1, shown=0, height=8, width=8)


@dataclass
class Counted:
    """A source that counts what was asked of it."""

    drawn: list[float] = field(default_factory=list)

    def draw(self, shape: BatchShape, rng: np.random.Generator, progress: float) -> Example:
        self.drawn.append(progress)
        return self.held_out(shape)

    def held_out(self, shape: BatchShape) -> Example:
        views = Views(torch.zeros(1, 3, 3, 8, 8), torch.eye(4).expand(1, 3, 4, 4), torch.eye(3).expand(1, 3, 3, 3))
        return Example(views, views)


def test_easy_scenes_come_first_then_fewer_then_none():
    easy, usual = Counted(), Counted()
    curriculum: ExampleSource = Curriculum(easy, usual, only=0.3, none=0.5)
    rng = np.random.default_rng(0)
    for progress in np.linspace(0, 1, 201):
        curriculum.draw(SHAPE, rng, float(progress))
    assert len(easy.drawn) + len(usual.drawn) == 201
    assert min(usual.drawn) > 0.3
    assert max(easy.drawn) < 0.5
    early, late = (sum(low < at < low + 0.1 for at in easy.drawn) for low in (0.3, 0.4))
    assert early > late > 0


def test_held_out_scenes_are_the_usual_ones():
    """Fields of view tell the two kinds apart."""
    wide, narrow = ProceduralConfig(fov=(70.0, 75.0)), ProceduralConfig(fov=(16.0, 17.0))
    source = ProceduralCurriculumConfig(scenes=narrow, easy_scenes=wide).source()
    early = source.draw(SHAPE, np.random.default_rng(0), 0.0)
    assert float(early.target.intrinsics[0, 0, 0, 0]) < 8
    assert float(source.held_out(SHAPE).target.intrinsics[0, 0, 0, 0]) > 16


def test_easy_scenes_are_alike_in_size():
    assert EASY.fov[0] > ProceduralConfig().fov[0]
    assert EASY.fov[1] < ProceduralConfig().fov[1]


def sizes_of_worlds(source: ExampleSource, draws: int) -> set[int]:
    """How many scenes of two were of different worlds, over batches late in a run."""
    shape = BatchShape(scenes=2, context=2, novel=1, shown=0, height=8, width=8)
    counts = set()
    for first in range(0, 64 * draws, 64):
        context = source.draw(replace(shape, first=first), np.random.default_rng(first), 1.0).context
        counts.add(len({tuple(k) for k in context.intrinsics[:, 0, :2].flatten(1).tolist()}))
    return counts


def test_with_a_mesh_pack_scenes_of_meshes_come_beside_solids(tmp_path):
    sources = small_sources(tmp_path)
    meshes = MeshSceneConfig(sources)
    assert sizes_of_worlds(ProceduralCurriculumConfig(meshes=meshes, solids=0.0).source(), 4) == {1}
    assert sizes_of_worlds(ProceduralCurriculumConfig(meshes=meshes, solids=0.0, uses=1).source(), 4) == {2}
    assert sizes_of_worlds(ProceduralCurriculumConfig(meshes=meshes, solids=1.0).source(), 4) == {2}
    assert sizes_of_worlds(ProceduralCurriculumConfig(meshes=meshes, solids=0.5).source(), 12) == {1, 2}


def test_without_a_pack_all_scenes_are_of_solids():
    assert sizes_of_worlds(ProceduralCurriculumConfig(solids=0.0).source(), 4) == {2}


def test_what_is_wrong_with_files_is_said_before_the_first_step(tmp_path):
    gone = MeshSceneConfig(MeshSources(tmp_path / "gone.npz"))
    with pytest.raises(FileNotFoundError, match="no mesh pack"):
        ProceduralCurriculumConfig(meshes=gone).source()
    with pytest.raises(ValueError, match=r"solids is 1\.5; a number from 0 to 1"):
        ProceduralCurriculumConfig(solids=1.5).source()
