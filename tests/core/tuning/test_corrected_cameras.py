"""Scenes whose cameras were corrected, seen by cameras that were not among them."""

import torch
from made.scenes import arc_cameras, blobs, noisy, photos, small_network
from made.tuning import ready, tuning_config

from tokengs_nerfstudio.core.baking import BakedScene, bake
from tokengs_nerfstudio.core.evaluation import score, shown
from tokengs_nerfstudio.core.rotation import rigid_motion
from tokengs_nerfstudio.core.tuning import SceneTuning
from tokengs_nerfstudio.core.types import Similarity, Views


def psnr(baked: BakedScene, views: Views) -> float:
    return score(shown(baked.at(), views, baked.rendering), views.images).means()["psnr"]


def test_a_scene_that_went_with_one_wrong_camera_is_where_the_others_have_it() -> None:
    """The first camera is wrong by two degrees and does not move: the scene and all other cameras come to it."""
    truth = photos(blobs(80), arc_cameras(9), size=48)
    supervised, held_out = truth.select([0, 1, 3, 5, 7, 8]), truth.select([2, 4, 6])
    motion = rigid_motion(torch.tensor([[0.0, 0.035, 0.0]]), torch.tensor([[0.02, 0.0, 0.0]]))[0]
    wrong = supervised.c2w.clone()
    wrong[0] = wrong[0] @ motion
    there = wrong[0] @ torch.linalg.inv(truth.c2w[0])
    start = noisy(blobs(80)).transformed(Similarity(there[:3, :3], there[:3, 3], torch.tensor(1.0)))
    views = Views(supervised.images, wrong, supervised.intrinsics)
    config = tuning_config(space="gaussians", rule="steps", pose_rate=4e-3, reseed=False, clear_share=0.0)
    scene = ready(views.select([0]), views)
    tuning = SceneTuning(small_network(), scene, config, 200, start)
    while not tuning.finished:
        tuning.step()
    cameras = tuning.cameras.cameras()
    aligned = bake(tuning.gaussians, scene.following(cameras), tuning.rendering)
    assert psnr(aligned, held_out) > psnr(bake(tuning.gaussians, scene, tuning.rendering), held_out) + 3.0
