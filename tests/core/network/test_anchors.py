from dataclasses import replace

import pytest
import torch
from made.training import SMALL, random_example

from tokengs_nerfstudio.core.network import attention
from tokengs_nerfstudio.core.network.anchors import (
    Anchors,
    BoundedAnchors,
    near_squared_distances,
    position_channels,
    ray_bias,
    shrunk,
    squared_distances,
    squashed,
    stretched,
)
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.initial import SCRATCH, initial_values
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

FORMS = [{}, {"bounded": True}]


def anchored(randomised, **changes) -> TokenGSNetwork:
    return randomised(TokenGSNetwork(replace(SMALL, anchors=True, decoder_depth=2, **changes)))


def lines(count: int) -> torch.Tensor:
    origins, ends = torch.randn(2, 2, count, 3, dtype=torch.float64)
    directions = torch.nn.functional.normalize(ends, dim=-1)
    return torch.cat([torch.linalg.cross(origins, directions), directions], dim=-1)


def test_stretching_keeps_its_slope_at_zero_and_ends_finite():
    x = torch.tensor([-1e4, -0.3, 0.0, 0.3, 1e4], requires_grad=True)
    y = stretched(x)
    torch.testing.assert_close(y, torch.tensor([-1000.0, -0.3498588, 0.0, 0.3498588, 1000.0]))
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0], torch.tensor([0.0, 1.3498588, 1.0, 1.3498588, 0.0]))
    torch.testing.assert_close(shrunk(y[1:4]), x[1:4])


def test_squashing_is_smooth_and_below_one():
    x = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    y = squashed(x)
    assert torch.equal(y[x.abs() <= 0.5], x[x.abs() <= 0.5])
    assert float(y.abs().max()) < 1.0
    slopes = y.diff() / x.diff()
    assert float(slopes.min()) > 0.0
    assert float(slopes.diff().abs().max()) < 2e-3


def test_distances_are_those_between_points_and_lines():
    rays, points = lines(20), torch.randn(2, 7, 3, dtype=torch.float64)
    along = torch.linalg.cross(rays[..., 3:], rays[..., :3])  # the point of each line that is nearest the origin
    offset = points[:, :, None] - along[:, None]
    across = offset - (offset * rays[:, None, :, 3:]).sum(-1, keepdim=True) * rays[:, None, :, 3:]
    expected = across.square().sum(-1)
    torch.testing.assert_close(squared_distances(points, rays), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(near_squared_distances(points, rays), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("far", "tolerance"), [(7.9, 0.02), (300.0, 2e-3)])
def test_rounding_of_the_bias_stays_small(far, tolerance):
    """Anchors on their rays, where the bias matters most."""
    rays = lines(50)
    along = torch.linalg.cross(rays[..., 3:], rays[..., :3])
    points = along + rays[..., 3:]
    points = points * (far / points.abs().amax(-1, keepdim=True))
    shift = points - along
    across = shift - (shift * rays[..., 3:]).sum(-1, keepdim=True) * rays[..., 3:]
    points = points - across + 0.01
    exact = Anchors(points, torch.zeros(2, 50, 1, dtype=torch.float64))
    rough = ray_bias(exact.to(torch.float32), rays.float())
    expected = ray_bias(exact, rays)
    assert float(expected.diagonal(dim1=1, dim2=2).min()) > -1.0
    torch.testing.assert_close(rough.double(), expected, atol=tolerance, rtol=0)


def test_the_bias_is_that_of_its_formula():
    anchors = Anchors(torch.tensor([[[0.0, 0.0, 2.0]] * 3]), torch.tensor([[[-20.0], [0.5413249], [9.0]]]))
    ray = torch.tensor([[[0.0, 0.0, 0.0, 0.0, 0.6, 0.8]]])  # through the origin; 1.2 from the anchors
    torch.testing.assert_close(anchors.radii[0, :, 0], torch.tensor([1e-3, 1.0, 9.0001234]))
    expected = torch.tensor([-20.0, -20.0, -1.44 / (2 * 0.81002222)])
    torch.testing.assert_close(ray_bias(anchors, ray)[0, :, 0], expected)


def test_position_channels_take_turns():
    channels = position_channels(torch.tensor([[[0.0, 0.5, -100.0]]]))[0, 0].view(3, 64, 2)
    angles = torch.pi * (torch.tensor([0.0, 0.5, -100.0]).tanh() + 1)
    torch.testing.assert_close(channels[:, 0, 0], (angles / (1 + 1e-6)).sin(), atol=1e-6, rtol=0)
    torch.testing.assert_close(channels[:, 32, 1], (angles / (100 + 1e-6)).cos(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [1.0, 10.0, 1e6])
def test_bounded_anchors_and_gaussians_stay_within_reach(size):
    anchors = BoundedAnchors(size * torch.randn(2, 5, 3), size * torch.randn(2, 5, 1), z_offset=1.5, far=50.0)
    for _ in range(20):
        anchors = anchors.moved(size * torch.randn(2, 5, 3), size * torch.randn(2, 5, 1))
    middle = torch.tensor([0.0, 0.0, 1.5])
    assert float((anchors.centers - middle).abs().max()) <= 50.0 * (1 + 1e-5)
    assert float((anchors.around(size * torch.randn(2, 5, 4, 3)) - middle).abs().max()) <= 50.0 * (1 + 1e-5)
    assert float(anchors.radii.max()) <= torch.tensor(51.0).log()
    assert ray_bias(anchors, lines(6).float()).isfinite().all()


def test_bounded_gaussians_stay_within_the_radius_before_stretching():
    anchors = BoundedAnchors(torch.tensor([[[0.3, -0.2, 0.5]]]), torch.tensor([[[-1.0]]]), z_offset=1.0)
    placed = anchors.around(1e3 * torch.randn(1, 1, 100, 3)) - torch.tensor([0.0, 0.0, 1.0])
    offsets = shrunk(placed) - anchors.positions[:, :, None]
    torch.testing.assert_close(offsets.abs().max(), anchors.radii.max(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_every_parameter_learns(form, randomised):
    network = anchored(randomised, **form)
    stages = network(random_example().context, after=(1, 2))
    sum(values.square().sum() for _, values in stages.tensors()).backward()
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("form", FORMS)
def test_updates_that_start_at_zero_still_learn(form):
    network = TokenGSNetwork(replace(SMALL, anchors=True, **form), initial=replace(SCRATCH, update_scale=0.0))
    network(random_example().context).means.square().sum().backward()
    assert float(network.anchors.move.contract.weight.grad.abs().max()) > 0
    assert float(network.anchors.widen.contract.weight.grad.abs().max()) > 0


@pytest.mark.parametrize("form", FORMS)
def test_both_forms_start_alike(form):
    torch.manual_seed(1)
    network = TokenGSNetwork(replace(SMALL, anchors=True, tokens=4000, z_offset=0.7, **form), initial=SCRATCH)
    start = network.anchors.begin(2)
    torch.testing.assert_close(start.centers[1].mean(0), torch.tensor([0.0, 0.0, 0.7]), atol=0.06, rtol=0)
    torch.testing.assert_close(start.centers[1].std(0), torch.ones(3), atol=0.05, rtol=0)
    torch.testing.assert_close(start.radii, torch.ones(2, 4000, 1))
    bound = 0.1 * SMALL.width**-0.5
    assert 0.8 * bound < float(network.anchors.move.contract.weight.abs().max()) <= bound


def test_published_anchors_start_with_whole_updates():
    assert initial_values("locus").update_scale == 1.0
    assert initial_values("locus-4view").decoder_scale == 5e-5
    assert initial_values("tiny-bounded") == SCRATCH


@pytest.mark.parametrize("form", FORMS)
def test_geometry_keeps_its_precision_under_bfloat16(form, randomised):
    """The first block's bias depends on nothing but geometry: under bfloat16 it is the same to the last bit."""
    network, views = anchored(randomised, **form), random_example().context
    heard = []
    network.decoder[0].cross_attention.register_forward_pre_hook(lambda module, given: heard.append(given[2].detach()))
    with torch.no_grad():
        exact = network(views)
        network.precision = "bf16"
        rough = network(views)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            surrounded = network(views)
    assert torch.equal(heard[0], heard[1])
    assert torch.equal(heard[0], heard[2])
    extent = exact.means.flatten(0, 1).std(dim=0).norm()
    for other in (rough, surrounded):
        assert other.means.dtype == torch.float32
        assert 0 < (other.means - exact.means).norm(dim=-1).mean() < 0.1 * extent


def test_attention_is_the_same_with_and_without_gradient(randomised):
    network, views = anchored(randomised).double(), random_example().context
    with torch.no_grad():
        still = network(views)
    torch.testing.assert_close(network(views).means, still.means, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("kept", [True, False])
def test_logits_of_large_networks_are_computed_again_for_the_same_gradient(kept, randomised, monkeypatch):
    network, views = anchored(randomised), random_example().context
    patches = views.num_views * views.height * views.width // network.config.patch_size**2

    def gradient() -> tuple[list[torch.Tensor], int]:
        network.zero_grad()
        shapes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda saved: shapes.append(saved.shape) or saved, lambda x: x):
            means = network(views).means
        means.square().mean().backward()
        every_head = (len(views.images), network.config.heads, network.config.tokens, patches)
        slopes = [parameter.grad.clone() for parameter in network.decoder.parameters() if parameter.grad is not None]
        return slopes, shapes.count(every_head)

    expected, _ = gradient()
    if not kept:
        monkeypatch.setattr(attention, "_KEPT_LOGITS", 0)
    found, logits = gradient()
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected))
    assert (logits > 0) == kept


def test_stages_are_what_a_shorter_decoder_gives(randomised, network, make_views):
    for whole in (network, anchored(randomised)):
        memory = whole.encode(make_views())
        stages = whole.decode_stages(memory, (1, 2))
        last = whole.decode(memory)
        assert torch.equal(stages.gaussians.means[:, 1], last.means)
        assert torch.equal(whole.decode_stages(memory).gaussians.means[:, 0], last.means)
        short = TokenGSNetwork(replace(whole.config, decoder_depth=1))
        short.load_state_dict({key: value for key, value in whole.state_dict().items() if "decoder.1" not in key})
        torch.testing.assert_close(stages.gaussians.colors[:, 0], short.decode(memory).colors)
        assert (stages.anchors is None) == (whole is network)
        assert not torch.equal(stages.gaussians.means[:, 0], last.means)


@pytest.mark.parametrize("blocks", [(0,), (3,), (2, 1), (1, 1)])
def test_stages_that_are_not_there_are_refused(network, make_views, blocks):
    with pytest.raises(ValueError, match="ascending numbers from 1 to 2"):
        network.decode_stages(network.encode(make_views()), blocks)


def test_memories_and_tokens_that_do_not_fit_are_refused(randomised, make_views):
    network = anchored(randomised)
    memory = network.encode(make_views())
    with pytest.raises(ValueError, match="its memory needs rays"):
        network.decode(replace(memory, rays=None))
    with pytest.raises(ValueError, match="got 5 tokens; this network has anchors for 12"):
        network.decode(memory, network.initial_tokens(2)[:, :5])


def test_anchors_exclude_what_has_no_rays():
    with pytest.raises(ValueError, match="anchors need a decoder that reads image patches, got latents 3"):
        replace(SMALL, anchors=True, latents=3, latent_depth=1)


def test_bounds_need_anchors():
    with pytest.raises(ValueError, match="needs anchors to be True"):
        replace(SMALL, bounded=True)


def test_anchored_networks_may_know_time(randomised):
    network = anchored(randomised, time_channels=2)
    views = replace(random_example().context, times=torch.tensor([[0.0, 0.5, 1.0]]).expand(2, 3))
    early, late = (network(views, time) for time in (0.0, 1.0))
    assert not torch.equal(early.means, late.means)


def test_presets_are_the_published_ones():
    locus, view = PRESETS["locus"], PRESETS["locus-4view"]
    assert (locus.tokens, locus.image_size, locus.frame, locus.scale, locus.scale_value) == (
        1024, (256, 256), "first", "constant", 0.15,
    )  # fmt: skip
    assert (view.tokens, view.image_size, view.num_context) == (4096, (256, 448), 4)
    assert replace(PRESETS["tiny-bounded"], bounded=False) == PRESETS["tiny-anchored"]
