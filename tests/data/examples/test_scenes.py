import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig, SceneExamples
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource
from tokengs_nerfstudio.data.procedural.tracing import ProceduralScene

SHAPE = BatchShape(scenes=3, context=3, novel=2, shown=1, height=16, width=24)


def scenes(*seeds: int, frames: int = 9) -> list[ProceduralScene]:
    return [ProceduralScene(seed, frames, 20, 40) for seed in seeds]


@pytest.fixture(scope="module")
def captures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("captures")
    for number, frames in enumerate((7, 7, 7, 3)):
        scene = scenes(number, frames=frames)[0]
        write_nerfstudio_capture(folder / f"capture-{number}", scene.load(range(frames)))
    return folder


def same_cameras(c2w: torch.Tensor, scene) -> bool:
    """Whether all cameras [view 4 4] are the scene's."""
    apart = (c2w[:, None] - scene.c2w[None]).abs().amax((-1, -2))
    return bool((apart.amin(1) < 1e-4).all())


def test_views_come_from_one_stretch_of_a_scene_at_the_size_asked_for():
    source = SceneExamples(scenes(0, 1), scenes(2), min_gap=4, max_gap=5)
    assert isinstance(source, ExampleSource)
    example = source.draw(SHAPE, np.random.default_rng(0), 0.0)
    assert example.context.images.shape == (3, 3, 3, 16, 24)
    assert example.target.images.shape == (3, 3, 3, 16, 24)
    for context, target in zip(example.context.c2w, example.target.c2w):
        (scene,) = [scene for scene in source.scenes if same_cameras(context, scene)]
        assert same_cameras(target, scene)
        assert torch.equal(target[-1], context[0])
        places = [int((scene.c2w - c2w).abs().amax((-1, -2)).argmin()) for c2w in torch.cat([context, target[:-1]])]
        assert max(places) - min(places) <= 5
        assert len(set(places)) == 5


def test_batches_follow_from_the_generator_and_visit_all_scenes():
    source = SceneExamples(scenes(0, 1), scenes(2))
    first, again, other = (source.draw(SHAPE, np.random.default_rng(seed), 0.0) for seed in (1, 1, 2))
    assert torch.equal(first.target.images, again.target.images)
    assert not torch.equal(first.target.images, other.target.images)
    drawn = torch.cat([source.draw(SHAPE, np.random.default_rng(seed), 0.0).context.c2w for seed in range(4)])
    for scene in source.scenes:
        assert any(same_cameras(c2w, scene) for c2w in drawn)
    assert not any(same_cameras(c2w, source.kept_out[0]) for c2w in drawn)


def test_held_out_scenes_are_others_and_always_the_same():
    source = SceneExamples(scenes(0, 1), scenes(2))
    first, again = (source.held_out(SHAPE) for _ in range(2))
    assert torch.equal(first.target.images, again.target.images)
    assert all(same_cameras(c2w, source.kept_out[0]) for c2w in first.context.c2w)
    assert not torch.equal(first.context.images[0], first.context.images[1])


def test_a_folder_of_captures_is_a_source(captures, caplog):
    with caplog.at_level(logging.WARNING):
        source = CapturesConfig().source(captures, most_context=4)
    assert "fewer than 4 frames: capture-3" in caplog.text
    assert [scene.name for scene in source.kept_out] == ["capture-0"]
    assert [scene.name for scene in source.scenes] == ["capture-1", "capture-2"]
    network = PRESETS["tiny"]
    config = BatchConfig(scenes=2, side=32, context=(2, 4), late=2.0)
    example = Batches(source, network, config).batch(0, 0.0)
    centres = example.context.c2w[..., :3, 3]
    apart = (centres[:, :, None] - centres[:, None]).norm(dim=-1).flatten(1).amax(1)
    torch.testing.assert_close(apart, torch.ones_like(apart))
    assert example.target.depths is None


def test_what_is_no_folder_of_captures_says_so(captures, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no captures in .*: expected folders"):
        CapturesConfig().source(tmp_path, most_context=2)
    with pytest.raises(ValueError, match="0 scenes of at least 8 frames: two are needed"):
        CapturesConfig().source(captures, most_context=8)
    with pytest.raises(ValueError, match="hold_out is 1; a whole number from 2"):
        CapturesConfig(hold_out=1).source(captures, most_context=2)
    with pytest.raises(ValueError, match="min_gap is 5, larger than max_gap, which is 4"):
        CapturesConfig(min_gap=5, max_gap=4).source(captures, most_context=2)
