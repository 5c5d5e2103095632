"""What is written, with a solver that knows the answer."""

import json
from pathlib import Path

import numpy as np
import torch
from made.ply import read_vertices
from made.walk import FOCAL, camera, picture, write_photos
from PIL import Image

from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.posing.config import PosingConfig
from tokengs_nerfstudio.data.posing.finding import find
from tokengs_nerfstudio.data.posing.result import Record, read_record, sources, write_result
from tokengs_nerfstudio.data.posing.solution import Comparison, Solution, SolvedLens

STEPS = (0.0, 0.4, 1.0)


def known(folder, pictures, config, progress) -> Solution:
    """The true cameras, of pictures half as large as the photos."""
    lenses = {
        index: SolvedLens(False, seen.size, {"fl_x": FOCAL / 2, "fl_y": FOCAL / 2, "cx": 80.0, "cy": 60.0, "k1": 0.1})
        for index, seen in pictures.items()
    }
    points = np.array([[0.0, 0, 7]] * 40)
    comparisons = [Comparison((0, 1), 99, None)]
    keypoints = dict.fromkeys(pictures, 500)
    c2w = {index: camera(STEPS[index]) for index in pictures}
    return Solution(c2w, lenses, points, np.full((40, 3), 9, np.uint8), [3], keypoints, comparisons)


def written(folder: Path, **options) -> dict:
    """The content of transforms.json of three photos of which the last is turned by its EXIF entry."""
    write_photos(folder, [picture(camera(at)) for at in STEPS])
    config = PosingConfig(max_image_size=160, **options)
    files = sorted(folder.glob("*.png"))
    found = find(files, folder, config, lambda share, text: None, known)
    write_result(folder, found.photos, found.names, found.solution, Record.of(config, sources(files, folder), {}))
    return json.loads((folder / "transforms.json").read_text())


def test_cameras_are_those_of_the_photos_in_full_size(tmp_path):
    written(tmp_path, up="none")
    capture = NerfstudioCapture(tmp_path)
    expected = torch.tensor(np.stack([camera(at) for at in STEPS]), dtype=torch.float32)
    torch.testing.assert_close(capture.c2w, expected)
    content = json.loads((tmp_path / "transforms.json").read_text())
    lens = [content[name] for name in ("fl_x", "fl_y", "cx", "cy", "k1", "w", "h")]
    assert lens == [FOCAL, FOCAL, 160, 120, 0.1, 320, 240]
    assert content["orientation_override"] == "none"
    points = read_vertices(tmp_path / "sparse_pc.ply")
    assert [float(points[0][axis]) for axis in "xyz"] == [0, 0, 7]
    assert points["blue"].tolist() == [9] * 40


def test_points_are_turned_with_the_cameras(tmp_path):
    content = written(tmp_path)
    c2w = np.array(content["frames"][1]["transform_matrix"])
    c2w[:3, 1:3] *= -1
    point = read_vertices(tmp_path / "sparse_pc.ply")[0]
    seen = np.linalg.inv(c2w)[:3] @ [*(float(point[axis]) for axis in "xyz"), 1]
    np.testing.assert_allclose(seen, (np.linalg.inv(camera(STEPS[1])) @ [0, 0, 7, 1])[:3], atol=1e-5)
    assert np.mean([frame["transform_matrix"][2][1] for frame in content["frames"]]) > 0.99


def test_a_photo_turned_by_exif_has_a_lens_of_its_own(tmp_path):
    folder = write_photos(tmp_path, [picture(camera(at)) for at in STEPS])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(folder / "p02.png").rotate(90, expand=True).save(folder / "p02.png", exif=exif)
    files = sorted(folder.glob("*.png"))
    assert Image.open(files[2]).size == (240, 320)
    config = PosingConfig(max_image_size=160)
    found = find(files, folder, config, lambda share, text: None, known)
    write_result(folder, found.photos, found.names, found.solution, Record.of(config, sources(files, folder), {}))
    capture = NerfstudioCapture(folder)
    shown = capture.load([1, 2]).images  # both 320 wide: the second is read as it is turned
    assert shown.shape == (2, 3, 240, 320)


def test_a_record_knows_its_files(tmp_path):
    written(tmp_path)
    record = read_record(tmp_path)
    assert record is not None
    files = sorted(tmp_path.glob("*.png"))
    assert record.fits(files, tmp_path)
    assert record.fits(files[1:], tmp_path)
    assert record.made_with(PosingConfig(max_image_size=160, threads=5))
    assert not record.made_with(PosingConfig(max_image_size=161))
    assert record.config == PosingConfig(max_image_size=160)
    assert Record({"max_image_size": -1}, [], {}).config == Record({"x": 1}, [], {}).config == PosingConfig()
    content = files[0].read_bytes()
    files[0].write_bytes(content)  # another time of change, the same photo
    assert record.fits(files, tmp_path)
    files[0].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert not record.fits(files, tmp_path)
    (tmp_path / "transforms.json").write_text("{}")
    assert read_record(tmp_path) is None
