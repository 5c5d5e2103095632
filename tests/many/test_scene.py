"""One capture in a worker: what it leaves, and that this is what ns-train makes of it."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made.captures import edit, mask_left_half, write_blobs, write_capture
from made.jobs import jobs
from made.ply import read_vertices
from made.tuned_runs import in_the_capture, run_config, saved, trained
from made.tuning import tuning_config
from PIL import Image

from tokengs_nerfstudio.core.evaluation import view_psnr
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.data.splat_files import write_ply
from tokengs_nerfstudio.many import scene
from tokengs_nerfstudio.many.captures import Capture
from tokengs_nerfstudio.many.folder import Job, ResultFolder
from tokengs_nerfstudio.many.options import Plan
from tokengs_nerfstudio.many.worker import Worker, logged
from tokengs_nerfstudio.trainer import newest_checkpoint

MIRROR = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0]]
TUNING = tuning_config(space="tokens", rule="steps")


def plan_of(weights: Path, **changes) -> Plan:
    return replace(Plan(str(weights), steps=4, tuning=TUNING, device="cpu", pictures=2), **changes)


def job_of(folder: Path, capture: Path) -> Job:
    return Job(Capture("blobs", capture), {"steps": 4}, folder / "unfinished/blobs")


@pytest.fixture(scope="module")
def done(capture, weights, tmp_path_factory) -> Path:
    """The folder of the session's capture after four steps."""
    job = job_of(tmp_path_factory.mktemp("many"), capture)
    problem = Worker(plan_of(weights), torch.get_num_threads()).reconstruct(job)
    assert problem is None, (job.folder / "log.txt").read_text()
    return job.folder


def test_a_capture_leaves_splats_scores_pictures_a_log_and_a_run(done):
    expected = {"splats.ply", "metrics.json", "pictures", "log.txt", "config.yml", "plan.json"}
    assert {path.name for path in done.iterdir()} == expected | {"nerfstudio_models", "dataparser_transforms.json"}
    metrics = json.loads((done / "metrics.json").read_text())
    assert metrics["identity"] == {"steps": 4}
    assert metrics["held_out_images"] == len(metrics["views"]["psnr"]) == len(metrics["photos"]) == 2
    assert metrics["means"]["psnr"] == pytest.approx(np.mean(metrics["views"]["psnr"]))
    assert set(metrics["means"]) >= {"psnr", "ssim"}
    assert metrics["steps"] == 4
    seconds = metrics["seconds"]
    parts = sum(seconds[part] for part in ("loading weights", "reading and encoding", "tuning", "evaluation"))
    assert 0 < parts < seconds["whole"]
    assert len(read_vertices(done / "splats.ply")) == metrics["gaussians"] > 0
    assert "supervised by" in (done / "log.txt").read_text()
    with Image.open(done / "pictures/000.jpg") as picture:
        assert picture.size == (2 * 48, 40)


def test_it_is_what_ns_train_makes_of_it(done, capture, weights, tmp_path):
    trained(run_config(capture, weights, tmp_path))
    theirs = saved(tmp_path)
    write_ply(tmp_path / "theirs.ply", in_the_capture(tmp_path / "blobs/tokengs/run"))
    assert (tmp_path / "theirs.ply").read_bytes() == (done / "splats.ply").read_bytes()
    ours = torch.load(newest_checkpoint(done), weights_only=True)
    for name, value in theirs["pipeline"].items():
        assert not torch.is_tensor(value) or torch.equal(value, ours["pipeline"][name]), name


def test_cameras_of_the_capture_see_in_the_file_what_was_scored(done, capture):
    found = read_vertices(done / "splats.ply")
    columns = {name: torch.from_numpy(np.array(found[name])) for name in found.dtype.names}
    splats = Gaussians(
        means=torch.stack([columns[name] for name in "xyz"], dim=1),
        quats=torch.stack([columns[f"rot_{place}"] for place in range(4)], dim=1),
        scales=torch.stack([columns[f"scale_{place}"] for place in range(3)], dim=1).exp(),
        opacities=columns["opacity"].sigmoid(),
        colors=0.5 + 0.28209479 * torch.stack([columns[f"f_dc_{place}"] for place in range(3)], dim=1),
    )
    run = torch.load(newest_checkpoint(done), weights_only=True)["tuning"]["scene"]
    near, far = (plane / run["dataparser_scale"] for plane in run["near_far"])
    photos = NerfstudioCapture(capture)
    held_out = photos.load(photos.split().test)
    seen = view_psnr(splats, held_out, RenderConfig(near=near, far=far, background=0.5))
    scored = json.loads((done / "metrics.json").read_text())["views"]["psnr"]
    np.testing.assert_allclose(seen, scored, atol=0.02)


def test_weights_are_loaded_once_a_worker(capture, weights, tmp_path, monkeypatch):
    loaded, load = [], scene.load_network
    monkeypatch.setattr(scene, "load_network", lambda name, **options: loaded.append(name) or load(name, **options))
    worker = Worker(plan_of(weights, steps=0), torch.get_num_threads())
    for name in ("one", "two"):
        assert worker.reconstruct(replace(job_of(tmp_path, capture), folder=tmp_path / name)) is None
    assert loaded == [str(weights)]
    assert (tmp_path / "one/splats.ply").read_bytes() == (tmp_path / "two/splats.ply").read_bytes()


def test_options_are_those_of_ns_train(capture, weights, tmp_path):
    masked = write_blobs(tmp_path / "masked", height=40, width=48)
    mask_left_half(masked, (48, 40))
    plan = plan_of(weights, context=2, tokens=16, max_image_size=24, antialiased=True, steps=2)
    job = job_of(tmp_path, masked)
    assert Worker(plan, torch.get_num_threads()).reconstruct(job) is None
    run = torch.load(newest_checkpoint(job.folder), weights_only=True)
    assert len(run["tuning"]["scene"]["context"]) == 2
    assert run["tuning"]["scene"]["size"] == [20, 24]
    assert run["pipeline"]["_model._extra_state"]["antialiased"]
    assert json.loads((job.folder / "metrics.json").read_text())["gaussians"] == 16 * 8


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda folder: (folder / "transforms.json").write_text("{"), "transforms.json"),
        (lambda folder: [photo.unlink() for photo in folder.glob("images/*")], "do not exist"),
        (lambda folder: (folder / "images/frame_000.png").write_bytes(b"no photo"), "frame_000.png"),
        (lambda folder: edit(folder, lambda meta: meta.update(applied_transform=MIRROR)), "sheared or mirrored"),
    ],
    ids=["json", "photos gone", "photo broken", "mirrored"],
)
def test_what_is_wrong_comes_in_one_line_and_with_a_log(break_it, said, weights, tmp_path):
    broken = write_capture(tmp_path / "broken", count=4)
    break_it(broken)
    job = job_of(tmp_path, broken)
    problem = Worker(plan_of(weights), torch.get_num_threads()).reconstruct(job)
    assert problem is not None
    assert said in problem
    assert "\n" not in problem
    assert "Traceback" in (job.folder / "log.txt").read_text()


def test_everything_that_is_said_goes_to_the_log(tmp_path, capfd):
    with logged(tmp_path / "log.txt"):
        print("by Python")
        os.write(2, b"by a library\n")
        subprocess.run(["echo", "by a program"], check=True)
        assert "by Python" in (tmp_path / "log.txt").read_text()  # there also if the process dies now
    print("after")
    assert (tmp_path / "log.txt").read_text().splitlines() == ["by Python", "by a library", "by a program"]
    assert capfd.readouterr().out == "after\n"


def test_a_defect_is_named_too(tmp_path, monkeypatch):
    worker = Worker(Plan(), 1)
    monkeypatch.setattr(worker, "_reconstruct", lambda job: 1 / 0)
    with_folder = ResultFolder(tmp_path, {})
    (job,) = jobs(with_folder, "a")
    assert worker.reconstruct(job) == "ZeroDivisionError: division by zero"
