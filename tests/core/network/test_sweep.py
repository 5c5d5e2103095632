from dataclasses import replace

import pytest
import torch
from made.walls import SIZE, wall

from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.photo_start import with_sweep
from tokengs_nerfstudio.core.network.sweep import CHANNELS, sweep_costs, swept
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Views

SMALL = NetworkConfig(width=32, heads=2, encoder_depth=1, decoder_depth=1, tokens=6, gaussians_per_token=4, sweep=True)
DEPTH = 2.0


def found_by_sweep(views: Views) -> torch.Tensor:
    return swept(views, sweep_costs(views))


def test_a_wall_is_found_where_it_is():
    views = wall([(0.0, 0.0), (0.5, 0.1), (-0.4, 0.2), (0.1, -0.5)], DEPTH)
    found = found_by_sweep(views)
    assert found.shape == (1, 4, CHANNELS, SIZE // 2, SIZE // 2)
    inner = found[..., 4:-4, 4:-4]
    assert (inner[:, :, 3].exp() - DEPTH).abs().median() < 0.1 * DEPTH
    assert (inner[:, :, 3] - torch.tensor(DEPTH).log()).abs().mean() < 0.15
    points = inner[0, :, :3].sign() * inner[0, :, :3].abs().expm1()
    for view in range(4):
        place, depth = project(points[view].flatten(1).T, views.c2w[0, view : view + 1], views.intrinsics[0, :1])
        rows, columns = torch.meshgrid(torch.arange(4, 12), torch.arange(4, 12), indexing="ij")
        pixels = torch.stack([2.0 * columns + 1.0, 2.0 * rows + 1.0], -1).flatten(0, 1)
        torch.testing.assert_close(place[0], pixels, atol=1e-3, rtol=0)
        torch.testing.assert_close(depth[0], inner[0, view, 3].exp().flatten(), atol=1e-4, rtol=1e-4)


def test_what_nobody_else_sees_and_what_looks_alike_everywhere_is_said_to_be_uncertain():
    sure = found_by_sweep(wall([(0.0, 0.0), (0.5, 0.1), (-0.4, 0.2)]))[0, 0, 4].median()
    grey = wall([(0.0, 0.0), (0.5, 0.1), (-0.4, 0.2)])
    grey = replace(grey, images=torch.full_like(grey.images, 0.5))
    assert found_by_sweep(grey)[0, 0, 4].median() > 3 * sure
    apart = wall([(0.0, 0.0), (50.0, 0.0)])
    alone = found_by_sweep(apart)[0]
    assert (alone[:, 4] > 3 * sure).all()
    assert (alone[:, 5] > 1.0).all()


def test_scenes_of_a_batch_do_not_mix_and_the_order_of_views_does_not_matter():
    first = wall([(0.0, 0.0), (0.5, 0.1), (-0.4, 0.2)])
    second = wall([(0.0, 0.0), (0.3, 0.3), (0.2, -0.4)], depth=4.0)
    both = found_by_sweep(Views.cat([first, second]))
    torch.testing.assert_close(both[:1], found_by_sweep(first))
    torch.testing.assert_close(both[1:], found_by_sweep(second))
    turned = first.squeeze().select([2, 0, 1]).unsqueeze()
    torch.testing.assert_close(found_by_sweep(turned), found_by_sweep(first)[:, [2, 0, 1]])


@pytest.mark.parametrize("threads_used", [1, 2])
@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_kernel_equals_torch(threads, count, threads_used):
    generator = torch.Generator().manual_seed(count)
    places = 0.8 * torch.randn(count, 2, generator=generator)
    views = Views.cat([wall(places.tolist()), wall((2 * places).tolist(), depth=4.0)])
    turn = torch.linalg.qr(torch.eye(3) + 0.3 * torch.randn(2, count, 3, 3, generator=generator)).Q
    views.c2w[..., :3, :3] = turn * torch.diagonal(turn, dim1=-2, dim2=-1).sign()[..., None, :]
    torch.set_num_threads(threads_used)
    torch.testing.assert_close(
        found_by_sweep(views), found_by_sweep(views.to(dtype=torch.float64)).float(), atol=2e-3, rtol=2e-3
    )


def test_a_single_view_tells_nothing():
    assert (found_by_sweep(wall([(0.0, 0.0)])) == 0).all()


def test_the_network_hears_of_it_and_keeps_it_through_a_file(tmp_path):
    torch.manual_seed(0)
    network = TokenGSNetwork(SMALL).eval()
    views = wall([(0.0, 0.0), (0.5, 0.1)])
    save_network(network, tmp_path / "w.safetensors")
    again = load_network(tmp_path / "w.safetensors")
    assert again.config == SMALL
    assert torch.equal(again.encode(views).values, network.encode(views).values)
    with torch.no_grad():
        network.sweep_embedding.norm.weight.zero_()
    assert not torch.equal(again.encode(views).values, network.encode(views).values)
    with pytest.raises(ValueError, match="photo_colors and sweep"):
        save_network(network, tmp_path / "p.safetensors", layout="published")
    with pytest.raises(ValueError, match="sweep needs patches of an even size"):
        replace(SMALL, patch_size=9)


def test_weights_without_begin_with_their_own_answers_and_learn_to_listen():
    torch.manual_seed(0)
    plain = TokenGSNetwork(replace(SMALL, sweep=False)).eval()
    views = wall([(0.0, 0.0), (0.5, 0.1)])
    told = with_sweep(plain)
    assert told.config == SMALL
    torch.testing.assert_close(told.encode(views).values, plain.encode(views).values, atol=0, rtol=0)
    told.encode(views).values.square().sum().backward()
    assert told.sweep_embedding.norm.weight.grad.abs().sum() > 0
