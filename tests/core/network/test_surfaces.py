import math
from dataclasses import replace

import pytest
import torch
from made.walls import SIZE, wall

from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.geometry.footprint import pixel_widths
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.memory import Surfaces
from tokengs_nerfstudio.core.network.photo_start import with_surfaces
from tokengs_nerfstudio.core.network.surfaces import SurfaceHead, SurfacePull, cost_logits, proposals, surface_error
from tokengs_nerfstudio.core.network.sweep import sweep_costs, swept
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import scene_gradients
from tokengs_nerfstudio.core.types import Example, Views

SMALL = NetworkConfig(
    width=32, heads=2, encoder_depth=1, decoder_depth=2, tokens=6, gaussians_per_token=4,
    sweep=True, photo_colors=True, surfaces=True,
)  # fmt: skip
PLACES = [(0.0, 0.0), (0.5, 0.1), (-0.4, 0.2)]


def flat(views: Views, depth: float, spread: float = 0.03) -> Surfaces:
    """All photos show something at one depth."""
    shape = (*views.images.shape[:2], SIZE // 2, SIZE // 2)
    return Surfaces(torch.full(shape, math.log(depth)), torch.full(shape, spread))


def pull(staying: float = -30.0) -> SurfacePull:
    made = SurfacePull(8, 5)
    torch.nn.init.constant_(made.stay.bias, staying)
    return made


def test_untrained_depths_are_those_of_the_sweep():
    torch.manual_seed(0)
    views = wall(PLACES)
    costs = sweep_costs(views)
    found = SurfaceHead(16, 8)(torch.randn(1, 3 * 16, 16), costs)
    assert found.log_depths.shape == (1, 3, SIZE // 2, SIZE // 2)
    sure = cost_logits(costs).softmax(2).amax(2) > 0.2
    torch.testing.assert_close(found.log_depths[sure], swept(views, costs)[:, :, 3][sure], atol=0.02, rtol=0)
    assert (found.log_depths[..., 4:-4, 4:-4].exp() - 2.0).abs().median() < 0.2


def test_what_the_encoder_sees_changes_depths_at_its_own_patch():
    torch.manual_seed(0)
    head, costs = SurfaceHead(16, 8), sweep_costs(wall(PLACES))
    torch.nn.init.normal_(head.correct.weight, std=0.3)
    features = torch.randn(1, 3 * 16, 16)
    before = head(features, costs).log_depths
    features[0, 16 + 5] += torch.randn(16)  # second view, patch in row 1 and column 1: small pixels 4 to 7
    changed = (head(features, costs).log_depths - before).abs()[0] > 1e-6
    assert changed[1, 4:8, 4:8].all()
    assert not changed[[0, 2]].any()
    assert not changed[1, :, 12:].any()


def test_a_gaussian_slides_along_the_ray_onto_the_surface():
    views = wall(PLACES).squeeze().select([1]).unsqueeze()
    means = torch.tensor([[[0.5, 0.1, 3.0], [0.9, 0.3, 1.0], [0.5, 0.1, 2.0], [0.5, 0.1, -1.0], [9.0, 0.0, 1.0]]])
    camera = torch.tensor([0.5, 0.1, 0.0])
    drawn = pull()(means, torch.zeros(1, 1, 8), views, flat(views, 2.0))
    torch.testing.assert_close(drawn[0, :3, 2], torch.full((3,), 2.0))
    torch.testing.assert_close(drawn[0, :3], camera + (means[0, :3] - camera) * (2.0 / means[0, :3, 2:]))
    torch.testing.assert_close(drawn[0, 3:], means[0, 3:])  # behind the camera, beside the picture
    kept = pull(staying=30.0)(means, torch.zeros(1, 1, 8), views, flat(views, 2.0))
    torch.testing.assert_close(kept, means)


def test_the_view_that_is_sure_and_whose_surface_is_near_counts():
    views = wall([(0.0, 0.0), (0.0, 0.0)])
    unsure, near = flat(views, 2.0), flat(views, 2.0)
    unsure.spreads[0, 0], unsure.log_depths[0, 0] = 9.0, math.log(2.5)
    near.log_depths[0, 0] = math.log(40.0)
    means = torch.tensor([[[0.0, 0.0, 2.1]] * 5])
    decided = pull()
    with torch.no_grad():
        decided.doubts.fill_(5.0)
    for surfaces in (unsure, near):
        drawn = decided(means, torch.zeros(1, 1, 8), views, surfaces)
        torch.testing.assert_close(drawn[..., 2], torch.full((1, 5), 2.0), atol=1e-2, rtol=0)


def test_the_pull_is_the_softmax_of_the_docstring_and_its_gradient_is_exact():
    torch.manual_seed(1)
    views = wall(PLACES).to(dtype=torch.float64)
    surfaces = flat(views, 2.0).to(dtype=torch.float64)
    surfaces = Surfaces(surfaces.log_depths + 0.3 * torch.randn(1, 3, 1, 1).double(), surfaces.spreads)
    drawing = SurfacePull(8, 5).double()
    for parameter in drawing.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    tokens, means = torch.randn(1, 1, 8).double(), torch.tensor([0.0, 0.0, 2.2]) + 0.2 * torch.randn(1, 5, 3)
    means = means.double().requires_grad_()
    drawn = drawing(means, tokens, views, surfaces)
    of_spread, of_change = 4.0 * torch.nn.functional.softplus(drawing.doubts)
    stay = drawing.stay(tokens)[0, 0]
    for number in range(5):
        total, place = stay[number].exp(), stay[number].exp() * means[0, number]
        for view in range(3):
            way = means[0, number] - views.c2w[0, view, :3, 3]
            change = surfaces.log_depths[0, view, 0, 0] - way[2].log()
            weight = (-of_spread * 0.03 - of_change * change.abs()).exp()
            total, place = total + weight, place + weight * (means[0, number] + change.expm1() * way)
        torch.testing.assert_close(drawn[0, number], place / total, atol=1e-7, rtol=1e-6)

    def of(means: torch.Tensor, log_depths: torch.Tensor) -> torch.Tensor:
        return drawing(means, tokens, views, replace(surfaces, log_depths=log_depths))

    leaves = (means, surfaces.log_depths.requires_grad_())
    assert torch.autograd.gradcheck(of, leaves, eps=1e-7, atol=1e-5)


def test_depths_are_never_mixed_across_an_edge():
    views = wall(PLACES)
    surfaces = flat(views, 1.0)
    surfaces.log_depths[..., SIZE // 4 :] = math.log(8.0)
    ways = torch.stack([torch.linspace(-0.4, 0.4, 41), torch.zeros(41), torch.ones(41)], -1).expand(1, 3, 41, 3)
    seen, change, _ = proposals(ways, views, surfaces)
    assert seen.all()
    assert set(change.exp().round().flatten().tolist()) == {1.0, 8.0}


def test_the_error_is_that_of_a_laplace_distribution_and_unknown_depths_do_not_count():
    views = wall(PLACES)
    exact = torch.full((1, 3, 1, SIZE, SIZE), 4.0)
    error = surface_error(flat(views, 2.0, spread=0.5), exact)
    torch.testing.assert_close(error, torch.tensor([math.log(2.0) / 0.5 + math.log(0.5)]))
    exact[:, :, :, : SIZE // 2] = 0.0
    torch.testing.assert_close(surface_error(flat(views, 2.0, spread=0.5), exact), error)
    assert surface_error(flat(views, 2.0), torch.zeros_like(exact)) == 0


def test_a_network_is_drawn_to_surfaces_keeps_them_through_a_file_and_needs_a_sweep(tmp_path):
    torch.manual_seed(0)
    network, views = TokenGSNetwork(SMALL).eval(), wall(PLACES)
    save_network(network, tmp_path / "w.safetensors")
    again = load_network(tmp_path / "w.safetensors").eval()
    assert again.config == SMALL
    expected, memory = network(views), network.encode(views)
    torch.testing.assert_close(again(views).means, expected.means, atol=0, rtol=0)
    assert not torch.equal(network.decode(replace(memory, surfaces=flat(views, 9.0))).means, expected.means)
    with pytest.raises(ValueError, match="its memory needs surfaces"):
        network.decode(replace(memory, surfaces=None))
    with pytest.raises(ValueError, match="they need sweep and photo_colors"):
        replace(SMALL, sweep=False)


def test_weights_without_surfaces_keep_everything_they_know():
    torch.manual_seed(0)
    plain = TokenGSNetwork(replace(SMALL, surfaces=False)).eval()
    drawn = with_surfaces(plain)
    assert drawn.config == SMALL
    assert all(torch.equal(drawn.state_dict()[name], value) for name, value in plain.state_dict().items())
    views = wall(PLACES)
    torch.testing.assert_close(drawn.encode(views).values, plain.encode(views).values, atol=0, rtol=0)


def test_exact_depths_of_the_context_teach_the_surfaces():
    torch.manual_seed(0)
    network, views = TokenGSNetwork(SMALL), wall(PLACES)
    example = Example(replace(views, depths=torch.full((1, 3, 1, SIZE, SIZE), 2.0)), views)
    losses = scene_gradients(network, example, network.config.rendering, TrainingConfig(), 1)
    memory = network.encode(views)
    torch.testing.assert_close(
        torch.tensor(losses["surfaces"]), surface_error(memory.surfaces, example.context.depths)[0].detach()
    )
    untaught = scene_gradients(network, example, network.config.rendering, TrainingConfig(surfaces=0.0), 1)
    assert "surfaces" not in untaught
    difference = losses["loss"] - untaught["loss"]
    assert difference == pytest.approx(TrainingConfig().surfaces * losses["surfaces"], abs=1e-5)


def test_no_gaussian_is_finer_than_the_footprint_of_its_photos(tmp_path):
    torch.manual_seed(0)
    fine, views = TokenGSNetwork(SMALL).eval(), wall(PLACES)
    blurred = TokenGSNetwork(replace(SMALL, footprint=0.5)).eval()
    blurred.load_state_dict(fine.state_dict())
    before, after = fine(views), blurred(views)
    blur = 0.5 * pixel_widths(before.means, views)
    assert (blur > 0).any()
    torch.testing.assert_close(after.scales.square(), before.scales.square() + blur.square()[..., None])
    torch.testing.assert_close(after.means, before.means, atol=0, rtol=0)
    save_network(blurred, tmp_path / "w.safetensors")
    assert load_network(tmp_path / "w.safetensors").config.footprint == 0.5
    with pytest.raises(ValueError, match="needs photo_colors"):
        NetworkConfig(width=32, heads=2, encoder_depth=1, decoder_depth=1, tokens=6, footprint=0.5)
