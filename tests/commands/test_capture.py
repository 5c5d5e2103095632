import pytest
import torch

from tokengs_nerfstudio.commands.capture import main
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.procedural.tracing import ProceduralScene


def test_a_procedural_capture_reads_back(tmp_path, capsys):
    folder = tmp_path / "capture"
    options = ("--seed", "2", "--views", "6", "--height", "24", "--width", "32", "--hold-out", "3")
    main(["procedural", str(folder), *options])
    assert "6 views of scene 2, 2 of them held out" in capsys.readouterr().out
    capture, scene = NerfstudioCapture(folder), ProceduralScene(2, 6, 24, 32)
    views = capture.load(range(6))
    torch.testing.assert_close(views.c2w, scene.c2w, atol=1e-5, rtol=0)
    torch.testing.assert_close(views.intrinsics, scene.intrinsics, atol=1e-4, rtol=0)
    assert (views.images - scene.load(range(6)).images).abs().max() <= 0.5 / 255 + 1e-6
    assert list(capture.split().test) == [2, 5]
    with pytest.raises(SystemExit, match="already holds a capture"):
        main(["procedural", str(folder), *options])


def test_impossible_sizes_are_named(tmp_path):
    with pytest.raises(SystemExit, match=r"Error: .*--hold-out from 2"):
        main(["procedural", str(tmp_path / "capture"), "--hold-out", "1"])


def test_the_sample_is_copied_where_nothing_is_yet(tmp_path):
    pytest.importorskip("tokengs_nerfstudio.samples")
    main(["sample", str(tmp_path / "sample")])
    assert len(NerfstudioCapture(tmp_path / "sample").c2w) == 15
    with pytest.raises(SystemExit, match="exists already"):
        main(["sample", str(tmp_path / "sample")])
    assert [entry.name for entry in tmp_path.iterdir()] == ["sample"]
