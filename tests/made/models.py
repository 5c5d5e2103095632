"""Models of nerfstudio with Gaussians that are known, and what they look through."""

import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.data.scene_box import SceneBox

from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.types import Gaussians, Views
from tokengs_nerfstudio.model import TokenGSModel, TokenGSModelConfig


def a_model(**options) -> TokenGSModel:
    box = SceneBox(aabb=torch.tensor([[-1.0] * 3, [1.0] * 3]))
    model = TokenGSModelConfig(**options).setup(
        scene_box=box, num_train_data=3, metadata={}, device="cpu", grad_scaler=None, seed_points=None
    )
    return model.eval()


def two_gaussians() -> Gaussians:
    """A red one 2 in front of the camera at the origin that looks along -z, a blue one far to its side."""
    return Gaussians(
        means=torch.tensor([[0.0, 0.0, -2.0], [0.6, 0.0, -2.0]]),
        quats=torch.tensor([[1.0, 0, 0, 0]] * 2),
        scales=torch.full((2, 3), 0.1),
        opacities=torch.tensor([0.9, 0.9]),
        colors=torch.tensor([[1.0, 0, 0], [0, 0, 1.0]]),
    )


def baked_model() -> TokenGSModel:
    model = a_model()
    model.show(BakedScene(two_gaussians()))
    return model


def front_camera(times=None) -> Cameras:
    return Cameras(torch.eye(4)[None, :3], 40.0, 40.0, 20.0, 15.0, 40, 30, times=times)


def scene_views(count: int = 4) -> Views:
    c2w = torch.eye(4).repeat(count, 1, 1)
    c2w[:, 0, 3] = torch.arange(count) * 0.5
    intrinsics = torch.tensor([[40.0, 0, 24], [0, 40, 16], [0, 0, 1]]).repeat(count, 1, 1)
    return Views(torch.rand(count, 3, 32, 48), c2w, intrinsics)
