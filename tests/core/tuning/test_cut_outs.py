"""Cut-out photos: an object and nothing around it, whatever is tuned; opaque photos are none of its business."""

from dataclasses import replace

import pytest
import torch
from made.cut_outs import ball, cut_out_views
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import PHOTOMETRY, still_cameras, tuning_config

from tokengs_nerfstudio.core.checkpoint import load_network
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import prepare
from tokengs_nerfstudio.core.reconstruct import reconstruct_scene
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.tuning.config import Space
from tokengs_nerfstudio.core.tuning.hull import Hull
from tokengs_nerfstudio.core.tuning.seeds import dome, random_gaussians, replacements
from tokengs_nerfstudio.core.tuning.stages import Drawing
from tokengs_nerfstudio.core.tuning.supervision import Batch, Supervision
from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig, Views


def around(views: Views, splats: Gaussians) -> tuple[float, float]:
    """Mean accumulation where the photos show nothing, and where they are opaque."""
    assert views.alphas is not None
    alpha = render_cameras(splats, views.cameras, RenderConfig(), depth=False).alpha
    return float(alpha[views.alphas < 0.01].mean()), float(alpha[views.alphas > 0.99].mean())


def wall(count: int = 400, distance: float = 2.5) -> Gaussians:
    """A grey shell around the ball and its cameras' near side: what was made of a grey background before."""
    generator = torch.Generator().manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    return replace(
        ball(count),
        means=distance * directions,
        scales=torch.full((count, 3), 0.3),
        colors=torch.full((count, 3), 0.5),
    )


def reconstructed(network: TokenGSNetwork, views: Views, space: Space, steps: int) -> Gaussians:
    """The world's Gaussians of views, three of them seen by the network; the feed-forward ones for no steps."""
    config = tuning_config(space=space, levels=((0.0, 1.0),), growth_every=10, rule="steps") if steps else None
    return reconstruct_scene(network, Example(views.select([0, 3, 6]), views), config, steps=steps).at()


@pytest.mark.parametrize(("space", "steps"), [("tokens", 0), ("tokens", 10), ("gaussians", 60), ("auto", 60)])
def test_there_is_nothing_around_the_object(space: Space, steps: int) -> None:
    network, views = load_network("tiny"), cut_out_views()
    outside, inside = around(views, reconstructed(network, views, space, steps))
    assert outside <= 0.05
    assert inside > 0.4 + 0.3 * (steps >= 30)


def test_photos_that_do_not_say_it_have_a_backdrop() -> None:
    views = cut_out_views()
    assert around(views, reconstructed(load_network("tiny"), replace(views, alphas=None), "tokens", 0))[0] > 0.5


def test_latents_learn_that_there_is_nothing() -> None:
    """Random weights of a network with a bottleneck: its splats are too large to keep to the object."""
    network, views = small_network(latents=16, latent_depth=1), cut_out_views()
    outside, _ = around(views, reconstructed(network, views, "latents", 40))
    assert outside < 0.5 * around(views, reconstructed(network, replace(views, alphas=None), "latents", 40))[0]


def test_the_feed_forward_result_keeps_to_the_hull() -> None:
    views, network = cut_out_views(), load_network("tiny")
    splats, hull = reconstructed(network, views, "tokens", 0), Hull.of(views)
    assert hull is not None
    assert hull.holds(splats, wholly=True).float().mean() > 0.9  # all of them before they were moved and rounded
    assert 1000 < splats.count < network.config.tokens * network.config.gaussians_per_token


def test_the_hull_is_where_every_photo_shows_something() -> None:
    views = cut_out_views()
    hull = Hull.of(views)
    assert hull is not None
    assert hull.inside(ball().means).all()
    assert not hull.inside(0.01 * views.c2w[:, :3, 3] + 1.5 * views.c2w[:, :3, 1]).any()
    assert hull.inside(wall().means).float().mean() < 0.2  # those right before one camera that no other sees
    assert hull.holds(replace(wall(), means=wall().means + 99)).all()  # none would be left
    large = replace(ball(), scales=torch.full((600, 3), 0.5))
    assert hull.holds(large).all()
    assert not torch.equal(hull.holds(large, wholly=True), hull.holds(large))
    assert Hull.of(replace(views, alphas=None)) is None
    assert Hull.of(replace(views, times=torch.linspace(0, 1, 10))) is None
    assert Hull.of(replace(views, times=torch.zeros(10))) is not None
    # What is masked is not known to be empty; one photo of ten that is wrong takes nothing away.
    masked = Hull.of(replace(views, masks=torch.zeros_like(views.alphas)))
    assert masked is not None
    assert masked.inside(wall().means).float().mean() > hull.inside(wall().means).float().mean() + 0.3
    alphas = views.alphas.clone()
    alphas[4] = 0
    wrong = Hull.of(replace(views, alphas=alphas))
    assert wrong is not None
    assert wrong.inside(ball().means).all()


def test_photos_and_renderings_are_compared_over_the_same_colour() -> None:
    views = cut_out_views(2)
    truth, seen = ball(), {}
    for color in (0.0, 0.5, 1.0):
        batch = Batch(views, torch.arange(2), torch.full((2, 3), color))
        seen[color] = PHOTOMETRY.backward(Drawing(lambda _: truth.leaves(), 2), batch, still_cameras(views))
        assert float(seen[color]["l1"]) < 1e-4
        assert float(seen[color]["opacity"]) < 1e-5
    grey = Gaussians.cat([truth, wall()])
    behind = {}
    for color in (0.0, 0.5):
        batch = Batch(views, torch.arange(2), torch.full((2, 3), color))
        behind[color] = PHOTOMETRY.backward(Drawing(lambda _: grey.leaves(), 2), batch, still_cameras(views))
    assert float(behind[0.0]["l1"]) > 3 * float(behind[0.5]["l1"])
    assert float(behind[0.5]["opacity"]) > 0.3
    assert PHOTOMETRY.error(grey, views) > 0.1 > 1e-3 > PHOTOMETRY.error(truth, views)
    assert PHOTOMETRY.error(grey, replace(views, alphas=None)) < 0.1 * PHOTOMETRY.error(grey, views)


def test_exposure_does_not_change_what_lies_behind() -> None:
    views = cut_out_views(2)
    cameras = still_cameras(views)
    gain = torch.tensor([1.5, 0.7])[:, None, None, None]
    cameras.exposed = lambda rgb, indices: rgb * gain + 0.1  # type: ignore[method-assign]
    empty = replace(ball(), opacities=torch.zeros(600))
    nothing = replace(views, images=torch.full_like(views.images, 0.5), alphas=torch.zeros_like(views.alphas))
    batch = Batch(nothing, torch.arange(2), torch.rand(2, 3))
    assert float(PHOTOMETRY.backward(Drawing(lambda _: empty.leaves(), 2), batch, cameras)["l1"]) < 1e-6


def test_backgrounds_change_from_step_to_step_and_go_on_after_a_pause() -> None:
    views = cut_out_views(4)
    supervision = Supervision(views, [], seed=3)
    first, second = (supervision.batch(2, 1.0).backgrounds for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first - second).abs().max() > 0.05
    again = Supervision(views, [], seed=0)
    again.load_state_dict(supervision.state_dict())
    ours, theirs = supervision.batch(2, 1.0), again.batch(2, 1.0)
    assert torch.equal(ours.backgrounds, theirs.backgrounds)
    assert torch.equal(ours.indices, theirs.indices)
    assert Supervision(replace(views, alphas=None), [], seed=3).batch(2, 1.0).backgrounds is None


def test_no_seed_comes_from_nothing_and_there_is_no_dome() -> None:
    views = cut_out_views(6)
    white = views.over(0.5, torch.ones(6, 3))
    lost = replace(blobs(2000), means=blobs(2000).means + 50)
    dropped, new = replacements(lost, white, RenderConfig(), seed=0)
    assert dropped.all()
    assert new.means.norm(dim=-1).max() < 3
    assert (new.colors - 1).abs().amax(-1).min() > 0.02
    impossible = Supervision(white, [], seed=0).impossible(ball())
    assert impossible is not None
    assert not impossible.any()
    assert replacements(ball(), white, RenderConfig(), seed=0, impossible=~impossible)[0].all()
    opaque = replace(white, alphas=None)
    assert replacements(lost, opaque, RenderConfig(), seed=0)[1].means.norm(dim=-1).max() > 20
    assert (dome(opaque).colors > 0.9).all()
    assert (random_gaussians(white, 200, seed=0).colors - 1).abs().amax(-1).min() > 0.02


def test_an_alpha_channel_that_is_opaque_changes_no_bit() -> None:
    views = photos(blobs(), arc_cameras(6))
    opaque = replace(views, alphas=torch.ones_like(views.images[:, :1]))
    network, config = small_network(), tuning_config(space="tokens+gaussians", tokens_share=0.5)
    plain, same = (reconstruct_scene(network, Example(v, v), config, steps=6).at() for v in (views, opaque))
    for name, values in plain.tensors():
        assert torch.equal(values, getattr(same, name)), name
    scene = prepare(network, Example(opaque, opaque))
    assert scene.example.context.alphas is None
    assert scene.example.target.alphas is None
    cut = cut_out_views()
    assert prepare(network, Example(cut.select([0, 1]), cut)).example.target.alphas is not None
