"""Points that captures name, in every spelling of PLY; and where they lie."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from made.captures import edit, write_blobs
from made.parsed import outputs

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.data.capture.points import read_points
from tokengs_nerfstudio.data.posing.result import write_points

PLACES = np.array([[0.5, -1.0, 2.0], [0.25, 0.0, 1.0], [3.0, 4.0, 5.0], [np.nan, 0.0, 0.0], [-8.0, 0.5, 0.125]])
COLORS = np.array([[255, 0, 51], [0, 0, 0], [102, 204, 255], [1, 2, 3], [255, 255, 255]], np.uint8)
KEPT = [0, 1, 2, 4]


def check(points: PointCloud) -> None:
    assert np.array_equal(points.places.numpy(), PLACES[KEPT])
    np.testing.assert_allclose(points.colors.numpy(), COLORS[KEPT] / 255, atol=1e-6)


def head(form: str, *properties: str, count: int = 5) -> bytes:
    lines = ["ply", f"format {form} 1.0", "comment by hand", f"element vertex {count}"]
    return "\n".join([*lines, *(f"property {line}" for line in properties), "end_header\n"]).encode()


XYZ, RGB = ("float x", "float y", "float z"), ("uchar red", "uchar green", "uchar blue")


def test_what_pose_finding_writes(tmp_path: Path) -> None:
    write_points(tmp_path / "a.ply", PLACES, COLORS)
    check(read_points(tmp_path / "a.ply"))


def test_text_with_more_properties_and_faces_behind(tmp_path: Path) -> None:
    lines = [f"{p[0]} {p[1]} {p[2]} 7 {c[0]} {c[1]} {c[2]}" for p, c in zip(PLACES, COLORS)]
    text = head("ascii", *XYZ, "float quality", *RGB).decode().replace("end_header", "element face 1\nend_header")
    (tmp_path / "a.ply").write_text(text + "\n".join([*lines, "3 0 1 2"]))
    check(read_points(tmp_path / "a.ply"))


def test_the_other_order_of_bytes_in_doubles(tmp_path: Path) -> None:
    rows = np.empty(5, [(n, ">f8") for n in "xyz"] + [(n, "u1") for n in ("red", "green", "blue")])
    for number, name in enumerate(rows.dtype.names or ()):
        rows[name] = (PLACES if number < 3 else COLORS)[:, number % 3]
    doubles = [line.replace("float", "double") for line in XYZ]
    (tmp_path / "a.ply").write_bytes(head("binary_big_endian", *doubles, *RGB) + rows.tobytes())
    check(read_points(tmp_path / "a.ply"))


def test_points_without_colours_are_grey(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(head("binary_little_endian", *XYZ) + PLACES.astype("<f4").tobytes())
    assert torch.equal(read_points(tmp_path / "a.ply").colors, torch.full((4, 3), 0.5))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        head("ascii", *XYZ) + b"1 2 3\n",
        head("binary_little_endian", *XYZ) + b"short",
        head("binary_little_endian", "float x") + PLACES.tobytes(),
        head("binary_little_endian", "list uchar int x", *XYZ) + PLACES.tobytes(),
    ],
)
def test_what_is_no_such_file_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.ply").write_bytes(content)
    with pytest.raises(
        UserError, match=r"broken\.ply cannot be read as a PLY file of points .*; write it anew"
    ) as said:
        read_points(tmp_path / "broken.ply")
    assert "\n" not in str(said.value)


def test_points_lie_before_the_cameras_as_the_photos_show_them_in_both_worlds(tmp_path: Path) -> None:
    """The dataparser turns, moves and scales points with the cameras: they project to the same pixels."""
    folder = write_blobs(tmp_path / "scene")
    places = np.random.default_rng(0).normal(size=(20, 3)) * 0.4
    write_points(folder / "points.ply", places, np.full((20, 3), 51, np.uint8))
    edit(folder, lambda meta: meta.update(ply_file_path="points.ply", applied_scale=3.0))
    capture = NerfstudioCapture(folder)
    points = capture.points()
    assert points is not None
    pixels, depth = project(points.places.float(), capture.c2w, capture.intrinsics)
    assert (depth > 0).all()
    parsed = outputs(folder)
    c2w, intrinsics = bridge.camera_matrices(parsed.cameras)
    moved, _ = project(parsed.metadata["points3D_xyz"], c2w, intrinsics)
    train = [capture.image_paths.index(path) for path in parsed.image_filenames]
    torch.testing.assert_close(moved, pixels[train], atol=1e-2, rtol=1e-4)
    assert torch.equal(parsed.metadata["points3D_rgb"], torch.full((20, 3), 51, dtype=torch.uint8))
    assert "points3D_xyz" not in outputs(folder, split="test").metadata


def test_points_that_are_gone_or_too_few_are_none(tmp_path: Path, caplog) -> None:
    folder = write_blobs(tmp_path / "scene", count=4)
    assert NerfstudioCapture(folder).points() is None
    edit(folder, lambda meta: meta.update(ply_file_path="points.ply"))
    with caplog.at_level(logging.WARNING):
        assert NerfstudioCapture(folder).points() is None
    assert "are not there" in caplog.text
    write_points(folder / "points.ply", PLACES[:3], COLORS[:3])
    assert NerfstudioCapture(folder).points() is None
    edit(folder, lambda meta: meta.update(ply_file_path=["points.ply"]))
    with pytest.raises(UserError, match=r"'ply_file_path' of .* must be the path of a file"):
        NerfstudioCapture(folder).points()


@pytest.mark.parametrize("name", ["castle_p19", "lund_door"])
def test_points_of_real_captures_have_the_colours_of_their_photos(shared: Path, name: str) -> None:
    capture = NerfstudioCapture(shared / "scenes2" / name)
    points, views = capture.points(), capture.load(range(6))
    assert points is not None
    place, depth = project(points.places.float(), views.c2w, views.intrinsics)
    x, y = place.floor().long().unbind(-1)
    inside = (depth > 0) & (x >= 0) & (x < views.width) & (y >= 0) & (y < views.height)
    number, point = inside.nonzero().unbind(1)
    shown = views.images.movedim(1, -1)[number, y[number, point], x[number, point]]
    true, other = ((shown - colors).abs().mean() for colors in (points.colors[point], points.colors[point].roll(99, 0)))
    assert true < 0.5 * other
