"""Depth files of captures: what is read, in which unit, and where it does not fit."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made.captures import edit, write_capture
from PIL import Image

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.datamanager import SceneDataManager, SceneDataManagerConfig

LEVELS = (1000 + np.arange(12 * 16).reshape(12, 16)).astype(np.uint16)
LEVELS[:3, :4] = 0


def save(path: Path, levels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, levels)
    else:
        Image.fromarray(levels).save(path)


def capture(folder: Path, levels: np.ndarray = LEVELS, name: str = "depth/d.png", **shared) -> Path:
    """A capture whose every photo has the same depths; the second has none."""
    write_capture(folder, **shared)
    save(folder / name, levels)
    edit(folder, lambda meta: [f.update(depth_file_path=name) for n, f in enumerate(meta["frames"]) if n != 1])
    return folder


def depths(folder: Path, **options) -> torch.Tensor:
    found = NerfstudioCapture(folder, **options).load([0, 1]).depths
    assert found is not None
    return found


def test_levels_are_millimetres_and_holes_are_nothing(tmp_path: Path) -> None:
    found = depths(capture(tmp_path))
    torch.testing.assert_close(found[0, 0], torch.from_numpy(LEVELS / 1000).float())
    assert found[0, 0, :3, :4].abs().max() == 0
    assert found[1].abs().max() == 0


def test_the_capture_may_say_another_unit_and_have_floats_and_no_depths_at_all(tmp_path: Path) -> None:
    levels = LEVELS.astype(np.float32) / 500
    levels[5, 5], levels[5, 6] = np.nan, -1.0
    found = depths(capture(tmp_path / "a", levels, "depth/d.npy", depth_unit_scale_factor=0.5))[0, 0]
    torch.testing.assert_close(found[6:], torch.from_numpy(levels[6:] / 2))
    assert found[5, 5] == found[5, 6] == 0
    assert NerfstudioCapture(write_capture(tmp_path / "b")).load([0]).depths is None
    with pytest.raises(UserError, match=r"'depth_unit_scale_factor' of .* must be a positive number, got -1"):
        NerfstudioCapture(write_capture(tmp_path / "c", depth_unit_scale_factor=-1))


def test_depths_of_fewer_pixels_are_taken_from_the_nearest(tmp_path: Path) -> None:
    found = depths(capture(tmp_path, LEVELS[::2, ::2]))[0, 0]
    torch.testing.assert_close(found, torch.from_numpy(LEVELS[::2, ::2].repeat(2, 0).repeat(2, 1) / 1000).float())


def test_depths_follow_the_photo_through_its_lens(tmp_path: Path) -> None:
    """Where the lens leaves a pixel between a hole and a surface nothing is known."""
    flat = np.where(LEVELS > 0, 2000, 0).astype(np.uint16)
    found = depths(capture(tmp_path, flat, k1=-0.2))[0, 0]
    assert set(found.unique().tolist()) <= {0.0, 2.0}
    assert not torch.equal(found > 0, torch.from_numpy(flat > 0))


@pytest.mark.parametrize(
    ("levels", "name", "said"),
    [
        (LEVELS[:, :12], "depth/d.png", "have 12x12 pixels, their photo 16x12: give them its shape"),
        (np.zeros((12, 16), np.uint8), "depth/d.png", "are not 16 bits a pixel in one channel"),
        (np.zeros((12, 16, 3), np.uint8), "depth/d.png", "are not 16 bits a pixel in one channel"),
        (np.zeros((12, 16, 2)), "depth/d.npy", "are not 16 bits a pixel in one channel"),
        (np.array(["a"]), "depth/d.npy", "are not 16 bits a pixel in one channel"),
    ],
)
def test_what_is_no_depth_of_its_photo_is_named_in_one_line(tmp_path: Path, levels, name: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        depths(capture(tmp_path, levels, name))
    assert "\n" not in str(error.value)
    assert Path(name).name in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "depth/d.png").unlink(),
        lambda folder: edit(folder, lambda meta: meta["frames"][3].update(depth_file_path="depth/gone.png")),
    ],
)
def test_depths_that_are_gone_are_not_used_and_that_is_said(
    tmp_path: Path, change: Callable[[Path], None], caplog
) -> None:
    folder = capture(tmp_path)
    change(folder)
    with caplog.at_level(logging.WARNING):
        assert NerfstudioCapture(folder).load([0, 1]).depths is None
    assert "depths are not used" in caplog.text
    edit(folder, lambda meta: meta["frames"][3].update(depth_file_path=3))
    with pytest.raises(UserError, match=r"'depth_file_path' of frame .* must be the path of a file, got 3"):
        NerfstudioCapture(folder)


def test_the_data_manager_has_depths_in_nerfstudios_world(tmp_path: Path) -> None:
    flat = np.full((12, 16), 3000, np.uint16)
    data: SceneDataManager = SceneDataManagerConfig(data=capture(tmp_path, flat)).setup(device="cpu", test_mode="val")
    views = data.views(range(len(data.train_dataset)), 12, 16)
    assert views.depths is not None
    scale = data.train_dataparser_outputs.dataparser_scale
    with_some = [position for position, name in enumerate(data.names(range(8))) if "001" not in name]
    torch.testing.assert_close(views.depths[with_some], torch.full_like(views.depths[with_some], 3 * scale))
    assert (views.depths == 0).any(dim=(1, 2, 3)).sum() == 8 - len(with_some)
