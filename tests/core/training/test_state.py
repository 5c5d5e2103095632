from pathlib import Path

import pytest
import torch
from made.training import small_training

from tokengs_nerfstudio.core.training.state import STATE_FORMAT, read_state, save_state


def test_broken_state_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    with pytest.raises(FileNotFoundError, match="no training state"):
        read_state(path)
    save_state(path, small_training().state_dict())
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:10], b"", b"these are no weights"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"state.pt is truncated or no training state"):
            read_state(path)
    torch.save({"weights": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="is no 'tokengs training state 1'"):
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
