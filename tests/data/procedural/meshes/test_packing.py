import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tokengs_nerfstudio.data.procedural.meshes.files import read_surfaces
from tokengs_nerfstudio.data.procedural.meshes.pack import CUT_OUT, OPAQUE, MeshPack
from tokengs_nerfstudio.data.procedural.meshes.packing import LeftOut, PackingConfig, pack_meshes

trimesh: Any = pytest.importorskip("trimesh", reason="trimesh reads and writes the mesh files")

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 210), (250, 250, 250)


def quarters(alpha: int = 255) -> Image.Image:
    """16 px: red, green / blue, white of the given alpha."""
    pixels = np.full((16, 16, 4), 255, np.uint8)
    pixels[:8, :8, :3], pixels[:8, 8:, :3], pixels[8:, :8, :3], pixels[8:, 8:, :3] = RED, GREEN, BLUE, WHITE
    pixels[8:, 8:, 3] = alpha
    return Image.fromarray(pixels)


def wall(material: Any, colours: np.ndarray | None = None) -> Any:
    """An upright wall of glTF, y up, 4 wide and 2 high, with the whole image on it, upright as seen from +z."""
    corners = [[-2, 0, 0], [2, 0, 0], [2, 2, 0], [-2, 2, 0]]
    uv = [[0, 0], [1, 0], [1, 1], [0, 1]]  # trimesh's v points up
    visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    if colours is not None:
        visual = trimesh.visual.ColorVisuals(vertex_colors=colours)
    return trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)


def pbr(**options: Any) -> Any:
    return trimesh.visual.material.PBRMaterial(**options)


def exported(mesh: Any, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    mesh.export(file)
    return file


def packed(folder: Path, **options: Any) -> MeshPack:
    return pack_meshes(folder, PackingConfig(**options))[0]


def colour_at(pack: MeshPack, mesh: int, point: tuple[float, float, float]) -> np.ndarray:
    """What covers the corner of the mesh that is nearest to a point, a little way into its triangle; RGBA."""
    vertices = pack.vertices[pack.vertex_offsets[mesh] : pack.vertex_offsets[mesh + 1]]
    uvs = pack.uvs[pack.vertex_offsets[mesh] : pack.vertex_offsets[mesh + 1]]
    triangles = pack.triangles[pack.triangle_offsets[mesh] : pack.triangle_offsets[mesh + 1]]
    corner = int(np.linalg.norm(vertices - np.array(point), axis=-1).argmin())
    triangle = int((triangles == corner).any(-1).argmax())
    inside = 0.8 * uvs[corner] + 0.2 * uvs[triangles[triangle]].mean(0)
    pixels = pack.texture(pack.triangle_texture[pack.triangle_offsets[mesh] + triangle])
    row, column = (inside[::-1] % 1 * pixels.shape[:2]).astype(int)
    return pixels[row, column]


def near(colour: np.ndarray, expected: tuple[int, ...], by: int = 12) -> bool:
    return bool(np.abs(colour[: len(expected)].astype(int) - expected).max() <= by)


def upright_wall(pack: MeshPack) -> bool:
    """Whether mesh 0 is the wall with z up and each quarter of the image in its place as seen from -y."""
    corners = {(-1, -0.5): BLUE, (1, -0.5): WHITE, (1, 0.5): GREEN, (-1, 0.5): RED}
    return all(near(colour_at(pack, 0, (x, 0, z)), colour) for (x, z), colour in corners.items())


@pytest.mark.parametrize("suffix", ["glb", "gltf", "obj"])
def test_textures_keep_their_place_and_y_becomes_z(tmp_path, suffix):
    exported(wall(pbr(baseColorTexture=quarters().convert("RGB"))), tmp_path / "walls" / "deep" / f"wall.{suffix}")
    pack = packed(tmp_path)
    assert pack.names == ("walls/deep/wall",)
    assert pack.categories == ("walls",)
    assert pack.texture_alpha.tolist() == [OPAQUE]
    np.testing.assert_allclose(np.ptp(pack.vertices, axis=0), [2, 0, 1], atol=1e-6)
    np.testing.assert_allclose(pack.vertices.max(0) + pack.vertices.min(0), 0, atol=1e-6)
    assert upright_wall(pack)


def test_obj_files_may_have_z_up(tmp_path):
    mesh = wall(trimesh.visual.material.SimpleMaterial(image=quarters().convert("RGB")))
    mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    exported(mesh, tmp_path / "wall.obj")
    pack = packed(tmp_path, up="z")
    assert pack.categories == ("props",)
    assert upright_wall(pack)


def test_a_box_of_both_formats_is_the_same_mesh(tmp_path):
    box = trimesh.creation.box((2, 1, 0.5))
    uv = box.vertices[:, :2] * 3.0
    box.visual = trimesh.visual.TextureVisuals(uv=uv, material=pbr(baseColorTexture=quarters().convert("RGB")))
    for suffix in ("glb", "obj"):
        exported(box, tmp_path / suffix / f"box.{suffix}")
    pack = packed(tmp_path)
    assert np.diff(pack.triangle_offsets).tolist() == [12, 12]
    corners = [pack.vertices[:8], pack.vertices[8:]]
    for mesh in corners:
        np.testing.assert_allclose(np.ptp(mesh, axis=0), [2, 0.5, 1], atol=1e-5)
    assert len(pack.texture_alpha) == 1, "the same image twice is one texture"


def test_nodes_are_moved_as_their_transforms_say_and_may_be_meshes_of_their_own(tmp_path):
    scene = trimesh.Scene()
    bar = trimesh.creation.box((4, 1, 1))
    turned = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1])
    turned[:3, 3] = [10, 0, 0]
    scene.add_geometry(bar, node_name="lying", geom_name="bar")
    scene.graph.update("standing", "world", matrix=turned, geometry="bar")
    file = exported(scene, tmp_path / "bars.glb")
    (surfaces,) = read_surfaces(file, 64).values()
    extents = sorted(tuple(np.ptp(surface.vertices, axis=0).round(4)) for surface in surfaces)
    assert extents == [(1.0, 1.0, 4.0), (4.0, 1.0, 1.0)]
    assert max(surface.vertices[:, 0].max() for surface in surfaces) == pytest.approx(10.5)
    whole, split = packed(tmp_path), packed(tmp_path, split=True)
    assert (whole.names, split.names) == (("bars",), ("bars#lying", "bars#standing"))
    np.testing.assert_allclose(np.ptp(split.vertices[8:], axis=0), [0.5, 0.5, 2], atol=1e-5)


def test_the_primitives_of_a_node_are_one_mesh(tmp_path):
    """trimesh writes one primitive a mesh, other programs one for each material."""
    scene = trimesh.Scene()
    for name, grey in (("table", 50), ("lamp", 200)):
        scene.add_geometry(wall(pbr(baseColorFactor=[grey, grey, grey, 255])), node_name=name, geom_name=name)
    file = exported(scene, tmp_path / "room.gltf")
    content = json.loads(file.read_text())
    first, second = content["meshes"]
    first["primitives"] += second["primitives"]
    file.write_text(json.dumps(content))
    pack = packed(tmp_path, split=True)
    assert pack.names == ("room#lamp", "room#table")
    assert sorted(np.diff(pack.triangle_offsets).tolist()) == [2, 4]


def test_objects_of_an_obj_may_be_meshes_of_their_own(tmp_path):
    (tmp_path / "two.mtl").write_text("newmtl a\nKd 1 0 0\nnewmtl b\nKd 0 0 1\n")
    corners = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
    faces = "o one\nusemtl a\nf 1 2 3\no two\nusemtl a\nf 1 3 4\nusemtl b\nf 1 2 4\n"
    (tmp_path / "two.obj").write_text(f"mtllib two.mtl\n{corners}{faces}")
    pack = packed(tmp_path, split=True)
    assert pack.names == ("two#one", "two#two")
    assert np.diff(pack.triangle_offsets).tolist() == [1, 2]
    colours = {tuple(pack.texture(number)[0, 0, :3]) for number in pack.triangle_texture[1:]}
    assert colours == {(255, 0, 0), (0, 0, 255)}
    assert packed(tmp_path).names == ("two",)


@pytest.mark.parametrize(
    ("options", "alpha", "holes"),
    [
        ({"alphaMode": "MASK"}, 0, CUT_OUT),
        ({"alphaMode": "MASK", "alphaCutoff": 0.2}, 60, OPAQUE),
        ({"alphaMode": "MASK", "alphaCutoff": 0.9}, 200, CUT_OUT),
        ({"alphaMode": "BLEND"}, 0, CUT_OUT),
        ({"alphaMode": "BLEND"}, 200, OPAQUE),
        ({"alphaMode": "OPAQUE"}, 0, OPAQUE),
        ({}, 0, OPAQUE),
    ],
)
def test_holes_are_where_the_alpha_mode_says(tmp_path, options, alpha, holes):
    exported(wall(pbr(baseColorTexture=quarters(alpha), **options)), tmp_path / "leaf.glb")
    pack = packed(tmp_path)
    assert pack.texture_alpha.tolist() == [holes]
    solid = pack.texture(0)[..., 3] >= 128
    assert solid[:8].all()
    assert solid[8:, 8:].all() == (holes == OPAQUE)


@pytest.mark.parametrize("has_alpha", [False, True])
def test_an_obj_may_keep_its_holes_in_another_image(tmp_path, has_alpha):
    exported(wall(trimesh.visual.material.SimpleMaterial(image=quarters().convert("RGB"))), tmp_path / "leaf.obj")
    holes = quarters(0)
    (holes if has_alpha else holes.getchannel("A")).save(tmp_path / "the holes.png")
    (material,) = tmp_path.glob("*.mtl")
    material.write_text(material.read_text() + "\nmap_d the holes.png\n")
    pack = packed(tmp_path)
    assert pack.texture_alpha.tolist() == [CUT_OUT]
    assert (pack.texture(0)[..., 3] < 128).mean() == 0.25
    assert colour_at(pack, 0, (1, 0, -0.5))[3] < 128
    (tmp_path / "the holes.png").unlink()
    assert packed(tmp_path).texture_alpha.tolist() == [OPAQUE]


def test_what_is_wholly_seen_through_is_left_out(tmp_path):
    scene = trimesh.Scene([wall(pbr(baseColorFactor=[255, 255, 255, 40], alphaMode="BLEND")), trimesh.creation.box()])
    exported(scene, tmp_path / "lamp.glb")
    exported(wall(pbr(baseColorFactor=[255, 255, 255, 40], alphaMode="BLEND")), tmp_path / "pane.glb")
    pack, left_out = pack_meshes(tmp_path, PackingConfig())
    assert np.diff(pack.triangle_offsets).tolist() == [12]
    assert left_out == LeftOut(empty=1)


def test_plain_colours_are_textures_of_one_pixel_and_colour_images(tmp_path):
    linear = [55, 128, 255, 255]
    exported(wall(pbr(baseColorFactor=linear)), tmp_path / "a.glb")
    exported(wall(pbr(baseColorFactor=linear, baseColorTexture=quarters().convert("RGB"))), tmp_path / "b.glb")
    pack = packed(tmp_path)
    # The sRGB values of 55 and 128 of 255 in linear light.
    np.testing.assert_allclose(pack.texture(0)[0, 0, :3], [128, 188, 255], atol=1)
    assert near(colour_at(pack, 1, (1, 0, 0.5)), (15, 147, 30), by=20)


def test_vertex_colours_are_those_of_triangles(tmp_path):
    colours = np.array([[255, 0, 0, 255], [255, 0, 0, 255], [255, 0, 0, 255], [0, 0, 0, 255]])
    exported(wall(None, colours), tmp_path / "wall.glb")
    pack = packed(tmp_path)
    shown = [tuple(pack.texture(number)[0, 0, :3]) for number in pack.triangle_texture]
    assert shown[0] == (255, 0, 0)
    assert 190 < shown[1][0] < 230
    assert shown[1][1:] == (0, 0)


def test_many_vertex_colours_become_few_textures(tmp_path):
    ball = trimesh.creation.icosphere(3)
    ball.visual.vertex_colors = np.pad(127 * (ball.vertices + 1), ((0, 0), (0, 1)), constant_values=255).astype(
        np.uint8
    )
    exported(ball, tmp_path / "ball.glb")
    pack = packed(tmp_path)
    assert 16 < len(pack.texture_alpha) <= 32
    assert len(set(pack.triangle_texture)) == len(pack.texture_alpha)


def test_textures_are_shrunk(tmp_path):
    exported(wall(pbr(baseColorTexture=quarters().convert("RGB").resize((64, 32)))), tmp_path / "wall.glb")
    assert packed(tmp_path, texture_size=16).texture(0).shape == (8, 16, 4)
    assert packed(tmp_path, texture_size=256).texture(0).shape == (32, 64, 4)


def test_the_same_folder_gives_the_same_file(tmp_path):
    scene = trimesh.Scene(
        [trimesh.creation.box(), trimesh.creation.icosphere(1), wall(pbr(baseColorFactor=[9, 9, 9, 255]))]
    )
    exported(scene, tmp_path / "in" / "a.glb")
    files = [tmp_path / "1.npz", tmp_path / "2.npz"]
    for file in files:
        packed(tmp_path / "in").save(file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_broken_and_large_files_are_left_out_and_named(tmp_path, caplog):
    exported(trimesh.creation.box(), tmp_path / "good.glb")
    exported(trimesh.creation.icosphere(2), tmp_path / "large.glb")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "text.glb").write_text("no mesh at all")
    (tmp_path / "bad" / "flat.obj").write_text("v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n")
    (tmp_path / "bad" / "infinite.obj").write_text("v 0 0 inf\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (tmp_path / "bad" / "missing.gltf").write_text(json.dumps({"asset": {"version": "2.0"}, "meshes": "none"}))
    with caplog.at_level(logging.WARNING):
        pack, left_out = pack_meshes(tmp_path, PackingConfig(max_triangles=100))
    assert pack.names == ("good",)
    assert left_out == LeftOut(broken=3, too_large=1, empty=1)
    for name in (
        "bad/text.glb",
        "bad/infinite.obj (vertices are not finite)",
        "bad/missing.gltf",
        "100 triangles: large (320)",
    ):
        assert caplog.text.count(name) == 1


def test_a_folder_without_meshes_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no \.glb, \.gltf, \.obj files in"):
        packed(tmp_path)
    (tmp_path / "text.glb").write_text("no mesh at all")
    with pytest.raises(ValueError, match=r"none of the 1 files in .* gives a mesh: 1 broken"):
        packed(tmp_path)


def test_a_missing_trimesh_is_named(tmp_path, monkeypatch):
    (tmp_path / "some.glb").touch()
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(ValueError, match="needs trimesh: pip install trimesh"):
        packed(tmp_path)
