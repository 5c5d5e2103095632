from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made.meshes import CHECKS, small_pack

from tokengs_nerfstudio.data.procedural.meshes.pack import MeshPack


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "packs" / "small.npz"
    small_pack().save(path)
    return path


def stored(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_a_pack_reads_back_as_it_was(saved):
    pack, read = small_pack(), MeshPack.load(saved)
    assert len(read) == 2
    for field in fields(MeshPack):
        expected, found = getattr(pack, field.name), getattr(read, field.name)
        if isinstance(expected, tuple):
            assert found == expected
        else:
            assert found.dtype == expected.dtype, field.name
            np.testing.assert_array_equal(found, expected)
    assert [file.name for file in saved.parent.iterdir()] == ["small.npz"]


def test_what_is_stored_is_small_and_as_documented(saved):
    arrays = stored(saved)
    assert (arrays["vertices"].dtype, arrays["uvs"].dtype, arrays["triangles"].dtype) == (
        np.int16,
        np.uint16,
        np.uint16,
    )
    assert arrays["vertices"].max() == 32767
    assert arrays["uvs"].max() == 4096


@pytest.mark.parametrize(("scale", "kind"), [(15.0, np.uint16), (40.0, np.float32)])
def test_repeated_textures_keep_their_place_up_to_whole_repeats(tmp_path, scale, kind):
    pack = small_pack()
    moved = replace(pack, uvs=(pack.uvs * scale + np.array([-7.25, 100.5])).astype(np.float32))
    moved.save(tmp_path / "pack.npz")
    assert stored(tmp_path / "pack.npz")["uvs"].dtype == kind
    for mesh in (slice(0, 4), slice(4, 8)):
        repeats = moved.uvs[mesh] - MeshPack.load(tmp_path / "pack.npz").uvs[mesh]
        np.testing.assert_allclose(repeats, np.broadcast_to(np.rint(repeats[:1]), repeats.shape), atol=1e-3)


def test_large_meshes_get_larger_numbers(tmp_path):
    pack = small_pack()
    many = 2**16 + 5
    vertices = np.concatenate([pack.vertices, np.zeros((many, 3), np.float32)])
    large = replace(
        pack,
        vertices=vertices,
        uvs=np.zeros((len(vertices), 2), np.float32),
        vertex_offsets=np.array([0, 4, len(vertices)], np.int32),
        triangles=np.concatenate([pack.triangles[:5], [[0, 1, many + 3]]]).astype(np.int32),
    )
    large.save(tmp_path / "pack.npz")
    np.testing.assert_array_equal(MeshPack.load(tmp_path / "pack.npz").triangles, large.triangles)


def test_textures_are_pixels_with_alpha(saved):
    pack = MeshPack.load(saved)
    np.testing.assert_array_equal(pack.texture(0), CHECKS)
    assert pack.texture(1).shape == (1, 1, 4)
    broken = replace(pack, texture_bytes=pack.texture_bytes[::-1].copy())
    with pytest.raises(ValueError, match="texture 1 of the mesh pack cannot be read"):
        broken.texture(1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("uvs"), "missing are uvs"),
        (lambda a: a.update(uvs=a["uvs"][:7]), r"uvs has shape \(7, 2\) instead of \(8, 2\)"),
        (lambda a: a.update(triangles=a["triangles"] + 1), "vertices that their mesh does not have"),
        (lambda a: a.update(triangle_texture=a["triangle_texture"] + 1), r"triangle_texture must be in \[0, 2\)"),
        (lambda a: a.update(category=a["category"] + 1), r"category must be in \[0, 2\)"),
        (lambda a: a.update(triangle_offsets=np.array([0, 6, 6])), "triangle_offsets must rise from 0 to 6"),
        (lambda a: a.update(vertex_offsets=np.array([0, 4, 9])), "vertex_offsets must rise from 0 to 8"),
        (lambda a: a.update(texture_offsets=a["texture_offsets"] + 1), "texture_offsets must rise from 0"),
        (lambda a: a.update(vertices=np.full((8, 3), np.nan)), "must be finite"),
        (lambda a: a.update(vertices=np.full((8, 3), 2.0)), r"within \[-1, 1\], found 2"),
        (lambda a: a.update(texture_alpha=np.array([0, 7])), "texture_alpha must be"),
        (lambda a: a.update(name=a["name"][:0]), "holds no meshes"),
        (lambda a: a.update(vertices=np.array("many")), "could not convert"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(saved, change, said):
    arrays = stored(saved)
    change(arrays)
    np.savez(saved, **arrays)
    with pytest.raises(ValueError, match=rf"small\.npz is no mesh pack: .*{said}"):
        MeshPack.load(saved)


def test_other_files_are_named(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no mesh pack .*absent\.npz"):
        MeshPack.load(tmp_path / "absent.npz")
    content = saved.read_bytes()
    for broken in (b"some text", content[: len(content) // 2], content[:300] + bytes(64) + content[364:]):
        saved.write_bytes(broken)
        with pytest.raises(ValueError, match=r"small\.npz is no mesh pack"):
            MeshPack.load(saved)


def test_the_packs_at_hand_can_be_read(shared):
    path = shared / "meshes" / "meshes_small.npz"
    if not path.is_file():
        pytest.skip("no mesh packs in ../shared")
    pack = MeshPack.load(path)
    assert len(pack) == 600
    assert pack.texture(0).shape[-1] == 4
    assert np.abs(pack.vertices).max() == 1
