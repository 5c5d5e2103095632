"""The dataparser on photos that have no poses yet."""

import pytest

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig


def test_photos_without_poses_are_posed_and_said(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pycolmap", reason="structure from motion is pycolmap's")
    from made.walk import walk, write_photos

    folder = write_photos(tmp_path / "photos[b]", walk(6))
    parser = TokenGSDataParserConfig(data=folder, eval_mode="all").setup()
    assert not parser.includes_time
    assert not (folder / "transforms.json").exists()
    found = parser.get_dataparser_outputs("train")
    assert [path.name for path in found.image_filenames] == [f"p{k:02d}.png" for k in range(6)]
    said = " ".join(capsys.readouterr().out.split())
    assert "photos[b] has no poses yet: finding them" in said
    assert "6 of 6 photos posed" in said
    TokenGSDataParserConfig(data=folder).setup().get_dataparser_outputs("train")
    assert "poses" not in capsys.readouterr().out


def test_what_cannot_be_posed_is_said_where_outputs_are_asked_for(tmp_path):
    from made.walk import walk, write_photos

    folder = write_photos(tmp_path / "photos", walk(2))
    parser = TokenGSDataParserConfig(data=folder).setup()
    assert not parser.includes_time
    with pytest.raises(UserError, match=r"has 2 photos|need pycolmap"):
        parser.get_dataparser_outputs("train")
