from dataclasses import replace

import pytest
import torch

from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig
from tokengs_nerfstudio.core.network.photo_colors import SHARPNESS_UNIT, PhotoColors, photo_colors
from tokengs_nerfstudio.core.network.photo_start import with_photo_colors
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Views

SMALL = NetworkConfig(
    width=32, heads=2, encoder_depth=1, decoder_depth=2, tokens=6, gaussians_per_token=4, photo_colors=True
)


def views(count: int = 2, size: int = 16, seed: int = 0) -> Views:
    """A batch of one: cameras side by side that look along z."""
    images = torch.rand(1, count, 3, size, size, generator=torch.Generator().manual_seed(seed))
    c2w = torch.eye(4).repeat(1, count, 1, 1)
    c2w[0, :, 0, 3] = torch.linspace(-0.2, 0.2, count)
    focal = torch.tensor([[float(size), 0.0, size / 2], [0.0, float(size), size / 2], [0.0, 0.0, 1.0]])
    return Views(images, c2w, focal.repeat(1, count, 1, 1))


def through_pixels(photos: Views, view: int, rows: torch.Tensor, columns: torch.Tensor, depth: float) -> torch.Tensor:
    """Points seen through the centres of pixels of one view."""
    pixels = torch.stack([columns + 0.5, rows + 0.5, torch.ones_like(rows)], -1).float()
    own = depth * pixels @ torch.linalg.inv(photos.intrinsics[0, view]).T
    return own @ photos.c2w[0, view, :3, :3].T + photos.c2w[0, view, :3, 3]


def test_a_point_has_the_colour_of_the_pixel_it_is_seen_in():
    photos = views()
    rows, columns = torch.arange(16).repeat_interleave(16), torch.arange(16).repeat(16)
    for view in (0, 1):
        seen, colours = photo_colors(through_pixels(photos, view, rows, columns, depth=3.0)[None], photos)
        assert seen[0, view].all()
        torch.testing.assert_close(colours[0, view], photos.images[0, view].flatten(1).T, atol=1e-5, rtol=0)


def test_what_is_behind_a_camera_or_beside_its_picture_is_not_seen():
    points = torch.tensor([[[0.0, 0.0, 3.0], [0.0, 0.0, -3.0], [5.0, 0.0, 3.0], [0.0, 0.0, 0.0]]])
    seen, colours = photo_colors(points, views())
    assert seen[0, 0].tolist() == [True, False, False, False]
    assert torch.isfinite(colours).all()


def test_a_view_that_differs_from_the_decoded_colour_is_outvoted():
    photos = views()
    photos = replace(photos, images=torch.zeros_like(photos.images))
    photos.images[:, 0, 0], photos.images[:, 1, 2] = 1.0, 1.0  # all red, all blue
    blend = PhotoColors(8, 1)
    with torch.no_grad():
        blend.gate.bias.fill_(-30.0)
        blend.sharpness.fill_(3.0)
    means, tokens = torch.tensor([[[0.0, 0.0, 3.0]]]), torch.zeros(1, 1, 8)
    nearly_red = torch.tensor([[[0.9, 0.0, 0.1]]])
    torch.testing.assert_close(blend(nearly_red, means, tokens, photos)[0, 0], torch.tensor([1.0, 0.0, 0.0]))
    equally = torch.tensor([[[0.5, 0.0, 0.5]]])
    torch.testing.assert_close(blend(equally, means, tokens, photos)[0, 0], torch.tensor([0.5, 0.0, 0.5]))
    unseen = torch.tensor([[[0.0, 0.0, -3.0]]])
    torch.testing.assert_close(blend(nearly_red, unseen, tokens, photos), nearly_red)


def test_the_blend_is_the_softmax_of_the_docstring_and_its_gradient_reaches_places_and_colours():
    photos, generator = views(3), torch.Generator().manual_seed(1)
    blend = PhotoColors(8, 2).double()
    for parameter in blend.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    photos = photos.to(dtype=torch.float64)
    means = torch.tensor([0.0, 0.0, 2.0]) + 0.3 * torch.randn(1, 4, 3, generator=generator)
    means = means.double().requires_grad_()
    colors = torch.rand(1, 4, 3, generator=generator, dtype=torch.float64).requires_grad_()
    tokens = torch.randn(1, 2, 8, generator=generator, dtype=torch.float64)
    result = blend(colors, means, tokens, photos)
    seen, looked_up = photo_colors(means, photos)
    gate = blend.gate(tokens).flatten()
    sharpness = SHARPNESS_UNIT * torch.nn.functional.softplus(blend.sharpness)
    for number in range(4):
        candidates = [(gate[number].exp(), colors[0, number])]
        for view in range(3):
            if seen[0, view, number]:
                difference = (looked_up[0, view, number] - colors[0, number]).square().sum()
                candidates.append(((-sharpness * difference).exp(), looked_up[0, view, number]))
        total = sum(weight for weight, _ in candidates)
        torch.testing.assert_close(result[0, number], sum(weight * colour for weight, colour in candidates) / total)
    assert torch.autograd.gradcheck(lambda m, c: blend(c, m, tokens, photos), (means, colors), eps=1e-7, atol=1e-5)


def test_a_network_keeps_its_colours_through_a_file_and_needs_its_photos(tmp_path):
    torch.manual_seed(0)
    network, photos = TokenGSNetwork(SMALL).eval(), views()
    torch.nn.init.normal_(network.photo_colors.gate.weight)
    save_network(network, tmp_path / "w.safetensors")
    again = load_network(tmp_path / "w.safetensors").eval()
    assert again.config == SMALL
    expected = network(photos)
    torch.testing.assert_close(again(photos).colors, expected.colors, atol=0, rtol=0)
    memory = network.encode(photos)
    assert (network.decode(memory, network.initial_tokens(1)).colors == expected.colors).all()
    with pytest.raises(ValueError, match="its memory needs photos"):
        network.decode(replace(memory, photos=None))
    with pytest.raises(ValueError, match="photo_colors need the photos"):
        replace(SMALL, latents=4, latent_depth=1)
    with pytest.raises(ValueError, match="photo_colors"):
        save_network(network, tmp_path / "p.safetensors", layout="published")


@pytest.mark.parametrize("anchors", [False, True])
def test_weights_without_may_begin_to_look_colours_up(anchors):
    torch.manual_seed(0)
    plain = TokenGSNetwork(replace(SMALL, photo_colors=False, anchors=anchors)).eval()
    coloured = with_photo_colors(plain)
    assert coloured.config == replace(SMALL, anchors=anchors)
    before, after = plain(views()), coloured(views())
    assert (before.means == after.means).all()
    assert (before.colors != after.colors).any()


def test_presets_for_trials_lack_one_part_after_the_other():
    assert replace(PRESETS["tiny-swept"], surfaces=True, footprint=0.45, backdrop="photos") == PRESETS["tiny"]
    assert replace(PRESETS["tiny-visible"], sweep=True) == PRESETS["tiny-swept"]
    assert replace(PRESETS["tiny-photo"], opacity_floor=0.1) == PRESETS["tiny-visible"]
    assert replace(PRESETS["tiny-anchored"], photo_colors=True) == PRESETS["tiny-photo"]
    assert replace(PRESETS["tiny-plain"], anchors=True) == PRESETS["tiny-anchored"]
