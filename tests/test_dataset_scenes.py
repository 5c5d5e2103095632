"""Single scenes of data sets through `tokengs-data` and `ns-train tokengs`."""

from pathlib import Path

import pytest
import torch
from made.captures import write_weights
from made.datasets import HASHES, write_dl3dv, write_kubric, write_re10k
from test_commands import run

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.data.unpacking import scene_at
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def made(kind: str, folder: Path) -> Path:
    match kind:
        case "re10k":
            return write_re10k(folder, 1, 1, frames=5) / "train/000000.torch#key-0"
        case "kubric":
            return write_kubric(folder, 1, cameras=3, moments=2) / "v0/scn00000"
        case _:
            return write_dl3dv(folder, 1, 5) / f"1K/{HASHES[0]}.zip"


@pytest.mark.parametrize("kind", ["dl3dv", "re10k", "kubric"])
def test_a_scene_is_parsed_as_a_capture(tmp_path, kind, capsys):
    path = made(kind, tmp_path)
    options = {"eval_mode": "all", "orientation_method": "none", "center_method": "none", "auto_scale_poses": False}
    config = TokenGSDataParserConfig(data=path, **options)  # type: ignore[arg-type]
    parser, scene = config.setup(), scene_at(path)
    parsed = parser.get_dataparser_outputs("train")
    assert scene is not None
    assert len(parsed.image_filenames) == len(scene)
    assert all(file.is_file() for file in parsed.image_filenames)
    assert parser.includes_time == (kind == "kubric")
    c2w, intrinsics = bridge.camera_matrices(parsed.cameras)
    torch.testing.assert_close(c2w, scene.c2w, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(intrinsics, scene.intrinsics, atol=1e-4, rtol=1e-5)
    assert parsed.cameras.height.unique().tolist() == [scene.image_size[0]]
    assert capsys.readouterr().out.count("Unpacking") == 1
    config.setup().get_dataparser_outputs("train")
    assert "Unpacking" not in capsys.readouterr().out


def test_what_is_wrong_with_a_scene_is_said(tmp_path):
    with pytest.raises(ValueError, match="there is no DL3DV scene"):
        TokenGSDataParserConfig(data=tmp_path / "gone.zip").setup().get_dataparser_outputs("train")


@pytest.mark.slow
def test_a_zip_is_trained_on_and_evaluated_by_the_real_commands(tmp_path):
    write_weights(tmp_path / "small.safetensors")
    trained = run(
        "ns-train", "tokengs", "--data", made("dl3dv", tmp_path), "--output-dir", tmp_path / "outputs", "--timestamp",
        "run", "--max-num-iterations", 2, "--vis", "tensorboard", "--viewer.quit-on-train-completion", "True",
        "--pipeline.model.checkpoint", tmp_path / "small.safetensors", cwd=tmp_path,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert "Unpacking 5 images of" in trained.stdout
    (config,) = (tmp_path / "outputs").glob("*/tokengs/run/config.yml")
    found = run("ns-eval", "--load-config", config, "--output-path", tmp_path / "scores.json", cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    assert (tmp_path / "scores.json").is_file()
