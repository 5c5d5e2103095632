"""The same on CUDA as on the CPU: network, gradient of a training step, tuning; and gsplat's strategies, many steps."""

import io
from collections.abc import Iterator

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network
from made.training import held_out_example
from made.tuning import changed, ready, tuning_config
from torch import Tensor

from tokengs_nerfstudio.core import Gaussians, SceneTuning, TokenGSNetwork, load_network
from tokengs_nerfstudio.core.evaluation import view_psnr
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.initial import initial_values
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import Predictor, scene_gradients
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.core.training.recorded import RECORDED_FROM, Recorded
from tokengs_nerfstudio.core.types import Example

pytestmark = pytest.mark.gpu

CONFIG = tuning_config(rule="steps", growth_every=10, levels=((0.0, 1.0),), per_pixel=1.0)


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """Convolutions in float32 and not in the 10 bits of mantissa that cuDNN may take instead."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def test_the_network_gives_the_same_gaussians(record_property) -> None:
    """All but a few: where rounding moves one over the edge of a photo or of a pixel, it sees another surface there."""
    found: list[Gaussians] = []
    for device in ("cpu", "cuda"):
        network = load_network("tiny", device=device)
        example = held_out_example(network.config, 2).to(device)
        with torch.no_grad():
            found.append(network.decode(network.encode(example.context)).to("cpu"))
    errors = {}
    for name, value in found[0].tensors():
        error = (value - getattr(found[1], name)).abs().reshape(*value.shape[:2], -1).amax(-1)
        errors[name] = error / (1.0 + value.norm(dim=-1)) if name == "means" else error
        record_property(f"median, 99.8 % and largest error of {name}", quantiles(errors[name], 0.5, 0.998, 1.0))
    assert all(quantiles(error, 0.998)[0] < 1e-4 for error in errors.values()), errors


def quantiles(values: Tensor, *shares: float) -> list[float]:
    return values.flatten().quantile(torch.tensor(shares)).tolist()


def test_a_training_step_has_the_same_gradient(record_property) -> None:
    gradients, losses = [], []
    for device in ("cpu", "cuda"):
        network = load_network("tiny", device=device)
        example = held_out_example(network.config, 2).to(device)
        losses.append(scene_gradients(network, example, network.config.rendering, TrainingConfig(), 2)["loss"])
        slopes = [p.grad for p in network.parameters() if p.grad is not None]
        gradients.append(torch.cat([slope.flatten().cpu().double() for slope in slopes]))
    cosine = float(torch.nn.functional.cosine_similarity(*gradients, dim=0))
    record_property("cosine of gradients", cosine)
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)  # gsplat 1.5 draws a little wider
    assert cosine > 0.99
    assert float(gradients[1].norm() / gradients[0].norm()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_lowers_the_loss(precision: str) -> None:
    config = PRESETS["tiny"]
    network = TokenGSNetwork(config, precision, initial_values("tiny")).to("cuda").train()  # type: ignore[arg-type]
    example, training = held_out_example(config, 2).to("cuda"), NetworkTraining(network, TrainingConfig(warmup=0.1))
    losses = [training.step(example, step / 60).losses["loss"] for step in range(60)]
    assert training.skipped == 0
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def quality(tuning: SceneTuning) -> float:
    return float(view_psnr(tuning.gaussians(), tuning.supervision.views, tuning.rendering).mean())


def finish(tuning: SceneTuning) -> None:
    while not tuning.finished:
        tuning.step()


@pytest.mark.parametrize("space", ["tokens", "gaussians", "tokens+gaussians"])
def test_tuning_ends_as_well_as_on_the_cpu(space: str, record_property) -> None:
    """Sums in another order grow into other Gaussians; another seed changes as much as 1.05 dB on the CPU alone."""
    views = photos(blobs(), arc_cameras(10), size=48)
    config = changed(CONFIG, space=space, tokens_rate=0.1, tokens_share=0.4)
    ends = {}
    for device in ("cpu", "cuda"):
        tuning = SceneTuning(small_network().to(device), ready(views.to(device)), config, steps=60)
        start = quality(tuning)
        finish(tuning)
        ends[device] = quality(tuning)
        assert ends[device] > start + 1.0
        record_property(f"PSNR on {device}", ends[device])
    assert abs(ends["cuda"] - ends["cpu"]) < 1.2


def test_refined_poses_and_latents_run(record_property) -> None:
    views = photos(blobs(), arc_cameras(6), size=48).to("cuda")
    network = small_network(latents=16, latent_depth=1).to("cuda")
    config = changed(CONFIG, space="latents", pose_rate=1e-3, exposure_rate=3e-3)
    tuning = SceneTuning(network, ready(views), config, steps=20)
    start = quality(tuning)
    finish(tuning)
    record_property("PSNR gained", quality(tuning) - start)
    assert not torch.equal(tuning.cameras.cameras(), views.c2w)
    assert torch.isfinite(tuning.cameras.cameras()).all()


def test_a_tuning_goes_on_from_a_state_on_the_cpu() -> None:
    """Checkpoints are read to there; the best state seen is one of before that."""
    network, scene = small_network().to("cuda"), ready(photos(blobs(), arc_cameras(10), size=48).to("cuda"))
    config = changed(CONFIG, space="gaussians", rule="held-out", held_out_from=4, check_every=5)
    first = SceneTuning(network, scene, config, steps=20)
    for _ in range(10):
        first.step()
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    state = torch.load(file, map_location="cpu", weights_only=True)
    state["best"]["error"] = 0.0
    later = SceneTuning(network, scene, config, steps=20)
    later.load_state_dict(state)
    finish(later)
    assert later.gaussians().means.device.type == "cuda"
    assert torch.equal(later.gaussians().means.cpu(), state["best"]["snapshot"]["means"])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_replayed_network_has_the_same_gradient(precision: str, record_property) -> None:
    """Shapes in turn, so that recordings share their memory; what is plain before is a graph from the third call on."""
    network = load_network("tiny", device="cuda").train().requires_grad_(True)
    network.precision = precision  # type: ignore[assignment]
    replayed, rendering, config = Recorded(network), network.config.rendering, TrainingConfig()
    examples = [held_out_example(network.config, scenes).to("cuda") for scenes in (2, 3)]

    def slope(predictor: Predictor, example: Example) -> Tensor:
        network.zero_grad(set_to_none=True)
        scene_gradients(predictor, example, rendering, config, example.num_scenes)
        return torch.cat([p.grad.flatten().double() for p in network.parameters() if p.grad is not None])

    expected = [slope(network, example) for example in examples]
    errors = [
        float((slope(replayed, example) - plain).norm() / plain.norm())
        for _ in range(RECORDED_FROM + 2)
        for example, plain in zip(examples, expected)
    ]
    record_property("relative error of the gradient", max(errors))
    assert max(errors) < (1e-3 if precision == "fp32" else 2e-2)
    assert replayed.recordings == len(examples)
    with torch.no_grad():
        network.tokens.add_(0.3 * torch.randn_like(network.tokens))
    changed = slope(network, examples[0])
    assert float((slope(replayed, examples[0]) - changed).norm() / changed.norm()) < 2e-2
    assert float((changed - expected[0]).norm() / changed.norm()) > 0.1
