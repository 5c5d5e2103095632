"""The same places in two photos."""

from dataclasses import replace

import torch

from tokengs_nerfstudio.core.poses.features import features, fundamental, matches
from tokengs_nerfstudio.data.procedural.tracing import procedural_views


def test_matches_lie_on_epipolar_lines_and_only_in_the_band() -> None:
    views = procedural_views(5, 2, 128, 128)
    first, second = features(views)
    line = fundamental(views.c2w.double(), views.intrinsics.double())
    ones = torch.ones(1, dtype=torch.float64)
    wide, narrow = (matches(first, second, line, band) for band in (10.0, 1.0))
    assert min(len(wide), len(narrow)) > 10

    def distance(match: torch.Tensor) -> float:
        lines = line @ torch.cat([first.places[match[0]], ones])
        return float((lines @ torch.cat([second.places[match[1]], ones])).abs() / lines[:2].norm())

    assert max(distance(match) for match in narrow) < 1.0
    assert sorted(distance(match) for match in wide)[len(wide) // 2] < 1.0
    assert len(set(narrow[:, 1].tolist())) == len(narrow)


def test_nothing_is_found_where_masks_hide_it_or_photos_are_plain() -> None:
    views = procedural_views(5, 2, 128, 128)
    masks = torch.ones_like(views.images[:, :1])
    masks[..., :64] = 0
    half = features(replace(views, masks=masks))[0]
    assert 0 < len(half.places) < len(features(views)[0].places)
    assert (half.places[:, 0] > 63).all()
    plain, other = features(replace(views, images=torch.full_like(views.images, 0.5)))
    assert len(plain.places) == 0
    assert matches(plain, other, torch.eye(3, dtype=torch.float64), 10.0).shape == (0, 2)
