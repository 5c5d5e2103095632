"""What a step compares."""

import torch
from made.scenes import arc_cameras, blobs, noisy, photos
from made.tuning import PHOTOMETRY, still_cameras

from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.tuning.gaussian_variables import GaussianVariables
from tokengs_nerfstudio.core.tuning.stages import Drawing
from tokengs_nerfstudio.core.tuning.supervision import Supervision
from tokengs_nerfstudio.core.types import Gaussians

RATES = GaussianStageConfig(means_rate=1e-2, means_decay=0.05)


def noisy_once() -> Gaussians:
    torch.manual_seed(5)
    return noisy(blobs())


def test_rendering_in_chunks_gives_the_same_gradients() -> None:
    views = photos(blobs(), arc_cameras(5))
    gradients = []
    for chunk in (5, 2, 1):
        variables = GaussianVariables(noisy_once(), 1.0, RATES)
        batch = Supervision(views, [], seed=0).batch(5, 1.0)
        PHOTOMETRY.backward(Drawing(variables.splats, chunk), batch, still_cameras(views))
        gradients.append(variables.parameters["means"].grad)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-7, rtol=1e-3)
    torch.testing.assert_close(gradients[0], gradients[2], atol=1e-7, rtol=1e-3)
