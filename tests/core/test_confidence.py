"""How far Gaussians can be believed."""

from dataclasses import replace

import torch
from made.scenes import arc_cameras, blobs, photos

from tokengs_nerfstudio.core.confidence import confidences
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig

USUAL = RenderConfig()


def test_more_photos_that_agree_make_surer_and_those_that_disagree_less_sure() -> None:
    scene = blobs(40)
    views = photos(scene, arc_cameras(6))
    one, all_six = (confidences(scene, views.select(list(range(count))), USUAL) for count in (1, 6))
    assert one.max() <= 1 / 3 + 1e-6
    assert all_six.median() > 0.6
    assert all_six.max() <= 0.75 + 1e-6
    wrong = replace(views, images=1 - views.images)
    assert confidences(scene, wrong, USUAL).median() < 0.5 * all_six.median()


def test_what_no_photo_sees_has_none_and_masks_hide_disagreement() -> None:
    scene = blobs(20)
    behind = replace(scene, means=scene.means - torch.tensor([0.0, 0.0, 6.0]))
    both = Gaussians.cat([scene, behind])
    views = photos(scene, arc_cameras(4))
    found = confidences(both, views, USUAL)
    assert found[20:].abs().max() == 0
    torch.testing.assert_close(found[:20], confidences(scene, views, USUAL))
    half = torch.ones_like(views.images[:, :1])
    half[..., 16:] = 0
    spoilt = views.images.clone()
    spoilt[..., 16:] = 1 - spoilt[..., 16:]
    hidden = confidences(scene, replace(views, images=spoilt, masks=half), USUAL)
    seen = confidences(scene, replace(views, images=spoilt), USUAL)
    left = scene.means[:, 0] < -0.3
    assert hidden[left].mean() > 1.05 * seen[left].mean() or torch.allclose(hidden[left], seen[left], atol=0.05)
    assert hidden.max() > seen.max() - 1e-6
