"""Checkpoints of finished runs of a scene that moves, written without training."""

from pathlib import Path

import torch
from made.scenes import arc_cameras

from tokengs_nerfstudio.core.baking import BakedScene, Motion
from tokengs_nerfstudio.core.splat_parameters import splat_parameters
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig

TIMES = [0.0, 0.5, 1.0]
TURN = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""from the capture's world to nerfstudio's, which is half as large and shifted"""


def moving_scene(moves: bool = True) -> BakedScene:
    """A red Gaussian goes from (0, 0, 2) one unit along x and then one along y, a blue one stands at (1, -1, 2)."""
    bakes = [
        Gaussians(
            means=torch.tensor([place, [1.0, -1.0, 2.0]]),
            quats=torch.tensor([[1.0, 0, 0, 0]] * 2),
            scales=torch.full((2, 3), 0.1),
            opacities=torch.tensor([0.95, 0.95]),
            colors=torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.1, 0.9]]),
        )
        for place in ([0.0, 0.0, 2.0], [1.0, 0.0, 2.0], [1.0, 1.0, 2.0])
    ]
    return BakedScene(bakes[0], Motion.between(TIMES, bakes) if moves else None, RenderConfig())


def write_run(folder: Path, moves: bool = True) -> Path:
    """Its context are four cameras on an arc around (0, 0, 2), in nerfstudio's world."""
    state = {f"_model.gauss_params.{name}": value for name, value in splat_parameters(moving_scene(moves)).items()}
    c2w = arc_cameras(4)
    intrinsics = torch.tensor([[40.0, 0, 32], [0, 40, 24], [0, 0, 1]]).expand(4, 3, 3).clone()
    scene = {
        "dataparser_transform": torch.cat([TURN, torch.tensor([[1.0], [2.0], [3.0]])], dim=1),
        "dataparser_scale": 0.5,
        "context_c2w": c2w,
        "context_intrinsics": intrinsics,
        "context_size": [48, 64],
        "context_times": [0.0, 1.0, 0.25, 0.5],
    }
    saved = {
        "step": 0,
        "pipeline": {**state, "_model._extra_state": RenderConfig().as_numbers()},
        "tuning": {"scene": scene},
    }
    (folder / "nerfstudio_models").mkdir(parents=True)
    torch.save(saved, folder / "nerfstudio_models/step-000000000.ckpt")
    return folder
