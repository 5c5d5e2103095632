"""Numerics and names that a rebuild must not move. `traces.py` makes the traces; the runs are of an earlier version."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from frozen.traces import THEN, traces
from made.captures import edit, write_blobs, write_weights
from made.tuning import tuning_config
from nerfstudio.utils.eval_utils import eval_setup

from tokengs_nerfstudio.configs import tokengs
from tokengs_nerfstudio.core import load_network

FROZEN = Path(__file__).parent
TORCH = "2.7"


@pytest.fixture(scope="module")
def now() -> dict[str, list[float]]:
    threads = torch.get_num_threads()
    try:
        return traces()
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", json.loads((FROZEN / "traces.json").read_text()))
def test_losses_are_those_of_before(now, name):
    """Another processor rounds differently, and the difference grows from step to step."""
    if not torch.__version__.startswith(f"{TORCH}."):
        pytest.skip(f"the traces are of torch {TORCH}; those of 2.4 were others, and this is {torch.__version__}")
    before = torch.tensor(json.loads((FROZEN / "traces.json").read_text())[name])
    assert len(now[name]) == len(before)
    torch.testing.assert_close(torch.tensor(now[name])[:12], before[:12], rtol=2e-4, atol=1e-5)
    torch.testing.assert_close(torch.tensor(now[name]), before, rtol=0.1, atol=0.02)


def test_parameters_keep_their_names_and_shapes():
    ours = {name: list(parameter.shape) for name, parameter in load_network("tiny").state_dict().items()}
    assert ours == json.loads((FROZEN / "tiny_keys.json").read_text())


@pytest.fixture
def old_run(tmp_path, monkeypatch, request) -> Path:
    """A finished run of version 0.1 and its capture, where its relative paths lead."""
    name = request.param
    write_blobs(tmp_path / name, height=40, width=48)
    if name == "moving":
        edit(tmp_path / name, lambda meta: [frame.update(time=i / 9) for i, frame in enumerate(meta["frames"])])
    shutil.copytree(FROZEN / "runs" / name, tmp_path / "outputs" / name / "tokengs/run")
    monkeypatch.chdir(tmp_path)
    return Path("outputs") / name / "tokengs/run"


@pytest.mark.parametrize("old_run", ["scene", "moving"], indirect=True)
def test_old_runs_evaluate_as_they_did(old_run):
    """Viewing, rendering and exporting begin with the same step; what is seen is what was seen."""
    _, pipeline, _, _ = eval_setup(old_run / "config.yml", test_mode="test")
    expected = json.loads((FROZEN / "runs/results.json").read_text())[old_run.parts[1]]
    metrics = pipeline.get_average_eval_image_metrics()
    assert metrics["held_out_images"] == expected["held_out_images"]
    assert metrics["psnr"] == pytest.approx(expected["psnr"], abs=2e-3)
    assert metrics["ssim"] == pytest.approx(expected["ssim"], abs=1e-4)
    assert bool(pipeline.model.baked_times) == (old_run.parts[1] == "moving")


def test_flat_settings_of_old_runs_are_read_into_the_nested_ones():
    tuning = yaml.load((FROZEN / "runs/scene/config.yml").read_text(), Loader=yaml.Loader).pipeline.model.tuning
    expected = tuning_config(
        **THEN | {"means_rate": 0.011}, space="tokens+gaussians", rule="steps", tokens_rate=0.01, pose_rate=1e-3,
        levels=((0.0, 2.0), (0.5, 1.0)), max_gaussians=200,
    )  # fmt: skip
    assert tuning == expected
    usual = yaml.load((FROZEN / "runs/moving/config.yml").read_text(), Loader=yaml.Loader).pipeline.model.tuning
    assert usual == tuning_config(**THEN)
    assert yaml.load(yaml.dump(expected), Loader=yaml.Loader) == expected


@pytest.mark.parametrize("old_run", ["scene"], indirect=True)
def test_resuming_an_old_run_is_refused_in_one_line(old_run, tmp_path):
    write_weights(tmp_path / "small.safetensors")
    config = yaml.load((old_run / "config.yml").read_text(), Loader=yaml.Loader)
    config.vis, config.load_dir, config.timestamp = "tensorboard", old_run, "again"
    with pytest.raises(SystemExit, match=r"version 0\.1 .*start anew without --load-dir"):
        config.setup(local_rank=0, world_size=1).setup()


def test_the_configuration_has_its_frozen_fields():
    """A field that a user's config.yml may hold never goes, and no class moves: add to the file when one is added."""
    assert yaml.dump(tokengs.config.pipeline).splitlines() == (FROZEN / "pipeline.yml").read_text().splitlines()
