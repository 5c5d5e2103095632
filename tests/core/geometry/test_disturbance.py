import math

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos

from tokengs_nerfstudio.core.geometry.disturbance import disturbed


def test_cameras_are_as_wrong_as_asked_for_and_the_first_is_right() -> None:
    views = photos(blobs(), arc_cameras(4))
    wrong = disturbed(views, degrees=2.0, baselines=0.05, seed=1).c2w
    torch.testing.assert_close(wrong[0], views.c2w[0])
    baseline = torch.cdist(views.c2w[:, :3, 3], views.c2w[:, :3, 3]).max()
    shifts = (wrong - views.c2w)[1:, :3, 3].norm(dim=-1)
    torch.testing.assert_close(shifts, (0.05 * baseline).expand(3))
    turns = wrong[1:, :3, :3].mT @ views.c2w[1:, :3, :3]
    cosine = (turns.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    assert cosine.acos().tolist() == pytest.approx([math.radians(2.0)] * 3, abs=1e-3)
