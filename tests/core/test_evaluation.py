"""Rendered beside true."""

from dataclasses import replace

import pytest
from made.scenes import arc_cameras, blobs, photos

from tokengs_nerfstudio.core.evaluation import score, shown, trivial_answers, view_psnr
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig, Views


def test_what_made_the_photos_scores_without_bound_and_less_where_they_differ() -> None:
    scene, views = blobs(), photos(blobs(), arc_cameras(3))
    assert view_psnr(scene, views, RenderConfig()).min() > 60
    off = replace(views, images=(views.images - 0.1).clamp(0, 1))
    assert view_psnr(scene, off, RenderConfig()).mean() == pytest.approx(20, abs=1)
    scores = score(shown(scene, views, RenderConfig()), off.images)
    assert scores.psnr.shape == scores.ssim.shape == (3,)
    assert set(scores.means()) - {"lpips"} == {"psnr", "ssim"}


def test_scenes_of_a_batch_are_scored_apart() -> None:
    views = Views.stack([photos(blobs(seed=seed), arc_cameras(2)) for seed in (1, 2)])
    found = view_psnr(Gaussians.stack([blobs(seed=1), blobs(seed=1)]), views, RenderConfig())
    assert found.shape == (2, 2)
    assert found[0].min() > 60 > 40 > found[1].max()


def test_the_renders_are_those_of_the_planes_given() -> None:
    views = photos(blobs(), arc_cameras(2))
    nothing = shown(blobs(), views, RenderConfig(near=50.0, background=0.25))
    assert (nothing == 0.25).all()


def test_trivial_answers_are_the_mean_and_the_nearest_photo() -> None:
    views = photos(blobs(), arc_cameras(5))
    known, asked = views.select([0, 4]), views.select([1])
    answers = trivial_answers(known, asked)
    nearest = -10 * (known.images[0] - asked.images[0]).square().mean().log10()
    assert answers["nearest photo"] == pytest.approx(float(nearest), abs=1e-4)
    mean = known.images.mean((0, 2, 3))[:, None, None]
    assert answers["mean colour"] == pytest.approx(
        float(-10 * (mean - asked.images[0]).square().mean().log10()), abs=1e-4
    )
