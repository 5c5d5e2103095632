"""What is said of photos and cameras: each fault by its name, and nothing of what is as it should be."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from made.cut_outs import cut_out_views
from made.scenes import arc_cameras, blobs, photos

from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.checkup import (
    camera_findings,
    camera_measures,
    photo_findings,
    photo_measures,
    suggested_context,
    warnings,
)

NETWORK = PRESETS["tiny"]


def orbit(count: int = 12) -> Views:
    return replace(cut_out_views(count, 48), alphas=None)


def said(views: Views) -> str:
    names = [f"{index}.jpg" for index in range(views.num_views)]
    return "; ".join(str(finding) for finding in warnings(views, names, NETWORK))


def test_nothing_is_said_of_good_captures() -> None:
    assert said(orbit()) == ""
    assert said(photos(blobs(), arc_cameras(12), size=64)) == ""


def test_measures_of_an_orbit() -> None:
    """Cameras on a circle of radius 3, one above its plane, that look at its centre: 39.3 degrees of view."""
    measures = camera_measures(orbit())
    assert measures.fov_short == pytest.approx((39.31, 39.31), abs=0.01)
    assert measures.baseline == pytest.approx(6.0, abs=1e-4)
    assert measures.distance == pytest.approx(10**0.5 / 6, abs=1e-3)
    assert measures.axes_apart == pytest.approx(143.13, abs=0.01)
    assert measures.seen_by == (11,) * 12
    assert not measures.outward
    assert suggested_context(measures, NETWORK) == 6
    assert suggested_context(camera_measures(photos(blobs(), arc_cameras(12))), NETWORK) == 4


def blurred(images: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(images[None], 9, 1, 4, count_include_pad=False)[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (blurred, "3.jpg is much less sharp"),
        (lambda image: image * 0.4, "3.jpg is much brighter or darker"),
        (lambda image: torch.full_like(image, 0.5), "3.jpg is of one colour"),
    ],
)
def test_a_photo_that_differs_is_named(change, words: str) -> None:
    views = orbit()
    noise = 0.1 * torch.rand(views.images.shape, generator=torch.Generator().manual_seed(0))
    images = (0.9 * views.images + noise).clone()
    assert said(replace(views, images=images)) == ""
    images[3] = change(images[3])
    assert words in said(replace(views, images=images))
    assert said(replace(views, images=images, masks=torch.ones_like(images[:, :1]))) == ""


def test_sharpness_is_of_the_picture_and_not_of_its_exposure() -> None:
    image = F.avg_pool2d(torch.rand(3, 44, 44, generator=torch.Generator().manual_seed(0)), 5, 1)
    sharp = photo_measures("a", image).sharpness
    assert photo_measures("a", 0.3 * image + 0.1).sharpness == pytest.approx(sharp, rel=1e-4)
    assert photo_measures("a", blurred(blurred(image))).sharpness < 0.8 * sharp
    assert photo_findings([]) == []
    flat = photo_measures("a", torch.zeros(3, 8, 8))
    assert flat.clipped == 1
    assert [finding.severity for finding in photo_findings([flat, flat])] == ["unusable"]


def turned_round(views: Views) -> Views:
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
    return replace(views, c2w=views.c2w @ flip)


def far(views: Views) -> Views:
    c2w = views.c2w.clone()
    c2w[:, :3, 3] = c2w[:, :3, 3] * 0.004 - 8 * c2w[0, :3, 2]
    c2w[:, :3, :3] = c2w[0, :3, :3] @ torch.stack([_yaw(angle) for angle in torch.linspace(-0.04, 0.04, len(c2w))])
    return replace(views, c2w=c2w)


def _yaw(angle: torch.Tensor) -> torch.Tensor:
    cos, sin, none = angle.cos(), angle.sin(), torch.tensor(0.0)
    return torch.stack([cos, none, sin, none, torch.tensor(1.0), none, -sin, none, cos]).reshape(3, 3)


def changed_intrinsics(**entries: float):
    def change(views: Views) -> Views:
        intrinsics = views.intrinsics.clone()
        for name, value in entries.items():
            row, column = {"fx": (0, 0), "fy": (1, 1), "cx": (0, 2)}[name]
            intrinsics[:, row, column] = value
        return replace(views, intrinsics=intrinsics)

    return change


@pytest.mark.parametrize(
    ("change", "severity", "words"),
    [
        (turned_round, "warning", "the axes are wrong"),
        (lambda v: replace(v, c2w=v.c2w[:1].expand(12, 4, 4)), "unusable", "in one place"),
        (changed_intrinsics(fx=2000.0, fy=2000.0), "unusable", "no lens has"),
        (changed_intrinsics(fx=300.0, fy=300.0), "warning", "weights know 16 to 75"),
        (changed_intrinsics(fy=90.0), "warning", "differ by"),
        (changed_intrinsics(cx=40.0), "warning", "33 % of the side away"),
        (lambda v: v.select([0, 6]), "warning", "2 photos: shape"),
        (lambda v: v.select(list(range(8))), "note", "8 photos: none can be left out"),
    ],
)
def test_cameras_that_are_odd_are_said_to_be(change, severity: str, words: str) -> None:
    views = change(orbit())
    names = [f"{index}.jpg" for index in range(views.num_views)]
    found = camera_findings(camera_measures(views), names, NETWORK)
    assert [finding.severity for finding in found if words in finding.text + finding.advice] == [severity]


def test_a_camera_that_looks_elsewhere_is_named() -> None:
    views = orbit()
    away = turned_round(views).c2w[5]
    assert "5.jpg is alone" in said(
        replace(views, c2w=torch.where(torch.arange(12)[:, None, None] == 5, away, views.c2w))
    )
