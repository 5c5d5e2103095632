"""Masked pixels: no gradient, nothing that they show matters, neither to the loss nor to where Gaussians are put."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import PHOTOMETRY, USUAL, changed, ready, still_cameras, tuning_config

from tokengs_nerfstudio.core.geometry.resize import crop_and_resize, resized
from tokengs_nerfstudio.core.tuning.budget import seen_weights
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.seeds import dome, random_gaussians, replacements
from tokengs_nerfstudio.core.tuning.stages import Drawing
from tokengs_nerfstudio.core.tuning.supervision import Batch, Supervision
from tokengs_nerfstudio.core.tuning.whole import tune
from tokengs_nerfstudio.core.types import Gaussians, Views

CONFIG = tuning_config(
    space="tokens+gaussians", tokens_share=0.3, held_out_from=4, check_every=5, growth_every=5,
    levels=((0.0, 2.0), (0.5, 1.0)), max_gaussians=300,
)  # fmt: skip


def masked(views: Views, content: float, columns: slice = slice(0, 24)) -> Views:
    """The columns masked in every view, and painted over."""
    masks, images = torch.ones_like(views.images[:, :1]), views.images.clone()
    masks[..., columns] = 0
    images[..., columns] = content
    return replace(views, images=images, masks=masks)


def two_contents(count: int = 6) -> tuple[Views, Views, Views]:
    """Photos, and the same photos with different things behind the same mask."""
    views = photos(blobs(), arc_cameras(count), size=64)
    return views, masked(views, 0.0), masked(views, 1.0)


def gradients(splats: Gaussians, views: Views) -> tuple[dict[str, torch.Tensor], float]:
    leaves = splats.leaves()
    batch = Batch(views, torch.arange(views.num_views))
    photometry = replace(PHOTOMETRY, valid_share=Supervision(views, [], seed=0).valid_share)
    parts = photometry.backward(Drawing(lambda _: leaves, 2), batch, still_cameras(views))
    return {name: values.grad for name, values in leaves.tensors()}, float(parts["loss"])


def test_masked_pixels_have_no_gradient_whatever_they_show() -> None:
    _, dark, bright = two_contents(2)
    splats = blobs(40, seed=7)
    (first, loss), (second, again) = gradients(splats, dark), gradients(splats, bright)
    assert loss == again
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["colors"].abs().max() > 0
    # The fifth Gaussian is moved to where only masked pixels show it.
    hidden = replace(splats, means=splats.means.clone(), scales=splats.scales.clone())
    hidden.means[4], hidden.scales[4] = torch.tensor([-0.55, 0.0, 2.0]), 0.03
    assert seen_weights(hidden, replace(dark, masks=None), USUAL)[4] > 1
    assert seen_weights(hidden, dark, USUAL)[4] == 0
    slopes, _ = gradients(hidden, dark)
    assert all((slopes[name][4] == 0).all() for name in slopes)


def test_losses_are_means_over_valid_pixels() -> None:
    views = photos(blobs(), arc_cameras(2), size=64)
    halved = masked(views, 0.3, slice(0, 32))
    splats = blobs(40, seed=7)
    rendered = PHOTOMETRY.rendered(splats, views).rgb
    error = (rendered - views.images)[..., 32:]
    assert PHOTOMETRY.error(splats, halved) == pytest.approx(float(error.square().mean()), rel=1e-5)
    whole, half = gradients(splats, views)[1], gradients(splats, halved)[1]
    mirrored = replace(views, images=views.images, masks=torch.ones_like(views.images[:, :1]))
    assert gradients(splats, mirrored)[1] == whole
    assert 0.5 * whole < half < 2 * whole


def test_tuning_does_not_depend_on_what_is_masked() -> None:
    views, *painted = two_contents()
    ends = [tune(small_network(), ready(views, content), CONFIG, steps=30) for content in painted]
    plain = tune(small_network(), ready(views), CONFIG, steps=30)
    for name, values in ends[0].tensors():
        assert torch.equal(values, getattr(ends[1], name)), name
    assert not torch.equal(ends[0].means, plain.means)


@pytest.mark.parametrize("size", [(32, 32), (20, 27), (64, 64)])
def test_nothing_masked_shines_through_where_photos_become_smaller(size: tuple[int, int]) -> None:
    _, dark, bright = two_contents(1)
    for reduced in (resized, crop_and_resize):
        first, second = (reduced(views, *size) for views in (dark, bright))
        assert first.masks is not None
        assert first.masks.shape == (1, 1, *size)
        assert torch.equal(first.masks, second.masks)
        valid = first.masks.expand_as(first.images) > 0
        torch.testing.assert_close(first.images[valid], second.images[valid], atol=2e-3, rtol=0)
        assert float(first.masks.mean()) == pytest.approx(40 / 64, abs=0.1)
        assert set(first.masks.unique().tolist()) == {0.0, 1.0}


def test_no_seed_comes_from_a_masked_pixel() -> None:
    scene = blobs(1500)
    lost = replace(scene, means=scene.means - torch.tensor([0.0, 0.0, 9.0]))
    views, _, bright = two_contents(3)
    red = replace(
        bright, images=torch.where(bright.masks > 0, views.images * 0.1, torch.tensor([1.0, 0, 0])[:, None, None])
    )
    dropped, new = replacements(lost, red, USUAL, seed=0)
    assert dropped.all()
    assert new.count == lost.count
    assert (new.colors - torch.tensor([1.0, 0, 0])).abs().amax(-1).min() > 0.3
    assert (dome(red).colors - 0.05).abs().max() < 0.05
    assert (random_gaussians(red, 200, seed=0).colors - torch.tensor([1.0, 0, 0])).abs().amax(-1).min() > 0.3
    nothing = replace(red, masks=torch.zeros_like(red.masks))
    dropped, new = replacements(lost, nothing, USUAL, seed=0)
    assert not dropped.any()
    assert new.count == 0


def test_views_that_are_masked_wholly_are_neither_trained_on_nor_left_out() -> None:
    views = masked(photos(blobs(), arc_cameras(6)), 0.0, slice(0, 8))
    assert views.masks is not None
    views.masks[[1, 2, 3]] = 0
    assert Supervision(views, [5], seed=0).trained == [0, 4]
    tuning = SceneTuning(small_network(), ready(views), changed(CONFIG, held_out_from=3), steps=4)
    assert tuning.supervision.held_out[0] in (0, 4, 5)
    views.masks[:] = 0
    with pytest.raises(ValueError, match="masked out wholly"):
        SceneTuning(small_network(), ready(views), CONFIG, steps=4)
