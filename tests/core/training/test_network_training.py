import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tokengs_nerfstudio.core.geometry.mirror import mirrored, mirrored_scenes
from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import novel_view_psnr, predict, supervised_loss
from tokengs_nerfstudio.core.training.network_training import Trainer, TrainingDiverged
from tokengs_nerfstudio.core.training.optimizers import optimizers, parameter_groups
from tokengs_nerfstudio.core.training.schedule import one_cycle
from tokengs_nerfstudio.core.training.state import STATE_FORMAT, read_state, save_state
from tokengs_nerfstudio.core.training_batch import TrainingBatch, canonical_batch
from tokengs_nerfstudio.core.types import Views

SMALL = replace(PRESETS["tiny"], width=32, heads=2, encoder_depth=1, decoder_depth=1, tokens=12, gaussians_per_token=8)
REPOSITORY = Path(__file__).parents[3]


def posed_cameras(scenes: int, views: int) -> torch.Tensor:
    """Cameras side by side that look along +z with small random turns."""
    axis = 0.2 * torch.randn(scenes, views, 3)
    skew = torch.zeros(scenes, views, 3, 3)
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -axis[..., 2], axis[..., 1], -axis[..., 0]
    c2w = torch.eye(4).repeat(scenes, views, 1, 1)
    c2w[..., :3, :3] = torch.matrix_exp(skew - skew.mT)
    c2w[..., :3, 3] = torch.randn(scenes, views, 3) * torch.tensor([1.0, 1.0, 0.3]) - torch.tensor([0.0, 0.0, 2.0])
    return c2w


def random_views(scenes: int = 2, views: int = 3, size: int = 16) -> Views:
    intrinsics = torch.tensor([[18.0, 0.0, 7.0], [0.0, 17.0, 9.0], [0.0, 0.0, 1.0]]).expand(scenes, views, 3, 3)
    smooth = torch.nn.functional.interpolate(torch.rand(scenes * views, 3, 4, 4), size=size, mode="bilinear")
    return Views(smooth.reshape(scenes, views, 3, size, size), posed_cameras(scenes, views), intrinsics)


def random_batch(scenes: int = 2) -> TrainingBatch:
    views = random_views(scenes, 4)
    return canonical_batch(views.select([0, 1, 2]), views.select([3, 0]), "middle", "max_baseline", 1.0)


def small_trainer(workers: int = 1, **changes: object) -> Trainer:
    torch.manual_seed(3)
    return Trainer(TokenGSNetwork(SMALL), TrainingConfig(**{"matrix_rate": 0.0, **changes}), workers=workers)  # type: ignore[arg-type]


def test_one_cycle_rises_and_falls() -> None:
    assert one_cycle(0.0, 0.1) == pytest.approx(1 / 25)
    assert one_cycle(0.1, 0.1) == pytest.approx(1.0)
    assert one_cycle(0.55, 0.1) == pytest.approx(0.5 * (1 + 1 / 25_000))
    assert one_cycle(1.0, 0.1) == one_cycle(7.0, 0.1) == pytest.approx(1 / 25_000)
    assert one_cycle(0.0, 0.0) == 1.0
    assert all(one_cycle(i / 100, 0.1) < one_cycle((i + 1) / 100, 0.1) for i in range(10))
    with pytest.raises(ValueError, match=r"got 1\.0"):
        one_cycle(0.5, 1.0)


@pytest.mark.parametrize(("name", "rate"), [("train_dl3dv_base", 4e-4), ("finetune_dl3dv_latent_6view_ssim", 4e-5)])
def test_one_cycle_is_the_published_schedule(shared: Path, name: str, rate: float) -> None:
    import json

    golden = json.loads((shared / "golden" / "G5_info.json").read_text())["lr_schedule"][name]
    last = golden["total_steps"] - 1
    warmup = (golden["pct_start"] * golden["total_steps"] - 1) / last
    for step, (published, *_) in golden["step_to_lr_beta1_beta2"].items():
        assert rate * one_cycle(int(step) / last, warmup) == pytest.approx(published, rel=1e-6), step


def test_canonical_batch_keeps_what_cameras_see() -> None:
    """Points moved with the cameras stay on their pixels; the largest context distance is the value asked for."""
    views = random_views(2, 5)
    context, target = views.select([0, 1, 2]), views.select([3, 4])
    depth = torch.rand(2, 2, 1, 16, 16)
    batch = canonical_batch(context, target, "middle", "max_baseline", 1.5, depth)
    centres = batch.context.c2w[..., :3, 3]
    apart = (centres[:, :, None] - centres[:, None]).norm(dim=-1).flatten(1).amax(1)
    torch.testing.assert_close(apart, torch.full((2,), 1.5))
    world, moved = views.c2w[:, 3:, :3, 3], batch.target.c2w[:, :, :3, 3]
    ahead_world, ahead_moved = target.c2w[..., :3, 2], batch.target.c2w[..., :3, 2]
    old = (views.c2w[:, :3, None, :3, 3] - views.c2w[:, None, :3, :3, 3]).norm(dim=-1).flatten(1).amax(1)
    factor = (1.5 / old)[:, None, None]
    pixels, distance = project(world + 2.0 * ahead_world, context.c2w, context.intrinsics)
    again, depth_again = project(moved + 2.0 * factor * ahead_moved, batch.context.c2w, context.intrinsics)
    sound = distance.abs() > 0.3
    torch.testing.assert_close(again[sound], pixels[sound], atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(depth_again, distance * factor, atol=1e-5, rtol=1e-4)
    assert batch.depth is not None
    torch.testing.assert_close(batch.depth, depth * factor[..., None, None])


def test_mirrored_views_show_the_mirrored_world() -> None:
    views = random_views(1, 3).squeeze()
    other = mirrored(views)
    points = torch.randn(1, 6, 3)[0] + torch.tensor([0.0, 0.0, 4.0])
    flipped = points * torch.tensor([-1.0, 1.0, 1.0])
    pixels, depth = project(points, views.c2w, views.intrinsics)
    there, depth_there = project(flipped, other.c2w, other.intrinsics)
    torch.testing.assert_close(depth_there, depth)
    torch.testing.assert_close(there[..., 1], pixels[..., 1], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(there[..., 0], 16 - pixels[..., 0], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(other.images[..., 0], views.images[..., -1])
    assert bool((torch.linalg.det(other.c2w[:, :3, :3]) > 0.99).all())
    twice = mirrored(other)
    for ours, theirs in ((twice.images, views.images), (twice.c2w, views.c2w), (twice.intrinsics, views.intrinsics)):
        torch.testing.assert_close(ours, theirs)


def test_only_the_chosen_scenes_are_mirrored() -> None:
    views = random_views(2)
    mixed = mirrored_scenes(views, torch.tensor([False, True]))
    torch.testing.assert_close(mixed.images[0], views.images[0])
    torch.testing.assert_close(mixed.c2w[0], views.c2w[0])
    torch.testing.assert_close(mixed.images[1], views.images[1].flip(-1))
    assert float(mixed.intrinsics[1, 0, 0, 2]) == 16 - 7.0


def test_decay_spares_vectors_head_and_tokens() -> None:
    latent = replace(SMALL, latents=5, latent_depth=1, time_channels=2, dynamic_tokens=3)
    network = TokenGSNetwork(latent)
    decayed, spared = parameter_groups(network, 0.05)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert decayed["weight_decay"] == 0.05
    assert spared["weight_decay"] == 0.0
    assert len(decayed["params"]) + len(spared["params"]) == len(names)
    without = {names[id(p)] for p in spared["params"]}
    assert {"tokens", "dynamic_tokens", "latents", "head.project.weight", "head.project.bias"} <= without
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all("norm" not in names[id(p)] and "head" not in names[id(p)] for p in decayed["params"])


def test_muon_gets_the_matrices_of_the_blocks() -> None:
    latent = TokenGSNetwork(replace(SMALL, latents=5, latent_depth=1))
    adam, *muons = optimizers(latent, TrainingConfig(matrix_rate=0.02))
    names = {id(parameter): name for name, parameter in latent.named_parameters()}
    given = [[names[id(p)] for group in o.param_groups for p in group["params"]] for o in (adam, *muons)]
    assert sorted(name for part in given for name in part) == sorted(names.values())
    assert {name.split(".")[0] for part in given[1:] for name in part} == {"encoder", "latent_blocks", "decoder"}
    assert not any(
        name.startswith(("encoder", "decoder"))
        and "norm" not in name
        and "scale" not in name
        and name.endswith("weight")
        for name in given[0]
    )


def test_optimizers_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="3 optimizers, not 1"):
        small_trainer().load_state_dict(small_trainer(matrix_rate=0.02).state_dict())


@pytest.mark.parametrize(("chunk", "workers"), [(1, 1), (2, 2), (8, 3)])
def test_gradient_does_not_depend_on_chunks_and_workers(chunk: int, workers: int) -> None:
    """The plain way, one graph over the whole batch, is the reference."""
    batch = random_batch(5)
    trainer = small_trainer(workers, chunk=chunk)
    splats = predict(trainer.network, batch)
    supervised_loss(splats, batch, trainer.config).total.backward()
    expected = [parameter.grad for parameter in trainer.network.parameters()]
    trainer.network.zero_grad(set_to_none=True)
    trainer._accumulate(batch)
    assert any(float(gradient.abs().max()) > 1e-4 for gradient in expected if gradient is not None)
    for parameter, reference in zip(trainer.network.parameters(), expected):
        torch.testing.assert_close(parameter.grad, reference, atol=2e-6, rtol=1e-3)


def test_one_scene_is_learned() -> None:
    torch.manual_seed(1)
    batch, trainer = random_batch(1), small_trainer(learning_rate=3e-3, ema=0.9)
    before = float(novel_view_psnr(trainer.averaged, batch, trainer.config).mean())
    losses = [trainer.step(batch, 0.02 + i / 200).losses["loss"] for i in range(80)]
    after = float(novel_view_psnr(trainer.averaged, batch, trainer.config).mean())
    assert losses[-1] < 0.5 * losses[0]
    assert after > before + 1.0


def test_exact_depth_is_one_more_term() -> None:
    trainer, batch = small_trainer(depth=0.7), random_batch()
    splats = predict(trainer.network, batch)
    deep = supervised_loss(splats, replace(batch, depth=torch.full((2, 2, 1, 16, 16), 2.0)), trainer.config)
    plain = supervised_loss(splats, batch, trainer.config)
    assert set(deep.parts) - set(plain.parts) == {"depth"}
    torch.testing.assert_close(deep.per_scene, plain.per_scene + 0.7 * deep.parts["depth"])
    assert float(deep.parts["depth"].min()) > 0.0
    slopes = torch.autograd.grad(deep.parts["depth"].sum(), splats.means)[0]
    assert float(slopes.abs().max()) > 0.0


def test_learning_rate_follows_progress_and_small_steps_change_weights() -> None:
    trainer, batch = small_trainer(2, learning_rate=1e-3, matrix_rate=0.03, warmup=0.5), random_batch()
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    report = trainer.step(batch, 0.25)
    assert report.learning_rate == pytest.approx(1e-3 * one_cycle(0.25, 0.5))
    assert {group["lr"] for group in trainer.optimizers[0].param_groups} == {report.learning_rate}
    assert trainer.optimizers[1].param_groups[0]["lr"] == pytest.approx(0.03 * one_cycle(0.25, 0.5))
    assert any(not torch.equal(old, new) for old, new in zip(before, trainer.network.parameters()))


def test_average_follows_slowly() -> None:
    trainer = small_trainer(ema=0.5)
    start = trainer.network.tokens.detach().clone()
    trainer.step(random_batch(), 0.5)  # the first average weighs the new weights with 1 - 1/10
    expected = start + 0.9 * (trainer.network.tokens.detach() - start)
    torch.testing.assert_close(trainer.averaged.tokens.detach(), expected)


def test_broken_steps_are_skipped_then_stop_the_training() -> None:
    trainer, batch = small_trainer(patience=3), random_batch()
    trainer.step(batch, 0.5)
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    poison = batch.target.images.clone()
    poison[0, 0, 0, 0, 0] = float("nan")
    broken = TrainingBatch(batch.context, replace(batch.target, images=poison))
    report = trainer.step(broken, 0.5)
    assert report.skipped
    assert math.isnan(report.losses["loss"])
    assert all(torch.equal(old, new) for old, new in zip(before, trainer.network.parameters()))
    assert not trainer.step(batch, 0.5).skipped
    trainer.step(broken, 0.5)
    trainer.step(broken, 0.5)
    with pytest.raises(TrainingDiverged, match="3 steps in a row were not finite"):
        trainer.step(broken, 0.5)
    assert trainer.skipped == 4
    assert bool(torch.isfinite(trainer.averaged.tokens).all())


@pytest.mark.parametrize("matrix_rate", [0.0, 0.02])
def test_resume_equals_an_uninterrupted_run(tmp_path: Path, matrix_rate: float) -> None:
    torch.manual_seed(7)
    batches = [random_batch() for _ in range(6)]
    whole = small_trainer(matrix_rate=matrix_rate)
    expected = [whole.step(batch, i / 6).losses["loss"] for i, batch in enumerate(batches)]
    first = small_trainer(matrix_rate=matrix_rate)
    for i, batch in enumerate(batches[:3]):
        first.step(batch, i / 6)
    save_state(tmp_path / "state.pt", first.state_dict())
    second = Trainer(TokenGSNetwork(SMALL), TrainingConfig(matrix_rate=matrix_rate))
    second.load_state_dict(read_state(tmp_path / "state.pt"))
    assert second.steps == 3
    resumed = [second.step(batch, (i + 3) / 6).losses["loss"] for i, batch in enumerate(batches[3:])]
    assert resumed == expected[3:]
    for ours, theirs in zip(second.averaged.parameters(), whole.averaged.parameters()):
        assert torch.equal(ours, theirs)


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    other = Trainer(TokenGSNetwork(replace(SMALL, tokens=13)), TrainingConfig(matrix_rate=0.0))
    with pytest.raises(ValueError, match="tokens: 12 there, 13 here"):
        other.load_state_dict(small_trainer().state_dict())


def test_broken_state_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    with pytest.raises(FileNotFoundError, match="no network_training state"):
        read_state(path)
    save_state(path, small_trainer().state_dict())
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:10], b"", b"these are no weights"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"state.pt is truncated or no network_training state"):
            read_state(path)
    torch.save({"weights": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="is no 'tokengs network_training state 1'"):
        read_state(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match=r"\(list\)"):
        read_state(path)


def test_a_failed_save_leaves_the_old_state(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"format": STATE_FORMAT, "value": 1})
    with pytest.raises(Exception, match="pickle"):
        save_state(path, {"format": STATE_FORMAT, "value": lambda: None})
    assert read_state(path)["value"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.pt"]


PRETRAIN = """
import runpy, sys
from dataclasses import replace
from tokengs_nerfstudio.core import network
small = dict(width=32, heads=2, encoder_depth=1, decoder_depth=1, tokens=8, gaussians_per_token=4)
network.PRESETS["tiny"] = replace(network.PRESETS["tiny"], **small)
sys.argv = ["pretrain.py", *sys.argv[1:]]
runpy.run_path("scripts/pretrain.py", run_name="__main__")
"""


def pretrain(output: Path, steps: int) -> "subprocess.Popen[str]":
    options = ["--output", str(output), "--steps", str(steps), "--save-every", "0", "--evaluate-every", "1000"]
    options += ["--held-out", "1", "--data.batch", "2", "--data.side", "16", "--data.late", "2", "--threads", "1"]
    command = [sys.executable, "-c", PRETRAIN, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True)


def logged(output: Path) -> dict[int, dict[str, float]]:
    import json

    lines = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line for line in lines}


@pytest.mark.slow
def test_killed_training_goes_on(tmp_path: Path) -> None:
    """kill -9 in the middle of a run; started again it ends with the losses of a run that was left alone."""
    steps = 12
    alone = pretrain(tmp_path / "alone", steps)
    assert alone.wait(timeout=120) == 0
    victim = pretrain(tmp_path / "killed", steps)
    log = tmp_path / "killed" / "log.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.exists() and len(log.read_text().splitlines()) >= 4):
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    state = tmp_path / "killed" / "state.pt"
    done = read_state(state)["counters"]["steps"] if state.exists() else 0
    again = pretrain(tmp_path / "killed", steps)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert done == 0 or f"going on from {state}: step {done}" in output
    expected, found = logged(tmp_path / "alone"), logged(tmp_path / "killed")
    assert set(found) == set(range(1, steps + 1))
    assert [found[step]["loss"] for step in found] == [expected[step]["loss"] for step in found]
    assert (tmp_path / "killed" / "network.safetensors").is_file()


def test_network_config_is_the_one_trained(tmp_path: Path) -> None:
    state = small_trainer().state_dict()
    assert NetworkConfig(**{**state["architecture"], "multiscale_layers": (), "image_size": (64, 64)}) == SMALL
