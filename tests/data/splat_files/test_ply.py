"""Gaussians in files, against the published exporter's."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made.ply import read_vertices
from made.scenes import blobs
from safetensors.torch import load_file

from tokengs_nerfstudio.core.types import Gaussians
from tokengs_nerfstudio.data.splat_files import write_ply
from tokengs_nerfstudio.data.splat_files.ply import write_points


def test_values_come_back(tmp_path) -> None:
    scene = blobs(20)
    write_ply(tmp_path / "s.ply", scene)
    rows = read_vertices(tmp_path / "s.ply")
    assert np.array_equal(rows["x"], scene.means[:, 0].numpy())
    assert 1 / (1 + np.exp(-rows["opacity"])) == pytest.approx(scene.opacities.numpy(), abs=1e-6)
    assert np.exp(rows["scale_1"]) == pytest.approx(scene.scales[:, 1].numpy(), rel=1e-5)
    assert 0.5 + 0.28209479 * rows["f_dc_2"] == pytest.approx(scene.colors[:, 2].numpy(), abs=1e-6)
    assert np.array_equal(rows["rot_0"], scene.quats[:, 0].numpy())


def test_what_is_too_faint_is_left_out_and_solid_ones_have_a_number(tmp_path) -> None:
    scene = blobs(3)
    scene.opacities[:] = torch.tensor([0.001, 0.5, 1.0])
    write_ply(tmp_path / "s.ply", scene, 0.005)
    rows = read_vertices(tmp_path / "s.ply")
    assert len(rows) == 2
    assert np.isfinite(rows["opacity"]).all()


def test_golden(shared, tmp_path) -> None:
    values = load_file(shared / "golden/G9_export_in.safetensors")["in.gaussians"][0]
    scene = Gaussians(values[:, :3], values[:, 7:11], values[:, 4:7], values[:, 3], values[:, 11:])
    write_ply(tmp_path / "s.ply", scene, 0.005)
    ours, theirs = (read_vertices(file) for file in (tmp_path / "s.ply", shared / "golden/G9_export.ply"))
    assert ours.dtype.names == theirs.dtype.names
    for name in ours.dtype.names:
        assert ours[name] == pytest.approx(theirs[name], abs=2e-5), name


def test_points_have_places_and_colours(tmp_path) -> None:
    scene = blobs(7)
    write_points(tmp_path / "p.ply", scene)
    rows = read_vertices(tmp_path / "p.ply")
    assert rows.dtype.names == ("x", "y", "z", "red", "green", "blue")
    assert np.array_equal(rows["z"], scene.means[:, 2].numpy())
    assert rows["green"] == pytest.approx(255 * scene.colors[:, 1].numpy(), abs=0.5)


def test_harmonics_stand_by_colour_after_the_constant(tmp_path) -> None:
    scene = replace(blobs(4), harmonics=torch.randn(4, 8, 3))
    write_ply(tmp_path / "s.ply", scene)
    rows = read_vertices(tmp_path / "s.ply")
    assert rows.dtype.names[3:30] == (*(f"f_dc_{i}" for i in range(3)), *(f"f_rest_{i}" for i in range(24)))
    assert np.array_equal(rows["f_rest_0"], scene.harmonics[:, 0, 0].numpy())
    assert np.array_equal(rows["f_rest_7"], scene.harmonics[:, 7, 0].numpy())
    assert np.array_equal(rows["f_rest_8"], scene.harmonics[:, 0, 1].numpy())
    assert np.array_equal(rows["f_rest_23"], scene.harmonics[:, 7, 2].numpy())
    assert np.array_equal(rows["rot_3"], scene.quats[:, 3].numpy())
