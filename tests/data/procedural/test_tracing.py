from dataclasses import replace

import numpy as np
import pytest
import torch

from tokengs_nerfstudio.core.geometry.rays import pixel_rays, project
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig
from tokengs_nerfstudio.data.procedural.tracing import (
    ProceduralScene,
    Tracer,
    make_scenes,
    procedural_batch,
    procedural_views,
    stack_scenes,
    trace_in_torch,
    trace_on_cpu,
)
from tokengs_nerfstudio.data.scene import Scene


def test_a_seed_gives_the_same_pixels_alone_in_a_batch_and_on_threads():
    views = procedural_batch([3, 4], 3, 24, 32)
    again = procedural_batch([3, 4], 3, 24, 32, tracer=Tracer(threads=3))
    alone = procedural_views(4, 3, 24, 32)
    assert torch.equal(views.images, again.images)
    assert torch.equal(views.depths, again.depths)
    assert torch.equal(views.images[1], alone.images)
    assert torch.equal(views.depths[1], alone.depths)
    assert not torch.equal(views.images[0], views.images[1])


def test_batches_are_well_exposed_rgb_with_cameras_in_pixels():
    views = procedural_batch(range(16), 4, 32, 48)
    assert views.images.shape == (16, 4, 3, 32, 48)
    assert views.depths.shape == (16, 4, 1, 32, 48)
    assert views.images.min() >= 0
    assert views.images.max() <= 1
    assert 0.3 < views.images.mean() < 0.6
    assert (views.images.std(dim=(1, 2, 3, 4)) > 0.03).all()
    assert (views.intrinsics[..., 0, 2] == 24).all()
    assert (views.intrinsics[..., 1, 2] == 16).all()
    rotation = views.c2w[..., :3, :3]
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand_as(rotation), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(16, 4), atol=1e-5)


def seen_again(views, source: int, target: int):
    """Colours of the pixels of one view, and of the pixels of another that show the same surface points; a mask."""
    height, width, depth = views.height, views.width, views.depths
    origins, directions = pixel_rays(views.c2w[[source]], views.intrinsics[[source]], height, width)
    axis = views.c2w[source, :3, 2]
    along = (directions * axis[:, None, None]).sum(1, keepdim=True)
    points = (origins + directions * depth[source] / along)[0].flatten(1).T
    pixels, z = project(points, views.c2w[[target]], views.intrinsics[[target]])
    column, row = pixels[0].floor().long().unbind(-1)
    mask = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (z[0] > 0)
    mask &= depth[source].flatten() > 0
    column, row = column.clamp(0, width - 1), row.clamp(0, height - 1)
    mask &= (depth[target, 0, row, column] / z[0] - 1).abs() < 0.01
    return views.images[source].flatten(1).T, views.images[target, :, row, column].T, mask


def test_depth_leads_to_the_same_colours_in_another_view():
    shares, errors, controls = [], [], []
    for seed in range(6):
        views = procedural_views(seed, 4, 96, 96, ProceduralConfig(antialias=False, orbit_span=(40.0, 60.0)))
        here, there, mask = seen_again(views, 0, 2)
        shares.append(mask.float().mean().item())
        errors.append((here - there)[mask].abs().median().item())
        controls.append((here - there.roll(7, 0))[mask].abs().median().item())
    assert np.mean(shares) > 0.2
    assert np.mean(errors) < 0.02
    assert np.mean(errors) < 0.5 * np.mean(controls)


def test_depth_of_the_floor_is_exact():
    scene = make_scenes([1], 3, ProceduralConfig(room_probability=0.0, ground_probability=1.0))[0]
    bare = stack_scenes([scene], 32, 32)
    bare.counts[:] = 0
    _, depth = trace_on_cpu(bare, 32, 32, antialias=False)
    c2w, intrinsics = torch.from_numpy(bare.c2w[0]), torch.from_numpy(bare.intrinsics[0])
    origins, directions = pixel_rays(c2w, intrinsics, 32, 32)
    along = (directions * c2w[:, :3, 2, None, None]).sum(1, keepdim=True)
    points = origins + directions / along * depth[0].double()
    height = torch.where(depth[0] > 0, points[:, 2:], torch.nan)
    floor = np.float32(scene.environment[4])
    assert (depth > 0).float().mean() > 0.3
    assert torch.allclose(height[depth[0] > 0], torch.tensor(float(floor), dtype=torch.float64), atol=1e-5)


def test_antialiasing_changes_borders_alone():
    jagged = procedural_views(5, 2, 48, 48, ProceduralConfig(antialias=False))
    smooth = procedural_views(5, 2, 48, 48)
    changed = (jagged.images != smooth.images).any(1).float().mean()
    assert torch.equal(jagged.depths, smooth.depths)
    assert 0.01 < changed < 0.4


def test_a_procedural_scene_is_a_scene_whose_frames_load_in_any_order():
    scene: Scene = ProceduralScene(8, 5, 20, 28)
    assert isinstance(scene, Scene)
    alone = procedural_views(8, 5, 20, 28)
    views = scene.load([4, 0])
    assert (scene.name, scene.image_size, scene.times) == ("procedural-8", (20, 28), None)
    assert torch.equal(views.images, alone.images[[4, 0]])
    assert torch.equal(views.c2w, scene.c2w[[4, 0]])
    assert torch.equal(scene.load([2]).depths, alone.depths[[2]])
    with pytest.raises(IndexError, match="frames 0 to 4, asked for \\[5\\]"):
        scene.load([5])


def test_impossible_requests_say_so():
    with pytest.raises(ValueError, match="seeds >= 0 and at least one view"):
        procedural_batch([-1], 2, 8, 8)
    with pytest.raises(ValueError, match="seeds >= 0 and at least one view"):
        procedural_batch([], 2, 8, 8)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_torch_traces_the_same_pictures_in_float32(device: str):
    """Against the kernels' float64: grazing rays and shadow borders may fall on the other side."""
    scenes = stack_scenes(make_scenes(range(8), 3), 48, 48)
    (images, depths), there = trace_on_cpu(scenes, 48, 48, antialias=True), trace_in_torch(scenes, 48, 48, True, device)
    assert ((images - there[0].cpu()).abs().amax(2) > 1e-2).float().mean() < 1e-3
    assert ((depths - there[1].cpu()).abs() > 1e-3 * (depths + 0.1)).float().mean() < 1e-3


def test_scenes_do_not_change_when_traced():
    scene = make_scenes([6], 2)[0]
    before = replace(scene, materials=scene.materials.copy())
    trace_on_cpu(stack_scenes([scene], 8, 8), 8, 8, antialias=True)
    assert np.array_equal(before.materials, scene.materials)
