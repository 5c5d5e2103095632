"""What nerfstudio's commands were told, read from the command line itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tyro
from nerfstudio.configs.method_configs import all_methods

from tokengs_nerfstudio.command_line import (
    check_camera_path,
    check_format_of_rgba,
    check_numbers,
    check_outputs,
    command,
    offer_ffmpeg,
    option,
    refuse_splatfactos_flags,
    run_that_is_looked_at,
)
from tokengs_nerfstudio.configs import tokengs
from tokengs_nerfstudio.core.errors import UserError


def typed(monkeypatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", [f"/somewhere/bin/{words[0]}", *words[1:]])


def test_options_are_found_however_they_are_written(monkeypatch):
    typed(monkeypatch, "ns-render", "dataset", "--load_config", "a/config.yml", "--names", "rgb", "depth", "--x=3")
    assert command() == "ns-render"
    assert option("--load-config") == ["a/config.yml"]
    assert option("--names") == ["rgb", "depth"]
    assert option("--x") == ["3"]
    assert option("--split") == []


@pytest.mark.parametrize("name", ["ns-viewer", "ns-eval", "ns-export", "ns-render"])
def test_a_run_is_where_its_config_is(monkeypatch, name):
    typed(monkeypatch, name, "--load-config", "moved/run/config.yml")
    assert run_that_is_looked_at() == Path("moved/run")


def test_a_training_makes_a_folder_of_its_own(monkeypatch):
    typed(monkeypatch, "ns-train", "tokengs", "--load-config", "moved/run/config.yml")
    assert run_that_is_looked_at() is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ns-render", "dataset", "--rendered-output-names", "rgba"), "--image-format png"),
        (("ns-render", "dataset", "--rendered-output-names", "rgb", "rgba", "--image-format", "jpeg"), "JPEG"),
        (("ns-render", "interpolate", "--rendered-output-names", "rgba"), "film"),
        (
            ("ns-render", "camera-path", "--rendered-output-names=rgba", "--image-format", "png"),
            "--output-format images",
        ),
    ],
)
def test_pictures_with_alpha_want_a_format_that_has_it(monkeypatch, words, said):
    typed(monkeypatch, *words)
    with pytest.raises(UserError, match=said):
        check_format_of_rgba()


def test_a_camera_path_is_looked_at_before_anything_is_loaded(monkeypatch, tmp_path):
    path = tmp_path / "path.json"
    typed(monkeypatch, "ns-render", "camera-path", "--camera-path-filename", str(path))
    with pytest.raises(UserError, match="no camera path"):
        check_camera_path()
    path.write_text('{"camera_type": "fish"}')
    with pytest.raises(UserError, match="'fish'; choose"):
        check_camera_path()
    typed(monkeypatch, "ns-render", "spiral")
    check_camera_path()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ns-render interpolate --interpolation-steps 0", "--interpolation-steps is 0; a whole number from 1"),
        ("ns-render interpolate --frame_rate=-1", "--frame-rate is -1"),
        ("ns-render spiral --seconds 0", "--seconds is 0"),
        ("ns-render spiral --seconds 0.01", "--seconds 0.01 has no picture at 24 a second"),
        ("ns-render spiral --radius nan", "--radius is nan"),
        ("ns-render dataset --downscale-factor 0", "--downscale-factor is 0"),
        ("ns-render camera-path --jpeg-quality 0", "--jpeg-quality is 0"),
        ("ns-export pointcloud --num-points 0", "--num-points is 0; a whole number from 1"),
        ("ns-export pointcloud --num-points -5", "--num-points is -5"),
        ("ns-export poisson --std-ratio nan", "--std-ratio is nan"),
        ("ns-export tsdf --resolution 128 0 128", "--resolution is 0"),
        ("ns-export tsdf --bounding-box-min 0 inf 0", "--bounding-box-min is inf"),
    ],
)
def test_numbers_of_nerfstudios_commands_have_their_ranges(monkeypatch, words, said):
    typed(monkeypatch, *words.split())
    with pytest.raises(UserError, match=said):
        check_numbers()


@pytest.mark.parametrize(
    "words",
    [
        "ns-render interpolate --interpolation-steps 1 --frame-rate 30 --depth-near-plane None",
        "ns-render spiral --seconds 0.5 --frame-rate 2",
        "ns-export tsdf --resolution 128 --target-num-faces None --bounding-box-min -1 -1 -1",
        "ns-eval --load-config x",
        "ns-train tokengs --seconds 0",
    ],
)
def test_other_numbers_are_fine(monkeypatch, words):
    typed(monkeypatch, *words.split())
    check_numbers()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ns-eval --output-path results.txt", "ends in .json"),
        ("ns-eval --output-path folder.json", "is folder.json, which is a folder"),
        ("ns-eval --output-path file.txt/x.json", "file.txt is a file where a folder is to be"),
        ("ns-eval --output-path /proc/x.json", "--output-path: nothing can be written to /proc"),
        ("ns-eval --render-output-path file.txt", "--render-output-path: file.txt is a file"),
        ("ns-render dataset --output-path file.txt", "file.txt is a file"),
        ("ns-render spiral --output-path film.mp4", "is film.mp4, which is a folder"),
        ("ns-render spiral --output-path file.txt/film.mp4", "file.txt is a file"),
        ("ns-render spiral --output-path file.txt --output-format images", "file is a file"),
        ("ns-export gaussian-splat --output-dir file.txt", "--output-dir: file.txt is a file"),
        ("ns-export gaussian-splat --output-dir new --output-filename ../file.txt/x.ply", "file.txt is a file"),
    ],
)
def test_what_could_not_be_written_in_the_end_is_refused_at_once(monkeypatch, tmp_path, words, said):
    monkeypatch.chdir(tmp_path)
    for folder in ("folder.json", "film.mp4", "new"):
        Path(folder).mkdir()
    for file in ("file.txt", "file"):
        Path(file).touch()
    typed(monkeypatch, *words.split())
    with pytest.raises(UserError, match=said):
        check_outputs()


def test_only_the_places_that_are_named_have_to_be_writable(monkeypatch, tmp_path):
    monkeypatch.chdir("/proc")
    typed(monkeypatch, "ns-eval", "--output-path", str(tmp_path / "x.json"))
    check_outputs()


@pytest.mark.parametrize(
    "words",
    [
        "ns-eval",
        "ns-eval --output-path a/b.json --render-output-path c/d",
        "ns-render dataset --output-path there",
        "ns-render camera-path --output-path there",
        "ns-render camera-path --output-path there --output-format images",
        "ns-export gaussian-splat --output-dir there",
        "ns-train tokengs",
    ],
)
def test_what_can_be_written_is_fine_and_not_made_yet(monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    typed(monkeypatch, *words.split())
    check_outputs()
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize(
    "words",
    [
        ("ns-render", "dataset", "--rendered-output-names", "rgba", "--image-format", "png"),
        ("ns-render", "spiral", "--rendered-output-names", "rgba", "--image-format=png", "--output-format", "images"),
        ("ns-render", "dataset", "--rendered-output-names", "rgb"),
        ("pytest", "--rendered-output-names", "rgba"),
    ],
)
def test_other_formats_are_fine(monkeypatch, words):
    typed(monkeypatch, *words)
    check_format_of_rgba()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pipeline.model.camera-optimizer.mode", "SO3xR3"), "pose-rate"),
        (("--pipeline.model.use_bilateral_grid", "True"), "exposure-rate"),
        (("--pipeline.model.sh-degree=3",), "direction"),
        (("--pipeline.model.sh-degree-interval", "5"), "direction"),
        (("--pipeline.model.cull-alpha-thresh", "0.1"), "max-gaussians"),
        (("--pipeline.datamanager.cache-images-type", "uint8"), "main memory"),
        (("--optimizers.means.optimizer.lr", "1"), "tuning"),
    ],
)
def test_splatfactos_flags_are_answered_with_ours(monkeypatch, words, said):
    typed(monkeypatch, "ns-train", "tokengs", "--data", "x", *words)
    with pytest.raises(SystemExit, match=f"is splatfacto's: .*{said}"):
        refuse_splatfactos_flags()
    typed(monkeypatch, "ns-train", "splatfacto", *words)
    refuse_splatfactos_flags()


def flags(config: object) -> set[str]:
    parser = tyro.extras.get_parser(type(config), default=config)
    return {option for action in parser._actions for option in action.option_strings if option.startswith("--")}


def test_no_flag_of_our_own_is_refused(monkeypatch):
    ours = flags(tokengs.config)
    assert len(ours) > 60
    typed(monkeypatch, "ns-train", "tokengs", *ours)
    refuse_splatfactos_flags()


def test_every_flag_of_splatfacto_is_ours_too_or_is_answered(monkeypatch):
    theirs = flags(all_methods["splatfacto"]) - flags(tokengs.config)
    assert len(theirs) > 100
    for flag in sorted(theirs):
        typed(monkeypatch, "ns-train", "tokengs", flag)
        with pytest.raises(SystemExit, match=f"^Error: {flag} is splatfacto's: "):
            refuse_splatfactos_flags()


def test_ffmpeg_is_found_without_one_on_the_path(monkeypatch, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setenv("PATH", str(tmp_path))
    offer_ffmpeg()
    found = shutil.which("ffmpeg")
    assert found is not None
    assert b"ffmpeg version" in subprocess.run([found, "-version"], capture_output=True, check=True).stdout


def test_the_machines_own_ffmpeg_stays(monkeypatch, tmp_path):
    own = tmp_path / "ffmpeg"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    offer_ffmpeg()
    assert shutil.which("ffmpeg") == str(own)
