"""Every format read back by a reader of its own, by its values and by what it looks like."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs
from made.splat_readers import READERS, read_compressed_ply, read_splat, read_spz

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.types import Gaussians
from tokengs_nerfstudio.data.splat_files import WRITERS, write_compressed_ply, write_splat, write_spz

# Means, logarithms of scales, degrees, opacities, colours: by how much a value may be off.
EXACT = (0.0, 3e-6, 0.1, 2e-6, 1e-6)
LOSSY = {  # of the compressed one the block with the far blob decides
    ".ply": EXACT,
    ".splat": (0.0, 0.0, 0.9, 0.002, 0.002),
    ".spz": (5e-6, 0.0315, 0.3, 0.002, 0.004),
    ".compressed.ply": (0.02, 1e-3, 0.2, 0.002, 0.002),
}


def scene(count: int = 3000) -> Gaussians:
    """Blobs with quaternions of both signs, one of them far away."""
    made = blobs(count)
    made.means[5] = torch.tensor([3.0, -40.0, 55.0])
    made.quats[::2] *= -1
    return replace(made, scales=made.scales / 8)


def pictures(gaussians: Gaussians) -> torch.Tensor:
    intrinsics = torch.tensor([[90.0, 0, 48], [0, 90, 40], [0, 0, 1]]).expand(2, 3, 3)
    return render(gaussians, arc_cameras(2), intrinsics, 96, 80, depth=False).rgb


def matched(found: Gaussians, wanted: Gaussians) -> Gaussians:
    """`found` in the order of `wanted`: formats may sort."""
    ours, theirs = (torch.cat([one.means, one.colors, one.scales.log()], 1).double() for one in (wanted, found))
    nearest = torch.cdist(ours, theirs).argmin(1)
    assert sorted(nearest.tolist()) == list(range(wanted.count))
    return found.select(nearest)


@pytest.mark.parametrize("ending", WRITERS)
def test_values_and_pictures_come_back(ending, tmp_path):
    wanted = scene()
    WRITERS[ending](tmp_path / f"s{ending}", wanted)
    found = matched(READERS[ending](tmp_path / f"s{ending}"), wanted)
    degrees = torch.rad2deg(2 * torch.acos((found.quats * wanted.quats).double().sum(-1).abs().clamp(max=1)))
    off = (
        (found.means - wanted.means).abs()[torch.arange(wanted.count) != 5].amax(),
        (found.scales.log() - wanted.scales.log()).abs().amax(),
        degrees.amax(),
        (found.opacities - wanted.opacities).abs().amax(),
        (found.colors - wanted.colors).abs().amax(),
    )
    assert all(float(value) <= most + 1e-6 for value, most in zip(off, LOSSY[ending])), off
    difference = pictures(found) - pictures(wanted)
    if ending == ".ply":
        assert float(difference.abs().max()) <= 2 / 255
    assert float(-10 * (difference**2).mean().log10()) >= 35


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("count", [1, 256, 257])
def test_any_number_of_gaussians(ending, count, tmp_path):
    wanted = blobs(count)
    WRITERS[ending](tmp_path / f"s{ending}", wanted)
    found = READERS[ending](tmp_path / f"s{ending}")
    assert found.count == count
    assert all(value.isfinite().all() for _, value in found.tensors())


@pytest.mark.parametrize("ending", [".ply", ".compressed.ply", ".spz"])
def test_another_programs_reader_reads_the_same(ending, tmp_path):
    gsply = pytest.importorskip("gsply", reason="gsply is not installed: our own reader stands alone")
    WRITERS[ending](tmp_path / f"s{ending}", scene())
    ours = READERS[ending](tmp_path / f"s{ending}")
    read = gsply.read_spz if ending == ".spz" else gsply.plyread
    theirs = read(str(tmp_path / f"s{ending}"))
    torch.testing.assert_close(torch.tensor(theirs.means), ours.means, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(torch.tensor(theirs.scales), ours.scales.log(), atol=1e-5, rtol=0)
    quats = torch.nn.functional.normalize(torch.tensor(theirs.quats), dim=-1)
    assert float((quats * ours.quats).sum(-1).abs().min()) > 1 - 1e-5
    opacities = torch.tensor(theirs.opacities).reshape(-1).sigmoid()
    torch.testing.assert_close(opacities, ours.opacities, atol=1e-5, rtol=0)
    colors = torch.tensor(theirs.sh0).reshape(-1, 3) * 0.28209479 + 0.5
    torch.testing.assert_close(colors, ours.colors, atol=1e-5, rtol=0)


def test_saturated_values_stay_in_their_bytes(tmp_path):
    solid = blobs(2)
    solid.opacities[:] = torch.tensor([0.0, 1.0])
    solid.colors[:] = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    for ending in (".splat", ".spz", ".compressed.ply"):
        WRITERS[ending](tmp_path / f"s{ending}", solid)
        found = matched(READERS[ending](tmp_path / f"s{ending}"), solid)
        torch.testing.assert_close(found.opacities, solid.opacities, atol=0.002, rtol=0)
        torch.testing.assert_close(found.colors, solid.colors, atol=0.01, rtol=0)


def test_what_hides_most_comes_first(tmp_path):
    wanted = blobs(3)
    wanted.scales[:] = torch.tensor([0.1, 0.3, 0.2])[:, None]
    write_splat(tmp_path / "s.splat", wanted)
    assert torch.equal(read_splat(tmp_path / "s.splat").means, wanted.means[[1, 2, 0]])


def test_far_scenes_keep_as_many_bits_as_there_are(tmp_path):
    wanted = blobs(20)
    wanted.means[3, 0] = 5000.0
    write_spz(tmp_path / "s.spz", wanted)
    assert float((read_spz(tmp_path / "s.spz").means - wanted.means).abs().max()) <= 0.5 / 2**10
    wanted.means[3, 0] = 1e7
    with pytest.raises(UserError, match=r"is 1e\+07 units away.*give a --crop box"):
        write_spz(tmp_path / "s.spz", wanted)


def test_blocks_of_a_compressed_file_are_small_in_space(tmp_path):
    """Else 11 bits would not do for scenes of any size."""
    wide = replace(blobs(5000), means=torch.rand(5000, 3) * 100)
    write_compressed_ply(tmp_path / "s.compressed.ply", wide)
    found = read_compressed_ply(tmp_path / "s.compressed.ply")
    assert float(matched(found, wide).means.sub(wide.means).abs().mean()) < 0.01
