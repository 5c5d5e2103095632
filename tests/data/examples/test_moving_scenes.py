import numpy as np
import pytest
import torch
from made.datasets import write_kubric

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.examples.moving_scenes import MovingExamples
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource
from tokengs_nerfstudio.data.kubric import kubric_scenes
from tokengs_nerfstudio.data.scene import MovingScene
from tokengs_nerfstudio.data.view_sampler import MomentSampler


@pytest.mark.parametrize(("context", "target"), [(1, 1), (2, 6), (4, 4), (6, 3)])
def test_moments_ascend_cameras_differ_and_targets_are_of_one_moment_between(context, target):
    cameras, moments, spans = 9, 24, set()
    for seed in range(60):
        found = MomentSampler(context, target).sample(cameras, moments, np.random.default_rng(seed))
        seen, when = (np.array(found.context) // moments, np.array(found.context) % moments)
        assert len(set(seen)) == context
        assert (np.diff(when) > 0).all()
        at = np.array(found.target) % moments
        assert (at == at[0]).all()
        assert context == 1 or when[0] <= at[0] <= when[-1]
        shared = min(context, target)
        assert (np.array(found.target)[:shared] // moments == seen[:shared]).all()
        assert len(set(found.target)) == target
        spans.add(int(when[-1] - when[0]))
    assert min(spans) >= context - 1
    assert context == 1 or max(spans) > 15


def test_too_few_cameras_or_moments_are_said():
    for cameras, moments in ((3, 24), (9, 3)):
        with pytest.raises(UserError, match=f"{cameras} cameras at {moments} moments cannot give 4 context views"):
            MomentSampler(4, 4).sample(cameras, moments, np.random.default_rng(0))


def test_a_kubric_folder_is_a_source_of_moving_examples(tmp_path):
    root = write_kubric(tmp_path, 3, cameras=4, moments=5, size=24)
    source = CapturesConfig(hold_out=2).source(root, most_context=4)
    assert isinstance(source, MovingExamples)
    assert isinstance(source, ExampleSource)
    assert isinstance(source.scenes[0], MovingScene)
    shape = BatchShape(2, 3, 2, 1, 16, 16)
    first, again = (source.draw(shape, np.random.default_rng(3), 0.0) for _ in range(2))
    assert torch.equal(first.target.images, again.target.images)
    assert first.context.images.shape == first.target.images.shape == (2, 3, 3, 16, 16)
    assert first.context.depths is not None
    assert first.context.times is not None
    assert first.target.times is not None
    assert (first.target.times == first.target.times[:, :1]).all()
    assert (first.context.times[:, 0] == 0).all()
    assert (first.context.times[:, -1] == 1).all()
    held_out = [kubric_scenes(root)[place] for place in (0, 2)]
    for scene, c2w in zip(held_out, source.held_out(shape).context.c2w):
        assert ((scene.c2w[None] - c2w[:, None]).abs().amax((-1, -2)).amin(1) < 1e-5).all()
