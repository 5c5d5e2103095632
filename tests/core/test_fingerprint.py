"""What a tuning was made of, compared."""

from dataclasses import replace

import torch
from made.scenes import arc_cameras, blobs, photos, small_network

from tokengs_nerfstudio.core import load_network, prepare
from tokengs_nerfstudio.core.fingerprint import Fingerprint, digest
from tokengs_nerfstudio.core.types import Example, Views

NAMES = ["a.png", "b.png", "c.png"]


def of(views: Views, names: list[str] = NAMES, scale: float = 1.0) -> Fingerprint:
    network = small_network()
    return Fingerprint.of(network, prepare(network, Example(views, views), scale), views, names)


def test_the_same_scene_is_the_same_whatever_rounds() -> None:
    views = photos(blobs(), arc_cameras(3), size=48)
    before = of(views).state_dict()
    rounded = replace(views, images=(views.images + 2e-3).clamp(0, 1), c2w=views.c2w.clone())
    rounded.c2w[:, :3, 3] += 1e-5
    assert of(rounded).difference(before) is None


def test_what_differs_is_named() -> None:
    views = photos(blobs(), arc_cameras(3), size=48)
    before = of(views).state_dict()
    masked, moved = torch.ones_like(views.images[:, :1]), views.c2w.clone()
    masked[1, :, :10] = 0
    moved[2, 0, 3] += 0.1
    lenses, painted = views.intrinsics.clone(), views.images.clone()
    lenses[0, 0, 0] *= 1.1
    painted[1:] = painted[1:].flip(-1)
    for said, other in (
        ("other masks of a.png, b.png, c.png", of(replace(views, masks=masked))),
        ("other camera poses of c.png", of(replace(views, c2w=moved))),
        ("other camera intrinsics of a.png", of(replace(views, intrinsics=lenses))),
        ("other pictures in b.png, c.png", of(replace(views, images=painted))),
        ("other times of a.png, b.png, c.png", of(replace(views, times=torch.zeros(3)))),
        ("other photos: without c.png and with d.png", of(views, ["a.png", "b.png", "d.png"])),
        ("other photos: in another order", of(views, ["b.png", "a.png", "c.png"])),
        ("another canonical frame, of scale 1, now 2", of(views, scale=2.0)),
    ):
        assert (other.difference(before) or "").startswith(said)
    assert (of(views).difference({**before, "weights": "x"}) or "").startswith("other weights")


def test_weights_are_told_apart_by_every_value() -> None:
    network = load_network("tiny")
    first = digest(network)
    assert digest(load_network("tiny")) == first
    with torch.no_grad():
        next(iter(network.parameters())).flatten()[0] += 1e-3
    assert digest(network) != first
