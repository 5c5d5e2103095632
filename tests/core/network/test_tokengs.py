import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tokengs_nerfstudio.core.checkpoint.key_table import to_published
from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.core.checkpoint.registry import PUBLISHED_OPTION_PRESETS
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig
from tokengs_nerfstudio.core.network.initial import initial_values
from tokengs_nerfstudio.core.network.inputs import EncoderInputs
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Views

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NETWORKS = ["G1_base", "G2_latent_multiscale", "G3_dynamic", "L1_locusgs", "O1_object", "L2_locusgs_limits"]
PUBLISHED_KEYS = json.loads((GOLDEN / "published_keys.json").read_text())


def loaded(golden, folder: Path) -> TokenGSNetwork:
    from tokengs_nerfstudio.core.checkpoint.loading import load_network

    return load_network(golden.write(folder / "weights.safetensors"), golden.config).double()


def from_stored_inputs(network, golden, target):
    images = golden.tensors["in.images_normalised"].double()
    rays = golden.tensors["in.plucker"].double()
    times = golden.tensors.get(f"in.time_emb{target}")
    context, goal = (None, None) if times is None else (times[:, :-1].double(), times[:, -1].double())
    if network.latents is None:
        memory = network._encode(EncoderInputs(images, rays, context))
    else:
        memory = network.memory_from_latents(network._encode_latents(EncoderInputs(images, rays, context)))
    return memory, network._decode(memory, network.initial_tokens(len(images)), goal)


@pytest.mark.parametrize("name", NETWORKS)
def test_equals_the_published_network_on_its_own_inputs(name, golden_networks, as_published, tmp_path):
    golden = golden_networks[name]
    network = loaded(golden, tmp_path)
    assert len(golden.targets) == (4 if name == "G3_dynamic" else 1)
    for target in golden.targets:
        with torch.no_grad():
            memory, gaussians = from_stored_inputs(network, golden, target)
        expected = {kind: golden.tensors[f"out64.{kind}{target}"] for kind in ("keys", "values", "gaussians")}
        torch.testing.assert_close(memory.keys, expected["keys"], atol=1e-9, rtol=0)
        torch.testing.assert_close(memory.values, expected["values"], atol=1e-9, rtol=0)
        torch.testing.assert_close(as_published(gaussians), expected["gaussians"], atol=1e-9, rtol=1e-9)


# Not the network of limits: a quaternion that is almost 0 magnifies the rounding of the stored inputs.
@pytest.mark.parametrize("name", NETWORKS[:-1])
def test_equals_the_published_network_through_views(name, golden_networks, as_published, tmp_path):
    golden = golden_networks[name]
    network = loaded(golden, tmp_path)
    for target in golden.targets:
        times = golden.tensors.get(f"in.time_norm{target}")
        with torch.no_grad():
            memory = network.encode(golden.views(target))
            gaussians = network.decode(memory, time=None if times is None else times[:, -1].double())
        # The stored inputs were rounded to float32, and some raw positions reach e^3.
        torch.testing.assert_close(
            as_published(gaussians), golden.tensors[f"out64.gaussians{target}"], atol=1e-6, rtol=1e-6
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_equal_the_published_ones(name, golden_networks, as_published, tmp_path):
    golden = golden_networks[name]
    network = loaded(golden, tmp_path)
    _, gaussians = from_stored_inputs(network, golden, golden.targets[0])
    flat = as_published(gaussians).flatten()
    loss = (flat * torch.sin(1 + 0.7310585 * torch.arange(len(flat), dtype=torch.float64))).sum()
    loss.backward()
    assert loss.item() == pytest.approx(golden.probe_loss, abs=1e-9)

    gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
    names = to_published(gradients, multiscale=bool(network.config.multiscale_layers))
    norms = {names[key]: gradient.norm().item() for key, gradient in gradients.items()}
    if golden.gradient_norms:  # those of Object TokenGS were not recorded
        assert norms == pytest.approx(golden.gradient_norms, rel=1e-9, abs=1e-9)
    torch.testing.assert_close(gradients["tokens"], golden.tensors["grad64.gs_tokens"], atol=1e-9, rtol=1e-9)
    if network.dynamic_tokens is not None:
        stored = golden.tensors["grad64.gs_tokens_dynamic"]
        torch.testing.assert_close(gradients["dynamic_tokens"], stored, atol=1e-9, rtol=1e-9)


def test_all_published_presets_have_a_name_here():
    published = {name for group in PUBLISHED_KEYS["presets"] for name in group}
    assert len(published) == 24
    assert set(PUBLISHED_OPTION_PRESETS) == published
    assert set(PUBLISHED_OPTION_PRESETS.values()) < set(PRESETS)


@pytest.mark.parametrize("group", PUBLISHED_KEYS["presets"], ids=lambda group: group[0])
def test_keys_and_shapes_equal_the_published_files(group):
    recorded = next(name for name in group if name in PUBLISHED_KEYS["keys"])
    for ours in {PUBLISHED_OPTION_PRESETS[name] for name in group}:
        with torch.device("meta"):
            network = TokenGSNetwork(PRESETS[ours])
        shapes = {key: list(parameter.shape) for key, parameter in network.state_dict().items()}
        names = to_published(shapes, multiscale=bool(network.config.multiscale_layers))
        assert {names[key]: shape for key, shape in shapes.items()} == PUBLISHED_KEYS["keys"][recorded]
        assert network.num_parameters == PUBLISHED_KEYS["parameters"][recorded]


@pytest.mark.parametrize("recorded", PUBLISHED_KEYS["options"])
def test_presets_carry_the_published_settings(recorded):
    options, ours = PUBLISHED_KEYS["options"][recorded], PRESETS[PUBLISHED_OPTION_PRESETS[recorded]]
    assert list(ours.image_size) == options["img_size"]
    assert ours.num_context == options["num_input_views"]
    assert ours.z_offset == options["gaussian_z_offset"]
    assert ours.opacity_bias == options["opacity_bias"]
    assert ours.scale_cap == options["gaussian_scale_cap"]
    assert f"{ours.frame}_cam" == options["frame"]
    assert ours.scale == options["scale"]
    assert list(ours.multiscale_layers) == (options["multiscale_encoder_layers"] if ours.multiscale_layers else [])
    initial = initial_values(PUBLISHED_OPTION_PRESETS[recorded])
    assert initial.head_std == options["clip_head_readout_std"]
    assert initial.token_std == (options["gs_token_std"] or 0.01)


@pytest.mark.parametrize(("name", "megabytes"), [("tiny", 10), ("tiny-dynamic", 10), ("small", 25)])
def test_what_is_shipped_fits_its_budget(name, megabytes, tmp_path):
    network = TokenGSNetwork(PRESETS[name])
    save_network(network, tmp_path / "w.safetensors", compact=True)
    assert (tmp_path / "w.safetensors").stat().st_size <= megabytes * 1e6
    assert network.num_parameters < 12e6


def test_every_parameter_of_every_part_learns(small_config, make_views, randomised):
    config = replace(
        small_config, multiscale_layers=(0, 1), latents=5, latent_depth=2, dynamic_tokens=2, time_channels=3
    )
    network = randomised(TokenGSNetwork(config))
    gaussians = network.decode(network.encode(make_views(times=True)), time=0.7)
    assert gaussians.means.shape == (2, (6 + 2) * 3, 3)
    sum(getattr(gaussians, name).square().sum() for name in ("means", "scales", "opacities", "colors")).backward()
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum() > 0] == []


def test_static_gaussians_do_not_depend_on_the_target_time(small_config, make_views, randomised):
    network = randomised(TokenGSNetwork(replace(small_config, dynamic_tokens=2, time_channels=2)))
    with torch.no_grad():
        memory = network.encode(make_views(times=True))
        early, late = network.decode(memory, time=0.0), network.decode(memory, time=torch.tensor([1.0, 1.0]))
    static = network.config.tokens * network.config.gaussians_per_token
    assert torch.equal(early.means[:, :static], late.means[:, :static])
    assert (early.means[:, static:] - late.means[:, static:]).abs().amin() > 0


def test_without_dynamic_tokens_time_moves_all(small_config, make_views, randomised):
    network = randomised(TokenGSNetwork(replace(small_config, time_channels=2)))
    with torch.no_grad():
        memory = network.encode(make_views(times=True))
        assert (network.decode(memory, time=0.0).means - network.decode(memory, time=1.0).means).abs().amin() > 0


def test_decode_leaves_the_callers_tokens_alone(small_config, make_views, randomised):
    network = randomised(TokenGSNetwork(replace(small_config, dynamic_tokens=2, time_channels=2)))
    tokens = network.initial_tokens(2).detach().clone().requires_grad_()
    before = tokens.detach().clone()
    gaussians = network.decode(network.encode(make_views(times=True)), tokens, time=0.5)
    gaussians.means.square().sum().backward()
    assert torch.equal(tokens, before)
    assert tokens.grad is not None
    assert tokens.grad.abs().sum() > 0


def test_memory_does_not_grow_with_the_number_of_decoder_blocks(small_config, make_views):
    views = make_views(batch=1, view=4)
    memories = [TokenGSNetwork(replace(small_config, decoder_depth=depth)).encode(views).keys.shape for depth in (1, 8)]
    patches = 4 * (16 // 8) * (24 // 8)
    assert memories[0] == memories[1] == (1, 4, patches, 8)


def test_scenes_of_a_batch_do_not_meet(small_config, make_views, randomised):
    network = randomised(TokenGSNetwork(small_config)).double()
    views = make_views(batch=3)
    with torch.no_grad():
        together = network.decode(network.encode(views))
        second = Views(views.images[1:2], views.c2w[1:2], views.intrinsics[1:2])
        alone = network.decode(network.encode(second))
    torch.testing.assert_close(together.means[1:2], alone.means, atol=1e-12, rtol=0)


def test_bf16_changes_little_and_leaves_the_head_alone(small_config, make_views, randomised):
    network = randomised(TokenGSNetwork(small_config))
    views = make_views()
    with torch.no_grad():
        exact = network.decode(network.encode(views))
        network.precision = "bf16"
        memory = network.encode(views)
        rough = network.decode(memory)
    assert memory.keys.dtype == memory.values.dtype == torch.bfloat16
    assert rough.means.dtype == torch.float32
    extent = exact.means.flatten(0, 1).std(dim=0).norm()
    assert 0 < (rough.means - exact.means).norm(dim=-1).mean() < 0.03 * extent


def test_an_autocast_around_the_call_does_not_reach_the_head(small_config, make_views, randomised):
    network = randomised(TokenGSNetwork(small_config))
    heads = []
    network.head.project.register_forward_hook(lambda module, inputs, output: heads.append(output.dtype))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        gaussians = network.decode(network.encode(make_views()))
    assert heads == [torch.float32]
    assert gaussians.means.dtype == torch.float32


def test_errors_name_what_is_wrong(small_config, make_views):
    network = TokenGSNetwork(small_config)
    with pytest.raises(ValueError, match=r"20x24 \(height x width\).*multiples of the network's patch of 8"):
        network.encode(make_views(height=20))
    with pytest.raises(ValueError, match=r"need shape \[batch view 3 height width\], got \[3, 3, 16, 24\]"):
        network.encode(make_views(batch=1).squeeze())
    with pytest.raises(ValueError, match="no latent bottleneck"):
        network.encode_latents(make_views())
    with pytest.raises(ValueError, match=r"tokens have shape \[1, 6, 32\].*\[2 tokens 32\]"):
        network.decode(network.encode(make_views()), network.initial_tokens(1))
    timed = TokenGSNetwork(replace(small_config, time_channels=2))
    with pytest.raises(ValueError, match="context views need times"):
        timed.encode(make_views())
    with pytest.raises(ValueError, match="needs the target time"):
        timed.decode(timed.encode(make_views(times=True)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 5}, "not a multiple of heads 5"),
        ({"dynamic_tokens": 3}, "need time_channels above 0"),
        ({"latents": 3}, "one without the other"),
        ({"multiscale_layers": (1, 0)}, "not ascending"),
        ({"multiscale_layers": (0, 2)}, "numbers of 2 blocks"),
    ],
)
def test_impossible_configurations_are_refused(small_config: NetworkConfig, change, message):
    with pytest.raises(ValueError, match=message):
        replace(small_config, **change)
