"""Meshes from .glb, .gltf and .obj files: what they look like, triangle by triangle, whichever way the file says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tokengs_nerfstudio.core.errors import UserError

SUFFIXES = (".glb", ".gltf", ".obj")

_FEWEST_HOLES = 0.01
"""share of a blended texture's pixels that must be holes for it to be cut out: less is dirt, glass and soft edges"""
_MOST_COLOURS = 32
"""colours that the vertex colours of a surface are rounded to"""
_PLAIN = np.array([180, 180, 180], np.uint8)
_Y_TO_Z = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Look:
    """What covers a triangle."""

    pixels: np.ndarray
    """uint8 [height, width, 4], sRGB"""
    cut_out: bool
    """whether there are holes where alpha is below one half; else alpha means nothing"""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles in the frame of their file, turned so that z is up."""

    vertices: np.ndarray
    """float64 [V, 3]"""
    uvs: np.ndarray
    """float64 [V, 2], v down the height of the image"""
    triangles: np.ndarray
    """int64 [T, 3]"""
    looks: tuple[Look, ...]
    triangle_look: np.ndarray
    """int64 [T], index into `looks`"""


def require_trimesh() -> Any:
    """The module that reads the files; ValueError naming what to install where it is missing."""
    try:
        import trimesh
    except ImportError as error:
        raise UserError(f"reading {', '.join(SUFFIXES)} needs trimesh: pip install trimesh") from error
    return trimesh


def read_surfaces(path: Path, texture_size: int, up: str = "y", split: bool = False) -> dict[str, list[Surface]]:
    """What is to be seen in a file, with all transforms of its nodes; with `split` by the names of nodes or objects.

    Textures are shrunk to a longer side of `texture_size` pixels. glTF has y up by its definition; `up` ("y" or "z")
    is that of .obj files. Whatever trimesh raises for broken files comes through; ValueError for numbers that are not
    finite, and where there is no trimesh.
    """
    trimesh = require_trimesh()
    is_obj = path.suffix.lower() == ".obj"
    scene = trimesh.load_scene(path, process=False, **({"split_objects": split} if is_obj else {}))
    looks = _Looks(path.parent, texture_size, linear=not is_obj)
    order = {name: number for number, name in enumerate(scene.geometry)}
    nodes = [(*scene.graph[node][::-1], node) for node in scene.graph.nodes_geometry]
    objects = _object_names(path) if split and is_obj else ()
    found: dict[str, list[Surface]] = {}
    for name, transform, node in sorted(nodes, key=lambda entry: (order[entry[0]], entry[1].tobytes())):
        geometry = scene.geometry[name]
        if isinstance(geometry, trimesh.Trimesh) and len(geometry.faces):
            part = "" if not split else _object_of(name, objects) if is_obj else _gltf_node(scene, node)
            turned = transform if is_obj and up == "z" else _turned(transform)
            surface = _surface(geometry, turned, looks)
            if surface is not None:
                found.setdefault(part, []).append(surface)
    return found


def _turned(transform: np.ndarray) -> np.ndarray:
    return np.concatenate([_Y_TO_Z @ transform[:3], transform[3:]])


def _object_names(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return tuple(line[2:].strip() for line in lines if line.startswith("o "))


def _object_of(name: str, objects: tuple[str, ...]) -> str:
    """trimesh names a geometry by its object, then by its material."""
    fitting = [known for known in objects if name == known or name.startswith(f"{known}_")]
    return max(fitting, key=len, default=name)


def _gltf_node(scene: Any, node: str) -> str:
    """trimesh makes the primitives of one node its children, with six random characters to their names."""
    parent = str(scene.graph.transforms.parents.get(node, ""))
    return parent if re.fullmatch(re.escape(parent) + "_[0-9A-Za-z]{6}", node) else node


def _surface(geometry: Any, transform: np.ndarray, looks: "_Looks") -> Surface | None:
    """None where nothing of it is to be seen."""
    if not (np.isfinite(geometry.vertices).all() and np.isfinite(transform).all()):
        raise UserError("vertices are not finite")
    vertices = np.asarray(geometry.vertices) @ transform[:3, :3].T + transform[:3, 3]
    triangles = np.asarray(geometry.faces)
    covers, chosen = looks.of(geometry.visual, triangles)
    if not covers:
        return None
    uvs = getattr(geometry.visual, "uv", None)
    if uvs is None or len(uvs) != len(vertices):
        uvs = np.zeros((len(vertices), 2))
    uvs = np.nan_to_num(np.asarray(uvs)[:, :2], nan=0.0, posinf=0.0, neginf=0.0)
    return Surface(vertices, np.stack([uvs[:, 0], 1 - uvs[:, 1]], -1), triangles, covers, chosen)


class _Looks:
    """The looks of a file: what trimesh calls visuals, each material made once."""

    def __init__(self, folder: Path, texture_size: int, linear: bool) -> None:
        self.folder, self.texture_size, self.linear = folder, texture_size, linear
        self._known: dict[int, Look | None] = {}

    def of(self, visual: Any, triangles: np.ndarray) -> tuple[tuple[Look, ...], np.ndarray]:
        """The looks of a surface and which of them each of its triangles has; none where it is invisible."""
        material = getattr(visual, "material", None)
        if material is None:
            colours = visual.face_colors[:, :3] if visual.defined else np.broadcast_to(_PLAIN, triangles.shape)
            return _by_colour(self._shown(colours) if visual.defined else colours)
        corners = visual.vertex_attributes.get("color", None)
        image, factor = _image_and_factor(material, self.folder)
        if image is None and corners is not None:
            corners = _bytes(np.asarray(corners))[:, :3] * factor[:3]
            return _by_colour(self._shown(corners[triangles].mean(1)))
        if id(material) not in self._known:
            textured = image is not None and visual.uv is not None
            self._known[id(material)] = self._look(material, image, factor, textured)
        look = self._known[id(material)]
        return ((look,) if look is not None else ()), np.zeros(len(triangles), np.int64)

    def _shown(self, colours: np.ndarray) -> np.ndarray:
        """Colours of 255 as the screen wants them, uint8."""
        return np.rint(255 * _srgb(colours / 255) if self.linear else colours).clip(0, 255).astype(np.uint8)

    def _look(self, material: Any, image: Image.Image | None, factor: np.ndarray, textured: bool) -> Look | None:
        shown = np.append(_srgb(factor[:3]) if self.linear else factor[:3], factor[3])
        pixels = np.ones((1, 1, 4)) if image is None else _shrunk(image, self.texture_size)
        if not textured:
            pixels = pixels.mean((0, 1), keepdims=True)
        return _cut(pixels * shown, *_alpha_mode(material))


def _srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light in [0, 1] as sRGB values (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def _bytes(colours: np.ndarray) -> np.ndarray:
    """Colours on the scale of 255, whether they are kept as integers or as floats."""
    if colours.dtype.kind == "f":
        return 255 * colours
    return colours * (255 / np.iinfo(colours.dtype).max)


def _image_and_factor(material: Any, folder: Path) -> tuple[Image.Image | None, np.ndarray]:
    """The texture and what it is multiplied by, RGBA in [0, 1]; colours beside an .obj file's texture do not count."""
    if hasattr(material, "baseColorFactor"):
        factor = material.baseColorFactor
        return material.baseColorTexture, np.ones(4) if factor is None else np.asarray(factor) / 255
    opacity = float(np.ravel(_option(material.kwargs, "d", 1.0))[0])
    colour = np.ones(3) if material.image is not None else np.asarray(material.diffuse)[:3] / 255
    return _with_holes(material.image, material.kwargs.get("map_d"), folder), np.append(colour, opacity)


def _with_holes(image: Image.Image | None, words: list[str] | None, folder: Path) -> Image.Image | None:
    """The image with what an .mtl file's map_d names as its alpha: a file beside it, by its alpha or its brightness."""
    file = folder / " ".join(words or ()).replace("\\", "/")
    if image is None or not file.is_file():
        return image
    with Image.open(file) as stored:
        alpha = stored.convert("RGBA").getchannel("A") if "A" in stored.getbands() else stored.convert("L")
    combined = image.convert("RGB")
    combined.putalpha(alpha.resize(combined.size))
    return combined


def _option(options: Mapping[str, Any], name: str, otherwise: float) -> Any:
    """The last number of an .mtl line, which may have words before it."""
    value = options.get(name, otherwise)
    return value[-1] if isinstance(value, list) else value


def _alpha_mode(material: Any) -> tuple[str, float]:
    if hasattr(material, "alphaMode"):
        cutoff = material.alphaCutoff
        return material.alphaMode or "OPAQUE", 0.5 if cutoff is None else max(float(cutoff), 1e-3)
    return "BLEND", 0.5


def _shrunk(image: Image.Image, size: int) -> np.ndarray:
    """Pixels [h, w, 4] in [0, 1]."""
    image = image.convert("RGBA")
    scale = size / max(image.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(image, np.float64) / 255


def _cut(pixels: np.ndarray, mode: str, cutoff: float) -> Look | None:
    """Pixels [h, w, 4] in [0, 1] by glTF's alphaMode; None where all of them are holes."""
    alpha = np.ones_like(pixels[..., 3]) if mode == "OPAQUE" else pixels[..., 3] * (0.5 / cutoff)
    holes = float((alpha < 0.5).mean())
    if holes == 1:
        return None
    cut_out = holes > (0 if mode == "MASK" else _FEWEST_HOLES)
    whole = np.concatenate([pixels[..., :3], alpha[..., None] if cut_out else np.ones_like(alpha)[..., None]], -1)
    return Look(np.rint(255 * whole.clip(0, 1)).astype(np.uint8), cut_out)


def _by_colour(colours: np.ndarray) -> tuple[tuple[Look, ...], np.ndarray]:
    """Triangles of the colours uint8 [T, 3] as looks of one pixel each."""
    palette, chosen = np.unique(colours, axis=0, return_inverse=True)
    if len(palette) > _MOST_COLOURS:
        image = Image.fromarray(np.ascontiguousarray(colours[None])).quantize(_MOST_COLOURS)
        palette = np.asarray(image.getpalette(), np.uint8).reshape(-1, 3)
        chosen = np.asarray(image)
    pixels = np.concatenate([palette, np.full((len(palette), 1), 255, np.uint8)], -1)
    return tuple(Look(pixel[None, None], False) for pixel in pixels), chosen.reshape(-1).astype(np.int64)
