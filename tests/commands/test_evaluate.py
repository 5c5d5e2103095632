"""tokengs-evaluate: from data and weights to tables."""

import json

import pytest
import torch
from made.endings import ended
from made.evaluations import metrics, options

from tokengs_nerfstudio.commands import evaluate
from tokengs_nerfstudio.commands.evaluate import Run, main
from tokengs_nerfstudio.core import load_network, prepare
from tokengs_nerfstudio.core import metrics as metrics_of_pictures
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.evaluation import score, shown
from tokengs_nerfstudio.core.geometry.resize import resized
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data import NerfstudioCapture, spread_views


def test_captures_are_scored_as_one_would_by_hand(root, capsys):
    Run(options(root)).evaluate()
    found = {record["scene"]: record["means"] for record in metrics(root / "out")["scenes"]}
    assert list(found) == ["blobs6", "blobs7", "blobs8"]
    network = load_network(root / "small.safetensors")
    capture = NerfstudioCapture(root / "data/blobs8")
    context = spread_views(capture.c2w, 3, [0, 1, 3, 4, 5, 7])
    asked = resized(capture.load([2, 6]), 24, 32, "area")
    scene = prepare(network, Example(capture.load(context), asked))
    with torch.no_grad():
        splats = network(scene.example.context.unsqueeze()).squeeze()
    expected = score(shown(splats, scene.example.target, network.config.rendering(scene.example)), asked.images).means()
    assert found["blobs8"]["psnr"] == pytest.approx(expected["psnr"], abs=1e-4)
    assert found["blobs8"]["ssim"] == pytest.approx(expected["ssim"], abs=1e-5)
    said = capsys.readouterr().out
    assert said.count("LPIPS is left out") == 1
    assert "results: " in said


def test_what_was_measured_and_with_what_stands_beside_the_numbers(root):
    Run(options(root, scored="novel", seed=5)).evaluate()
    about = metrics(root / "out")["about"]
    told = {"preset": "captures", "scored": "novel", "context_counts": False, "seed": 5, "dtype": "fp32"}
    assert {name: about[name] for name in told} == told
    assert about["versions"]["torch"] == torch.__version__
    assert (about["device"], about["threads"], about["context_views"]) == ("cpu", 1, 3)
    assert about["photo_sizes"] == [[24, 32]]
    assert (about["scenes"], about["of_scenes"], about["missing"], about["broken"]) == (3, 3, [], {})
    text = (root / "out/metrics.txt").read_text()
    assert text.splitlines()[1].split()[:3] == ["scene", "psnr", "ssim"]
    assert len((root / "out/metrics.csv").read_text().splitlines()) == 5


def test_robustness_is_measured_beside(root, capsys):
    changes = {"pose_noise": ((2.0, 0.1),), "context_extension": (2, 4), "extrapolation": True, "views": 2}
    Run(options(root, **changes)).evaluate()
    plain = metrics(root / "out")["mean"]["psnr"]
    rows = json.loads((root / "out/pose_noise.json").read_text())["rows"]
    assert rows[0]["psnr"] == plain
    assert rows[1]["psnr"] != plain
    rows = json.loads((root / "out/context_extension.json").read_text())["rows"]
    assert [row["scenes"] for row in rows] == [3, 3]
    rows = json.loads((root / "out/extrapolation.json").read_text())["rows"]
    assert sum(row["views"] for row in rows) == 6 + 7 + 8 - 3 * 2
    said = capsys.readouterr().out
    assert all(word in said for word in ("as given", "4 views", "between"))
    assert len(list((root / "out").glob("*.svg"))) == 3


def test_a_change_that_no_scene_can_bear_is_said(root, capsys):
    Run(options(root, limit=1, context_extension=(2, 24))).evaluate()
    assert "Number of context views: no table, for no scene has frames enough" in capsys.readouterr().out
    assert not list((root / "out").glob("context_extension*"))


def test_a_broken_scene_is_named_and_left_out_until_there_are_too_many(root, capsys):
    (root / "data/blobs7/transforms.json").write_text("{")
    with pytest.raises(UserError, match=r"1 of 3 scenes cannot be evaluated.*blobs7.*--broken"):
        Run(options(root)).evaluate()
    capsys.readouterr()
    Run(options(root, broken=0.5, token_count=(8,))).evaluate()
    content = metrics(root / "out")
    assert [record["scene"] for record in content["scenes"]] == ["blobs6", "blobs8"]
    assert "JSON" in content["about"]["broken"]["blobs7"]
    assert capsys.readouterr().out.count("left out: blobs7") == 1


def test_a_tuning_that_the_weights_cannot_have_ends_it_at_once(root):
    with pytest.raises(UserError, match="'latents', but these weights have no scene latents"):
        Run(options(root, tuning="latents"))


def test_lpips_is_said_to_be_of_the_scenes_that_have_it(root, monkeypatch):
    def distance(made, true):
        return (made - true).abs().flatten(1).mean(1)

    for module in (evaluate, metrics_of_pictures):
        monkeypatch.setattr(module, "perceptual_distance", lambda network: distance)
    Run(options(root, limit=2)).evaluate()
    content = metrics(root / "out")
    assert content["about"]["lpips"] == "measured"
    assert 0 < content["mean"]["lpips"] < 1
    monkeypatch.undo()
    Run(options(root)).evaluate()
    content = metrics(root / "out")
    assert content["about"]["lpips"] == "of 2 scenes alone, so without a mean"
    assert "lpips" not in content["mean"]


def test_a_defect_is_no_broken_scene(root, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(evaluate, "load", broken)
    with pytest.raises(ZeroDivisionError):
        Run(options(root)).evaluate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a preset: dl3dv-2view"),
        (["captures"], "--data"),
        (["captures", "--data", "nowhere"], "there is no folder nowhere"),
        (["dl3dv-2view", "--data", ".", "--views", "3"], "--views: those of an evaluation index are given"),
        (["captures", "--data", ".", "--views", "3", "--index", "a.json"], "--views: those of an evaluation index"),
        (["kubric", "--data", ".", "--images", "images_8"], "--images: only DL3DV has several folders"),
        (["kubric", "--data", ".", "--extrapolation"], "--extrapolation"),
        (["nonsense", "--data", "."], "nonsense"),
        (["captures", "--data", ".", "--pose-noise", "200", "0"], "--pose-noise"),
        (["captures", "--data", ".", "--tuning-steps", "0"], "--tuning-steps is 0"),
        (["captures", "--data", ".", "--device", "tpu"], "there is no device 'tpu'"),
    ],
)
def test_wrong_options_end_with_one_line(arguments, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert said in ended(main, *arguments)


def test_the_command_itself(root, capsys):
    options(root)
    weights = ["--checkpoint", str(root / "small.safetensors"), "--output", str(root / "cli")]
    main(["captures", "--data", str(root / "data"), *weights, "--short-side", "24", "--limit", "1", "--device", "cpu"])
    assert metrics(root / "cli")["about"]["scenes"] == 1
    assert "blobs6" in capsys.readouterr().out


def test_the_list_of_weights_names_them_and_evaluates_nothing(capsys):
    main(["--list"])
    text = capsys.readouterr().out
    assert "tiny: comes with the package" in text
    assert "latent-6view-ssim: DL3DV, 6 views" in text
    assert "licence of these: the authors' code is Apache-2.0" in text
