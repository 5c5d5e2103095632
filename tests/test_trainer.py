"""Which checkpoint a run goes on from."""

import pytest

from tokengs_nerfstudio.trainer import newest_checkpoint


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
