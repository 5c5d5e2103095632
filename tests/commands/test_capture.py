import pytest
import torch

from tokengs_nerfstudio.commands.capture import main
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.procedural.meshes.pack import MeshPack
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
    with pytest.raises(SystemExit, match=r"Error: --hold-out is 1; a whole number from 2 is needed"):
        main(["procedural", str(tmp_path / "capture"), "--hold-out", "1"])
    with pytest.raises(SystemExit, match=r"--hold-out 7 holds none of 6 views out"):
        main(["procedural", str(tmp_path / "capture"), "--views", "6", "--hold-out", "7"])


def test_the_sample_is_copied_where_nothing_is_yet(tmp_path):
    pytest.importorskip("tokengs_nerfstudio.samples")
    main(["sample", str(tmp_path / "sample")])
    assert len(NerfstudioCapture(tmp_path / "sample").c2w) == 15
    with pytest.raises(SystemExit, match="exists already"):
        main(["sample", str(tmp_path / "sample")])
    assert [entry.name for entry in tmp_path.iterdir()] == ["sample"]


def test_meshes_are_packed(tmp_path, capsys):
    trimesh = pytest.importorskip("trimesh", reason="trimesh reads and writes the mesh files")
    trimesh.creation.box().export(tmp_path / "box.glb")
    trimesh.creation.icosphere(2).export(tmp_path / "ball.obj")
    main(["pack-meshes", str(tmp_path), str(tmp_path / "out" / "pack.npz"), "--max-triangles", "100"])
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("1 meshes in 1 categories, 12 triangles, 1 textures, ")
    assert said.endswith("(left out: 0 broken files, 1 meshes too large, 0 with nothing to see)")
    assert MeshPack.load(tmp_path / "out" / "pack.npz").names == ("box",)
    with pytest.raises(SystemExit, match="--max-triangles is 0; a whole number from 1"):
        main(["pack-meshes", str(tmp_path), str(tmp_path / "pack.npz"), "--max-triangles", "0"])


def test_a_folder_of_broken_meshes_ends_the_command(tmp_path):
    pytest.importorskip("trimesh", reason="trimesh reads the mesh files")
    (tmp_path / "text.glb").write_text("no mesh at all")
    with pytest.raises(SystemExit, match=r"Error: none of the 1 files in .* gives a mesh"):
        main(["pack-meshes", str(tmp_path), str(tmp_path / "pack.npz")])
    assert not (tmp_path / "pack.npz").exists()
