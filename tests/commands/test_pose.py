import json
from pathlib import Path

import pytest
from made.captures import write_capture
from made.walk import walk, write_photos

from tokengs_nerfstudio.commands.pose import main
from tokengs_nerfstudio.data.posing import posing


def test_photos_are_posed_once_and_turned_as_asked(tmp_path, capsys):
    pytest.importorskip("pycolmap", reason="structure from motion is pycolmap's")
    folder = write_photos(tmp_path / "photos", walk(6))
    options = (str(folder), "--max-features", "400", "--up", "left")
    main(options)
    said = capsys.readouterr().out
    assert f"{folder} has no poses yet: finding them" in said
    assert "6 of 6 photos posed, " in said
    content = json.loads((folder / "transforms.json").read_text())
    assert content["orientation_override"] == "none"
    assert sum(-frame["transform_matrix"][2][0] for frame in content["frames"]) > 5  # left is up
    main(options)
    assert capsys.readouterr().out == f"posed before, nothing has changed: {folder}\n"


def test_what_cannot_be_posed_ends_the_command(tmp_path):
    with pytest.raises(SystemExit, match=r"Error: there is nothing at .*gone: name a folder of photos or a video"):
        main([str(tmp_path / "gone")])
    with pytest.raises(SystemExit, match="is neither a video nor a folder with photos"):
        main([str(tmp_path)])
    capture = write_capture(tmp_path / "capture")
    with pytest.raises(SystemExit, match=r"has a transforms\.json with poses: nothing to do"):
        main([str(capture)])
    with pytest.raises(SystemExit, match="--frames is 2; a whole number from 3 to 10000 is needed"):
        main([str(tmp_path), "--frames", "2"])


def test_settings_reach_the_posing(tmp_path, monkeypatch):
    folder = write_photos(tmp_path / "photos", walk(2))
    asked: list[tuple] = []

    def pose(source, config, output, say, progress):
        asked.append((source, config, output))
        return posing.Posed(Path("there"), {}, reused=True, doubt=None)

    monkeypatch.setattr("tokengs_nerfstudio.commands.pose.posed", pose)
    main([str(folder), "--output", "out", "--matching", "sequential", "--lens", "fisheye", "--seed", "3"])
    ((source, config, output),) = asked
    assert (source, output) == (folder, Path("out"))
    assert (config.matching, config.lens, config.seed, config.frames) == ("sequential", "fisheye", 3, 60)
    assert type(config).__name__ == "PosingConfig"
