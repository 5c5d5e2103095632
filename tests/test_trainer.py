"""Which checkpoint a run goes on from."""

import sys

import pytest
from made.tuned_runs import run_config, saved, trained

from tokengs_nerfstudio import model
from tokengs_nerfstudio.trainer import TokenGSTrainerConfig, newest_checkpoint


def test_a_run_without_checkpoint_says_why(tmp_path):
    (tmp_path / "config.yml").touch()
    with pytest.raises(FileNotFoundError, match="ended before its first checkpoint was complete"):
        newest_checkpoint(tmp_path)
    (tmp_path / "nerfstudio_models").mkdir()
    with pytest.raises(FileNotFoundError, match="ended before its first checkpoint was complete"):
        newest_checkpoint(tmp_path / "nerfstudio_models")
    (tmp_path / "nerfstudio_models/step-000000002.ckpt").touch()
    with pytest.raises(FileNotFoundError, match="no checkpoint of step 5"):
        newest_checkpoint(tmp_path, step=5)


def test_a_moved_run_is_found_by_its_config(tmp_path, monkeypatch):
    """`ns-viewer --load-config NEW/config.yml`: the config itself still names the old place."""
    config = TokenGSTrainerConfig(
        method_name="tokengs", experiment_name="x", output_dir=tmp_path / "old", timestamp="t"
    )
    monkeypatch.setattr(sys, "argv", ["ns-viewer", "--load-config", str(tmp_path / "new/config.yml")])
    assert config.get_base_dir() == tmp_path / "old/x/tokengs/t"
    (tmp_path / "new/nerfstudio_models").mkdir(parents=True)
    assert config.get_checkpoint_dir() == tmp_path / "new/nerfstudio_models"
    monkeypatch.setattr(sys, "argv", ["ns-train", "tokengs", "--load-config", str(tmp_path / "new/config.yml")])
    assert config.get_base_dir() == tmp_path / "old/x/tokengs/t"


def test_how_sure_a_run_is_is_found_once_for_its_checkpoint(capture, weights, tmp_path, monkeypatch):
    asked, confidences = [], model.confidences
    monkeypatch.setattr(model, "confidences", lambda *scene: asked.append(scene) or confidences(*scene))
    trained(run_config(capture, weights, tmp_path, steps=1))
    assert len(asked) == 1
    assert len(saved(tmp_path)["pipeline"]["_model.gauss_params.confidence"]) == asked[0][0].count
