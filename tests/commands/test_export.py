"""tokengs-export: a run's folder in, files out."""

import json
import re
import shlex
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made.captures import edit, write_blobs
from made.endings import ended
from made.ply import read_vertices
from made.scenes import blobs
from made.splat_readers import READERS, read_ply
from made.tuned_runs import run_config, trained

from tokengs_nerfstudio.commands.doctor import main as doctor
from tokengs_nerfstudio.commands.export import Export, export, main
from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.splat_parameters import splat_parameters
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.data.finished_run import read_run

PAGE = Path(__file__).resolve().parents[2] / "docs/export.md"


def checkpoint(folder: Path, scene: BakedScene, **scene_record: object) -> Path:
    """A run's folder with a checkpoint of a scene in nerfstudio's world."""
    state = {f"_model.gauss_params.{name}": value for name, value in splat_parameters(scene).items()}
    state["_model._extra_state"] = scene.rendering.as_numbers()  # type: ignore[assignment]
    models = folder / "nerfstudio_models"
    models.mkdir(parents=True)
    torch.save({"step": 1, "pipeline": state, "tuning": {"scene": scene_record}}, models / "step-000000001.ckpt")
    return folder


def moving_scene() -> BakedScene:
    from tokengs_nerfstudio.core.baking import Motion

    first = blobs(20)
    later = replace(first, means=first.means + torch.tensor([1.0, 0, 0]) * (torch.arange(20) < 5)[:, None])
    return BakedScene(first, Motion.between((0.25, 0.75), [first, later]))


def same(found: Gaussians, wanted: Gaussians, within: float = 1e-4) -> None:
    torch.testing.assert_close(found.means, wanted.means.float(), atol=within, rtol=0)
    torch.testing.assert_close(found.scales, wanted.scales.float(), atol=within, rtol=1e-4)
    assert float((found.quats * wanted.quats).sum(-1).abs().min()) > 1 - 1e-5
    torch.testing.assert_close(found.colors, wanted.colors, atol=1e-4, rtol=0)


def test_a_run_becomes_a_file_of_every_format_and_a_page(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "run")
    for place in (tmp_path / "run", tmp_path / "run/config.yml"):
        for ending, reader in READERS.items():
            main([str(place), str(tmp_path / f"out/s{ending}"), "--least-opacity", "0"])
            assert reader(tmp_path / f"out/s{ending}").count == 256
    said = capsys.readouterr().out
    assert "256 of 256 Gaussians, in the capture's frame" in said
    main([str(tmp_path / "run"), str(tmp_path / "page.html")])
    assert "<title>page</title>" in (tmp_path / "page.html").read_text()
    assert not (tmp_path / "page.html.json").exists()


@pytest.mark.parametrize("frame", ["capture", "nerfstudio", "network"])
def test_every_frame_leads_to_the_others(finished, tmp_path, frame):
    main([str(finished), str(tmp_path / "s.ply"), "--frame", frame, "--least-opacity", "0"])
    found, about = read_ply(tmp_path / "s.ply"), json.loads((tmp_path / "s.ply.json").read_text())
    assert (about["frame"], about["files"], about["gaussians"]) == (frame, ["s.ply"], 256)
    run = read_run(finished)
    same(found, run.baked.at().transformed(run.from_nerfstudio(frame)))
    for other in ("capture", "nerfstudio", "network"):
        matrix = torch.tensor(about[f"to_{other}"])
        moved = found.means @ matrix[:3, :3].mT + matrix[:3, 3]
        there = run.from_nerfstudio(other).points(run.baked.still.means.double()).float()
        torch.testing.assert_close(moved, there, atol=1e-4, rtol=1e-4)


def test_in_the_captures_frame_its_own_cameras_see_the_scene(finished, capture):
    """Those of its transforms.json, nothing having been applied to them before."""
    run = read_run(finished)
    ours = run.from_nerfstudio("capture").cameras(run.context.c2w.double())
    listed = json.loads((capture / "transforms.json").read_text())["frames"]
    poses = {frame["file_path"]: torch.tensor(frame["transform_matrix"]) for frame in listed}
    for name, pose in zip(run.record["context"], ours):
        torch.testing.assert_close(pose[:3, 3].float(), poses[name][:3, 3], atol=1e-4, rtol=0)
        torch.testing.assert_close(pose[:3, 2].float(), -poses[name][:3, 2], atol=1e-4, rtol=0)


def test_what_is_faint_outside_of_the_box_or_not_finite_is_left_out(tmp_path):
    scene = blobs(6)
    scene.opacities[0] = 0.01
    scene.means[1] = torch.tensor([9.0, 0.0, 2.0])
    scene.means[2, 0] = float("nan")
    run = checkpoint(tmp_path / "run", BakedScene(scene))
    box = ("--crop", *["-5", "-5", "-5", "5", "5", "5"])
    main([str(run), str(tmp_path / "s.ply"), "--frame", "nerfstudio", "--least-opacity", "0.1", *box])
    same(read_ply(tmp_path / "s.ply"), scene.select(slice(3, 6)))
    assert "none of the 6 Gaussians is left: their centres are" in ended(
        main, run, tmp_path / "t.ply", "--frame", "nerfstudio", "--crop", *["90", "90", "90", "91", "91", "91"]
    )
    assert not (tmp_path / "t.ply").exists()


def test_moments_of_a_scene_that_moves(tmp_path):
    scene = moving_scene()
    run = checkpoint(tmp_path / "run", scene)
    nerfstudios = ("--frame", "nerfstudio")
    for time_, at in ((None, None), ("0.5", 0.5)):
        main([str(run), str(tmp_path / "s.ply"), *nerfstudios, *(() if time_ is None else ("--time", time_))])
        same(read_ply(tmp_path / "s.ply"), scene.at(at))
    main([str(run), str(tmp_path / "all.ply"), *nerfstudios, "--time", "all"])
    about = json.loads((tmp_path / "all.ply.json").read_text())
    assert (about["files"], about["times"]) == (["all_000.ply", "all_001.ply"], [0.25, 0.75])
    for name, at in zip(about["files"], about["times"]):
        same(read_ply(tmp_path / name), scene.at(at))
    assert not (tmp_path / "all.ply").exists()


def test_a_scene_that_stands_still_is_the_same_at_all_times(tmp_path):
    run = checkpoint(tmp_path / "run", BakedScene(blobs(3)))
    main([str(run), str(tmp_path / "s.ply"), "--frame", "nerfstudio", "--time", "all"])
    assert json.loads((tmp_path / "s.ply.json").read_text())["files"] == ["s.ply"]
    assert "--time 0.5: the scene of" in ended(main, run, tmp_path / "t.ply", "--frame", "nerfstudio", "--time", "0.5")
    assert not (tmp_path / "t.ply").exists()


def test_a_run_whose_settings_are_cut_short_is_exported_and_looked_at(finished, tmp_path):
    """Nothing of config.yml is read: what the commands of ours need is in the checkpoint."""
    shutil.copytree(finished, tmp_path / "run")
    settings = (tmp_path / "run/config.yml").read_text()
    (tmp_path / "run/config.yml").write_text(settings[: len(settings) // 2])
    main([str(tmp_path / "run"), str(tmp_path / "s.ply")])
    assert (tmp_path / "s.ply").is_file()
    assert doctor([str(tmp_path / "run")]) == 0


def test_many_gaussians_are_quick(tmp_path):
    """262,144 of them under a second of this process's time: read, chosen, moved and written."""
    frame = {"dataparser_transform": torch.eye(4)[:3], "dataparser_scale": 0.5}
    run = checkpoint(tmp_path / "run", BakedScene(blobs(262_144)), **frame)
    times = []
    for _ in range(3):
        started = time.process_time()
        list(export(Export(run, tmp_path / "s.ply")))
        times.append(time.process_time() - started)
    assert len(read_vertices(tmp_path / "s.ply")) == 262_144
    assert min(times) < 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("s.ply",), "does not say where the capture's own world is: --frame nerfstudio, or train again"),
        (("s.ply", "--frame", "network"), "does not say which frame the network worked in: --frame capture or"),
        (("s.html", "--frame", "nerfstudio"), "does not say from where its photos were taken"),
        (("copy", "--as-capture", "--frame", "nerfstudio"), "does not say where its capture was: give its folder"),
    ],
)
def test_runs_that_say_too_little_say_so(tmp_path, options, said):
    run = checkpoint(tmp_path / "run", BakedScene(blobs(3), rendering=RenderConfig()))
    assert said in ended(main, run, tmp_path / options[0], *options[1:])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("s.obj",), "its ending says no format; one of .compressed.ply, .ply, .spz, .splat, .html does"),
        (("s.ply", "--crop", "1", "0", "0", "0", "1", "1"), "first the least x y z, then the greatest"),
        (("s.ply", "--least-opacity", "2"), "--least-opacity is 2"),
        (("s.ply", "--capture", "x"), "only --as-capture reads the capture"),
        (("s.ply",), "no finished run at"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, options, said):
    assert said in ended(main, tmp_path / "nowhere", tmp_path / options[0], *options[1:])


def test_other_files_are_no_runs(tmp_path):
    file = tmp_path / "nerfstudio_models/step-000000001.ckpt"
    file.parent.mkdir()
    torch.save({"pipeline": {"weights": torch.zeros(2)}}, file)
    assert "cannot be read as a checkpoint of `ns-train tokengs`" in ended(main, tmp_path, tmp_path / "s.ply")
    assert "cannot be read as a checkpoint of `ns-train tokengs`" in ended(main, file, tmp_path / "s.ply")


def test_a_world_far_from_its_origin_wants_another_frame(tmp_path):
    far = torch.eye(4, dtype=torch.float64)[:3]
    far[:, 3] = -torch.tensor([4e5, 5e6, 100.0])
    run = checkpoint(tmp_path / "run", BakedScene(blobs(9)), dataparser_transform=far, dataparser_scale=1.0)
    assert "where 32 bits are" in ended(main, run, tmp_path / "s.ply")
    main([str(run), str(tmp_path / "s.ply"), "--frame", "nerfstudio"])
    there = json.loads((tmp_path / "s.ply.json").read_text())["to_capture"]
    assert np.array(there)[:3, 3] == pytest.approx([4e5, 5e6, 100.0])


def test_a_mirrored_world_is_refused(tmp_path):
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0, 1.0]))[:3]
    run = checkpoint(tmp_path / "run", BakedScene(blobs(3)), dataparser_transform=mirror, dataparser_scale=1.0)
    assert "sheared or mirrored" in ended(main, run, tmp_path / "s.ply")


@pytest.fixture(scope="module")
def applied(weights, tmp_path_factory) -> Path:
    """A run on a capture that ns-process-data had turned and scaled, with photos that are held out."""
    folder = tmp_path_factory.mktemp("applied")
    write_blobs(folder / "scene", test=[3, 7])
    rows = [[0.0, 1.0, 0.0, 0.5], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 2.0]]
    edit(folder / "scene", lambda meta: meta.update(applied_transform=rows, applied_scale=2.0))
    trained(run_config(folder / "scene", weights, folder / "out", steps=1))
    return folder


def test_nerfstudio_loads_the_points_where_our_gaussians_are(applied, tmp_path):
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig

    run = applied / "out/blobs/tokengs/run"
    main([str(run), str(tmp_path / "again"), "--as-capture", "--least-opacity", "0"])
    parser = NerfstudioDataParserConfig(data=tmp_path / "again", load_3D_points=True).setup()
    outputs = parser.get_dataparser_outputs("train")
    baked = read_run(run).baked.still
    points = outputs.metadata["points3D_xyz"]
    torch.testing.assert_close(points, baked.means, atol=1e-4, rtol=1e-4)
    colors = outputs.metadata["points3D_rgb"].int() - 255 * baked.colors
    assert float(colors.abs().max()) <= 1.5
    assert (len(outputs.image_filenames), len(parser.get_dataparser_outputs("val").image_filenames)) == (8, 2)
    photos = [(tmp_path / "again/images" / path.name).read_bytes() for path in outputs.image_filenames]
    originals = [path.read_bytes() for path in sorted((applied / "scene/images").iterdir())]
    assert photos == [originals[number] for number in (0, 1, 2, 4, 5, 6, 8, 9)]


def test_a_capture_that_was_moved_is_given_and_another_is_refused(applied, capture, tmp_path):
    shutil.copytree(applied / "scene", tmp_path / "elsewhere")
    run = applied / "out/blobs/tokengs/run"
    main([str(run), str(tmp_path / "a"), "--as-capture", "--capture", str(tmp_path / "elsewhere")])
    assert (tmp_path / "a/points.ply").is_file()
    assert "is not that of the run" in ended(main, run, tmp_path / "b", "--as-capture", "--capture", capture)
    assert "holds a capture" in ended(main, run, tmp_path / "a", "--as-capture")


def test_the_capture_of_a_film_is_where_its_poses_are(applied, tmp_path):
    shutil.copytree(applied / "scene", tmp_path / "film_capture")
    edit(tmp_path / "film_capture", lambda meta: meta.update(posed_from={"settings": {}, "files": [], "left_out": {}}))
    run = applied / "out/blobs/tokengs/run"
    main([str(run), str(tmp_path / "a"), "--as-capture", "--capture", str(tmp_path / "film.mp4")])
    assert (tmp_path / "a/points.ply").is_file()


@pytest.mark.gpu
def test_splatfacto_starts_from_it(applied, tmp_path):
    import subprocess
    import sys

    main([str(applied / "out/blobs/tokengs/run"), str(tmp_path / "again"), "--as-capture", "--least-opacity", "0"])
    command = [str(Path(sys.executable).parent / "ns-train"), "splatfacto", "--data", str(tmp_path / "again")]
    options = ["--output-dir", str(tmp_path), "--timestamp", "t", "--max-num-iterations", "2"]
    quiet = ["--viewer.quit-on-train-completion", "True"]
    done = subprocess.run([*command, *options, *quiet], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    state = torch.load(next(tmp_path.rglob("step-*.ckpt")), map_location="cpu", weights_only=False)["pipeline"]
    baked = read_run(applied / "out/blobs/tokengs/run").baked.still
    torch.testing.assert_close(state["_model.gauss_params.means"], baked.means, atol=1e-2, rtol=0)


def test_the_page_in_docs_is_what_the_command_takes():
    blocks = re.findall(r"```(?:bash)?\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    ours = [words[1:] for words in lines if words[:1] == ["tokengs-export"]]
    assert len(ours) > 5
    for words in ours:
        parsed("tokengs-export", Export, words, positional=True)


def test_what_a_format_loses_of_colours_is_said(tmp_path, capsys):
    scene = replace(blobs(6), harmonics=torch.randn(6, 3, 3))
    run = checkpoint(tmp_path / "run", BakedScene(scene, rendering=RenderConfig()))
    for name, lost in (("s.ply", False), ("s.spz", True), ("s.splat", True)):
        main([str(run), str(tmp_path / name), "--frame", "nerfstudio"])
        assert ("colours change with the direction is lost" in capsys.readouterr().out.replace("\n", " ")) == lost
    assert "f_rest_8" in read_vertices(tmp_path / "s.ply").dtype.names
