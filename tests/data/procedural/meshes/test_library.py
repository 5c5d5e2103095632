from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from made.meshes import small_pack
from PIL import Image

from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources, library_of, numbers_of
from tokengs_nerfstudio.data.procedural.meshes.shapes import BUILT_IN, Shape


def levels(library, k):
    return [tuple(level[1:]) for level in library.textures.levels[k]]


def test_textures_are_halved_down_to_one_pixel_of_their_own(library):
    textures = library.textures
    ends = {0: 0}
    for k in range(len(textures.alpha)):
        sizes = levels(library, k)
        for (height, width), (lower, narrower) in pairwise(sizes):
            assert (lower, narrower) == (max(height // 2, 1), max(width // 2, 1))
        last = textures.levels[k][-1]
        assert tuple(last[1:]) == (1, 1)
        first, height, width = textures.levels[k, 0]
        whole = textures.texels[first : first + height * width, :3].astype(float)
        if textures.alpha[k] == at.OPAQUE:
            assert abs(textures.texels[last[0], :3] - whole.mean(0)).max() < 12
        ends[k] = last[0]
    assert ends[len(textures.alpha) - 1] == len(textures.texels) - 1


def test_holes_take_the_mean_colour_for_what_is_mixed_with_them(library):
    first = library.textures.levels[0, 0, 0]
    assert np.array_equal(library.textures.texels[first : first + 4, 3], [255, 255, 255, 0])
    assert np.array_equal(library.textures.texels[first + 3, :3], [85, 85, 85])


def test_pictures_serve_by_their_folder(library):
    assert (len(library.grounds), len(library.walls), len(library.panoramas), len(library.pictures)) == (2, 2, 1, 3)
    assert len(set(np.concatenate([library.grounds, library.walls, library.panoramas, library.pictures]))) == 8
    assert levels(library, library.panoramas[0])[0] == (16, 32)


def test_photos_are_taken_evenly_and_only_so_many(sources):
    assert len(library_of(replace(sources, most_photos=2)).pictures) == 2
    none = library_of(replace(sources, most_photos=0))
    assert np.array_equal(none.pictures, none.walls)


def test_a_pack_alone_is_enough(sources):
    alone = library_of(MeshSources(sources.pack))
    assert len(alone.grounds) > 0
    assert np.array_equal(alone.grounds, alone.walls)
    assert len(alone.panoramas) == 0


def test_categories_lead_to_meshes_and_missing_ones_to_any(library):
    assert numbers_of(library, ["flora"]).tolist() == [0]
    assert sorted(numbers_of(library, ["vehicles"])) == [0, 1]


def test_what_cannot_be_used_is_said(sources, tmp_path):
    with pytest.raises(ValueError, match="need a mesh pack: make one with"):
        library_of(MeshSources())
    with pytest.raises(FileNotFoundError, match=r"no mesh pack .*gone\.npz"):
        library_of(MeshSources(tmp_path / "gone.npz"))
    with pytest.raises(FileNotFoundError, match="no folder"):
        library_of(replace(sources, textures=tmp_path / "gone"))
    with pytest.raises(ValueError, match="no pictures in"):
        library_of(replace(sources, photos=tmp_path))
    with pytest.raises(ValueError, match=r"meshes\.sources\.texture_size"):
        ProceduralCurriculumConfig(meshes=MeshSceneConfig(sources=MeshSources(texture_size=0))).source()


def test_a_broken_picture_is_left_out_and_named(sources, tmp_path, caplog):
    (tmp_path / "a.png").write_bytes(b"nothing")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    assert len(library_of(replace(sources, photos=tmp_path)).pictures) == 1
    assert "a.png, which cannot be read" in caplog.text


@pytest.mark.parametrize("shape", Shape)
def test_built_in_shapes_span_their_cube_with_textures_once_over_a_face(shape, library):
    for built in (b for b in BUILT_IN if b.shape == shape):
        assert built.corners.shape == (*built.uvs.shape[:2], 3)
        assert np.isclose(abs(built.corners).max((0, 1))[:2], 1).all()
        assert abs(built.corners).max() <= 1 + 1e-6
        assert built.uvs.min() >= -1e-6
        assert np.isclose(built.uvs.max(), 3 if shape in (Shape.CYLINDER, Shape.BALL) else 1)
    for number in library.shapes[shape]:
        assert number >= len(small_pack())
