"""What is behind the Gaussians: the weights' grey, or the mean colour of the photos."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network
from made.training import SMALL, random_example, small_training
from made.tuning import ready, tuning_config

from tokengs_nerfstudio.core.checkpoint import load_network, save_network
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import predict, render_targets, scene_gradients
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.types import Example, RenderConfig, Views

PHOTOS = replace(SMALL, backdrop="photos")


def one_scene(count: int = 4) -> Example:
    views = photos(blobs(), arc_cameras(count), size=32)
    return Example(views, views)


def test_it_is_the_mean_of_the_context_photos() -> None:
    example = one_scene()
    background = PHOTOS.rendering(example).background
    torch.testing.assert_close(background, example.context.images.double().mean((0, 2, 3)).float())
    assert SMALL.rendering(example).background == 0.5
    batch = random_example(3)
    colors = PHOTOS.rendering(batch).background
    assert colors.shape == (3, 1, 3)
    torch.testing.assert_close(colors[:, 0], batch.context.images.mean((1, 3, 4)))


def test_masked_pixels_do_not_count() -> None:
    views = one_scene().context
    masks = torch.ones_like(views.images[:, :1])
    masks[..., :20] = 0
    painted = views.images.where(masks > 0, 1.0)
    example = Example(*2 * (replace(views, images=painted, masks=masks),))
    expected = views.images[..., 20:].mean((0, 2, 3))
    torch.testing.assert_close(PHOTOS.rendering(example).background, expected)


@pytest.mark.parametrize("which", ["context", "target"])
def test_cut_out_photos_keep_the_grey_that_they_show(which: str) -> None:
    example = one_scene()
    alphas = torch.zeros_like(example.context.images[:, :1])
    cut = replace(example, **{which: replace(getattr(example, which), alphas=alphas)})
    assert PHOTOS.rendering(cut).background == 0.5


def test_each_scene_of_a_batch_has_its_own() -> None:
    """A batch's pictures and gradients are those of its scenes one by one, however they are cut into pieces."""
    example, training = random_example(3), small_training(architecture=PHOTOS)
    network = training.network
    splats = predict(network, example)
    together = render_targets(splats, example, PHOTOS.rendering(example)).rgb
    for scene in range(3):
        alone = render_cameras(splats[scene], example[scene].target.cameras, PHOTOS.rendering(example[scene])).rgb
        torch.testing.assert_close(together[scene], alone)
    results = []
    for chunk in (1, 3):
        network.zero_grad(set_to_none=True)
        losses = scene_gradients(network, example, PHOTOS.rendering, TrainingConfig(chunk=chunk), 3)
        results.append((losses["loss"], [parameter.grad for parameter in network.parameters()]))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-4, atol=1e-6)


def test_tuning_compares_over_it_with_masks_too() -> None:
    network = small_network(backdrop="photos")
    views = one_scene().context
    masks = torch.ones_like(views.images[:, :1])
    masks[..., :8] = 0
    run = SceneTuning(network, ready(replace(views, masks=masks)), tuning_config(space="gaussians"), 3)
    torch.testing.assert_close(run.rendering.background, replace(views, masks=masks).mean_color)
    while not run.finished:
        assert torch.isfinite(torch.as_tensor(run.step()["loss"]))


def test_weights_remember_it(tmp_path) -> None:
    network = small_network(backdrop="photos")
    save_network(network, tmp_path / "own.safetensors")
    assert load_network(tmp_path / "own.safetensors").config.backdrop == "photos"


def test_settings_come_back_from_numbers() -> None:
    for config in (RenderConfig(0.1, 9.0, 0.25, True), RenderConfig(0.1, 9.0, torch.tensor([0.1, 0.2, 0.3]))):
        again = RenderConfig.of_numbers(config.as_numbers())
        assert again.as_numbers() == config.as_numbers()
        assert type(again.background) is type(config.background)


def test_views_without_a_batch_and_with_several_axes() -> None:
    images = torch.rand(2, 3, 4, 3, 8, 8)
    cameras = torch.eye(4).expand(2, 3, 4, 4, 4), torch.eye(3).expand(2, 3, 4, 3, 3)
    assert Views(images, *cameras).mean_color.shape == (2, 3, 1, 3)
