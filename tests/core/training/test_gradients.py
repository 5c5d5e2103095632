from dataclasses import replace

import pytest
import torch
from made.training import SMALL, random_example, small_training

from tokengs_nerfstudio.core.losses.places import place_error
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import DynamicLossConfig
from tokengs_nerfstudio.core.training.gradients import novel_view_psnr, predict, render_targets, supervised_loss
from tokengs_nerfstudio.core.types import Example

ANCHORED = replace(SMALL, anchors=True)


@pytest.mark.parametrize(
    ("chunk", "threads", "micro_batches"),
    [(1, None, 1), (2, 1, 1), (2, 2, 1), (8, 3, 1), (8, None, 2), (1, None, 5), (2, 2, 3), (8, None, 9)],
)
def test_gradient_does_not_depend_on_chunks_threads_and_micro_batches(
    chunk: int, threads: int | None, micro_batches: int
) -> None:
    """The plain way, one graph over the whole batch, is the reference."""
    example = random_example(5)
    training = small_training(threads, chunk=chunk, micro_batches=micro_batches)
    losses = supervised_loss(predict(training.network, example), example, SMALL.rendering(example), training.config)
    losses.total.backward()
    expected = [parameter.grad for parameter in training.network.parameters()]
    training.network.zero_grad(set_to_none=True)
    means = training.workers.gradients(example, training.config)
    assert means == pytest.approx(losses.means(), rel=1e-4)
    assert any(float(gradient.abs().max()) > 1e-4 for gradient in expected if gradient is not None)
    for parameter, reference in zip(training.network.parameters(), expected):
        torch.testing.assert_close(parameter.grad, reference, atol=2e-6, rtol=1e-3)


@pytest.mark.parametrize("architecture", [SMALL, ANCHORED], ids=["plain", "anchored"])
@pytest.mark.parametrize("blocks", [(), (1, 3)], ids=str)
def test_several_blocks_are_supervised_by_their_numbers(architecture: NetworkConfig, blocks: tuple[int, ...]) -> None:
    """The plain way is the reference: each block's Gaussians by themselves, weighted 1/4 and 3/4."""
    architecture, example = replace(architecture, decoder_depth=3), random_example(3)
    training = small_training(architecture=architecture, chunk=2, supervised_blocks=blocks)
    network, config, rendering = training.network, training.config, architecture.rendering(example)
    stages = network(example.context, None, (1, 3))
    losses = []
    for number in (0, 1):
        splats = stages.gaussians.map(lambda values, number=number: values[:, number])
        anchors = None if stages.anchors is None else stages.anchors[:, number]
        losses.append(supervised_loss(splats, example, rendering, config, anchors))
    loss = losses[0].total / 4 + losses[1].total * 3 / 4 if blocks else losses[1].total
    loss.backward()
    expected = [parameter.grad for parameter in network.parameters()]
    network.zero_grad(set_to_none=True)
    means = training.workers.gradients(example, config)
    assert means["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert ("anchors" in means) == architecture.anchors
    for parameter, reference in zip(network.parameters(), expected):
        torch.testing.assert_close(parameter.grad, reference, atol=2e-6, rtol=1e-3)


def test_anchors_have_a_pull_of_their_own() -> None:
    training, example = small_training(architecture=ANCHORED), random_example()
    stages = training.network(example.context, None, ())
    given = (stages.gaussians.map(lambda values: values[:, 0]), example, SMALL.rendering(example), training.config)
    with_anchors, without = supervised_loss(*given, stages.anchors[:, 0]), supervised_loss(*given)
    torch.testing.assert_close(with_anchors.per_scene, without.per_scene + 0.1 * with_anchors.parts["anchors"])
    assert float(with_anchors.parts["anchors"].min()) > 0.0


def test_the_network_sees_one_micro_batch_at_a_time() -> None:
    training, seen = small_training(micro_batches=2), list[int]()
    training.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].images.shape[0]))
    training.step(random_example(5), 0.5)
    assert seen == [3, 2]
    with pytest.raises(ValueError, match="micro_batches is 0"):
        small_training(micro_batches=0)


def test_exact_depth_is_one_more_term() -> None:
    training, example = small_training(depth=0.7), random_example()
    splats = predict(training.network, example)
    known = Example(example.context, replace(example.target, depths=torch.full((2, 2, 1, 16, 16), 2.0)))
    deep = supervised_loss(splats, known, SMALL.rendering(known), training.config)
    plain = supervised_loss(splats, example, SMALL.rendering(example), training.config)
    assert set(deep.parts) - set(plain.parts) == {"depth"}
    torch.testing.assert_close(deep.per_scene, plain.per_scene + 0.7 * deep.parts["depth"])
    assert float(deep.parts["depth"].min()) > 0.0
    slopes = torch.autograd.grad(deep.parts["depth"].sum(), splats.means)[0]
    assert float(slopes.abs().max()) > 0.0
    ignored = supervised_loss(splats, known, SMALL.rendering(known), small_training(depth=0.0).config)
    assert set(ignored.parts) == set(plain.parts)


def test_planes_and_background_are_those_of_the_weights() -> None:
    example = random_example(1)
    dark = TokenGSNetwork(replace(SMALL, background=0.0, far=1e-3, near=1e-4), initial=SCRATCH)
    splats = predict(dark, example)
    assert float(render_targets(splats, example, dark.config.rendering(example)).rgb.abs().max()) == 0.0
    black = Example(example.context, replace(example.target, images=torch.zeros_like(example.target.images) + 0.1))
    torch.testing.assert_close(novel_view_psnr(dark, black, chunk=8), torch.full((1, 2), 20.0))


def test_the_network_predicts_at_the_time_of_the_first_target() -> None:
    moving = TokenGSNetwork(replace(SMALL, time_channels=2, dynamic_tokens=3), initial=SCRATCH)
    assert moving.target_time_embedding is not None
    torch.nn.init.normal_(moving.target_time_embedding.conv.weight)
    example = random_example(2)
    context = replace(example.context, times=torch.tensor([[0.0, 0.5, 1.0]]).expand(2, 3))
    target = replace(example.target, times=torch.tensor([[0.2, 0.9], [0.7, 0.1]]))
    found = predict(moving, Example(context, target))
    expected = moving.decode(moving.encode(context), time=torch.tensor([0.2, 0.7]))
    torch.testing.assert_close(found.means, expected.means)
    other = moving(context, torch.tensor([0.9, 0.1]))
    assert not torch.allclose(found.means, other.means)


MOVING = replace(SMALL, time_channels=2, dynamic_tokens=5)


def moving_example(scenes: int = 3) -> Example:
    example = random_example(scenes)
    context = replace(example.context, times=torch.rand(scenes, 3))
    return Example(context, replace(example.target, times=torch.rand(scenes, 1).expand(scenes, 2)))


def gradients_of(training, example: Example, config) -> tuple[dict[str, float], list[torch.Tensor | None]]:
    training.network.zero_grad(set_to_none=True)
    means = training.workers.gradients(example, config)
    return means, [parameter.grad for parameter in training.network.parameters()]


@pytest.mark.parametrize(("threads", "chunk", "micro_batches"), [(None, 8, 1), (2, 1, 1), (None, 1, 2)])
def test_dynamic_tokens_are_rendered_alone_beside_the_whole(
    threads: int | None, chunk: int, micro_batches: int
) -> None:
    """The plain way is the reference: one graph, the Gaussians of the last five tokens once more."""
    training = small_training(threads, MOVING, chunk=chunk, micro_batches=micro_batches)
    network, config, example = training.network, training.config, moving_example()
    splats, rendering = predict(network, example), MOVING.rendering(example)
    whole = supervised_loss(splats, example, rendering, config)
    alone = supervised_loss(splats.select(slice(12 * 8, 17 * 8)), example, rendering, config)
    (whole.total + 0.3 * alone.total).backward()
    expected = [parameter.grad for parameter in network.parameters()]
    means, found = gradients_of(training, example, config)
    assert means["loss"] == pytest.approx(float((whole.total + 0.3 * alone.total).detach()), rel=1e-5)
    assert means["dynamic"] == pytest.approx(float(alone.total.detach()), rel=1e-5)
    for gradient, reference in zip(found, expected):
        torch.testing.assert_close(gradient, reference, atol=2e-6, rtol=1e-3)


@pytest.mark.parametrize("backdrop", ["grey", "photos"])
def test_where_it_is_known_what_moves_dynamic_tokens_show_that_alone(backdrop) -> None:
    training, example = small_training(architecture=replace(MOVING, backdrop=backdrop)), moving_example()
    moving = (torch.rand_like(example.target.images[:, :, :1]) > 0.5).float()
    rendering = training.network.config.rendering(example)
    behind = example.context.mean_color[..., None, None] if backdrop == "photos" else torch.tensor(0.5)
    cut = torch.where(moving > 0, example.target.images, behind)
    alone = predict(training.network, example).select(slice(12 * 8, 17 * 8))
    expected = supervised_loss(
        alone, replace(example, target=replace(example.target, images=cut)), rendering, training.config
    )
    known = replace(example, target=replace(example.target, moving=moving))
    means, _ = gradients_of(training, known, training.config)
    usual, _ = gradients_of(training, example, training.config)
    assert means["dynamic"] == pytest.approx(float(expected.total.detach()), rel=1e-5)
    assert means["rgb"] == usual["rgb"]
    assert means["dynamic"] != pytest.approx(usual["dynamic"], rel=1e-3)
    assert "places" not in means
    placed = replace(known, target=replace(known.target, depths=torch.rand_like(moving) + 0.5))
    means, _ = gradients_of(training, placed, replace(training.config, depth=0.0))
    pull = float(place_error(alone.means, placed.target).mean().detach())
    assert means["places"] == pytest.approx(pull, rel=1e-5)
    more = means["dynamic"] - usual["dynamic"] + 0.1 * pull
    assert means["loss"] == pytest.approx(usual["loss"] + 0.3 * more, rel=1e-4)


def test_without_weight_the_dynamic_tokens_cost_nothing(monkeypatch) -> None:
    """To the last bit what it is where no stage says that there are any."""
    training, example = small_training(architecture=MOVING), moving_example()
    ended = replace(training.config, dynamic=DynamicLossConfig(weight=0.0))
    means, found = gradients_of(training, example, ended)
    decode = TokenGSNetwork.decode_stages
    monkeypatch.setattr(TokenGSNetwork, "decode_stages", lambda *a, **k: replace(decode(*a, **k), dynamic=0))
    unknown, before = gradients_of(training, example, training.config)
    assert means == unknown
    assert "dynamic" not in means
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(found, before))


def test_the_weight_of_dynamic_tokens_is_held_then_falls_in_a_straight_line() -> None:
    config = DynamicLossConfig(weight=0.3, hold=4, decay=10)
    weights = [config.at(step).weight for step in (0, 4, 9, 14, 1000)]
    assert weights == pytest.approx([0.3, 0.3, 0.15, 0.0, 0.0])
    assert [replace(config, decay=0).at(step).weight for step in (3, 4)] == [0.3, 0.0]
    training, example = small_training(architecture=MOVING, dynamic=replace(config, hold=1, decay=1)), moving_example()
    assert ["dynamic" in training.step(example, 0.5).losses for _ in range(3)] == [True, True, False]
