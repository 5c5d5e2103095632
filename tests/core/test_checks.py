"""What comes in from Python and is not what it should be: one message that names the field."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network

from tokengs_nerfstudio.core import TuningConfig, canonical_frame, load_network, reconstruct, render
from tokengs_nerfstudio.core.checks import all_finite, check_views
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Gaussians, Views

pytestmark = pytest.mark.usefixtures("no_shape_checks")


@pytest.fixture(scope="module")
def views() -> Views:
    views = photos(blobs(), arc_cameras(4), size=32)
    ones = torch.ones_like(views.images[:, :1])
    return replace(views, times=torch.linspace(0, 1, 4), masks=ones, depths=ones)


def with_value(tensor: torch.Tensor, value: float, *place: int) -> torch.Tensor:
    changed = tensor.clone()
    changed[place] = value
    return changed


CASES: dict[str, tuple[Any, str]] = {
    "numpy": (lambda v: {"images": v.images.numpy()}, "images must be a torch tensor, got ndarray"),
    "list": (lambda v: {"c2w": v.c2w.tolist()}, "c2w must be a torch tensor, got list"),
    "none": (lambda v: {"c2w": None}, "c2w must be a torch tensor, got NoneType"),
    "meta": (lambda v: {"images": v.images.to("meta")}, "images is a meta tensor"),
    "bytes": (
        lambda v: {"images": (255 * v.images).byte()},
        "images must be of floating numbers, float32, got torch.uint8",
    ),
    "double": (lambda v: {"images": v.images.double()}, "images must be torch.float32 as the network is"),
    "batch": (lambda v: {"images": v.images[None]}, "images must be one scene's"),
    "channels": (lambda v: {"images": v.images[:, :1]}, "images must be one scene's"),
    "empty": (lambda v: {"images": v.images[:0]}, "images holds nothing"),
    "8 bits": (lambda v: {"images": 255 * v.images}, "images must be RGB in [0, 1]; divide 8-bit values by 255"),
    "negative": (lambda v: {"images": v.images - 0.5}, "images must be RGB in [0, 1]"),
    "nan image": (
        lambda v: {"images": with_value(v.images, math.nan, 0, 0, 0, 0)},
        "images holds 1 values that are not",
    ),
    "one pose": (lambda v: {"c2w": v.c2w[:1]}, "c2w must be [4, 4, 4], got [1, 4, 4]"),
    "3x4": (lambda v: {"c2w": v.c2w[:, :3]}, "c2w must be [4, 4, 4], got [4, 3, 4]"),
    "nan pose": (lambda v: {"c2w": with_value(v.c2w, math.nan, 1, 0, 3)}, "c2w holds 1 values that are not finite"),
    "scaled": (lambda v: {"c2w": v.c2w * torch.tensor([2.0, 2, 2, 1])}, "c2w: camera 0 is no rotation with a position"),
    "mirrored": (lambda v: {"c2w": v.c2w * torch.tensor([-1.0, 1, 1, 1])}, "c2w: camera 0 mirrors"),
    "transposed": (lambda v: {"c2w": v.c2w.mT}, "c2w: camera 0 has a last row other than 0 0 0 1"),
    "whole intrinsics": (lambda v: {"intrinsics": v.intrinsics.int()}, "intrinsics must be of floating numbers"),
    "no focal": (
        lambda v: {"intrinsics": with_value(v.intrinsics, 0.0, 2, 1, 1)},
        "intrinsics: camera 2 has a focal length",
    ),
    "negative focal": (
        lambda v: {"intrinsics": with_value(v.intrinsics, -9.0, 3, 0, 0)},
        "intrinsics: camera 3 has a focal",
    ),
    "skew": (
        lambda v: {"intrinsics": with_value(v.intrinsics, 5.0, 1, 0, 1)},
        "intrinsics: camera 1 has entries where none",
    ),
    "last": (lambda v: {"intrinsics": with_value(v.intrinsics, 2.0, 1, 2, 2)}, "intrinsics: camera 1 has a last entry"),
    "late": (lambda v: {"times": 7 * v.times}, "times must be times in [0, 1], got values from 0 to 7"),
    "two times": (lambda v: {"times": v.times[:2]}, "times must be [4], got [2]"),
    "bool mask": (lambda v: {"masks": v.masks > 0}, "masks must be of floating numbers, float32, got torch.bool"),
    "half mask": (lambda v: {"masks": 0.5 * v.masks}, "masks must be 1 where a pixel counts and 0 where it does not"),
    "nan mask": (lambda v: {"masks": math.nan * v.masks}, "masks holds 4096 values that are not finite"),
    "three masks": (lambda v: {"masks": v.masks[:3]}, "masks must be [4, 1, 32, 32], got [3, 1, 32, 32]"),
    "depth behind": (
        lambda v: {"depths": -v.depths},
        "depths must be z-depths, 0 where there is no surface, got values",
    ),
    "inf depth": (lambda v: {"depths": math.inf * v.depths}, "depths holds 4096 values that are not finite"),
}


@pytest.mark.parametrize("name", CASES)
def test_views_that_are_not_what_they_should_be_are_named(views, name):
    change, said = CASES[name]
    with pytest.raises(UserError) as refused:
        check_views(replace(views, **change(views)), "context", torch.float32)
    assert f"context.{said}" in str(refused.value)


def test_reconstruct_checks_what_it_is_given(views):
    network = small_network()
    wrong = replace(views, images=255 * views.images)
    for arguments, said in (
        ((network, wrong), r"context\.images must be RGB"),
        ((network, views, None, 0, wrong), r"target\.images must be RGB"),
        ((network, "photos"), "context must be Views, got str"),
        (("tiny", views), "network must be what load_network"),
        ((network, views, "fast"), "TuningConfig is 'fast'; a TuningConfig is needed"),
        ((network, views, TuningConfig(space="foo"), 2), r"TuningConfig\.space is 'foo'"),  # type: ignore[arg-type]
        ((network, views, TuningConfig(), -1), "steps is -1; a whole number from 0"),
        ((network, views, TuningConfig(), 1.5), "steps is 1.5; a whole number is needed"),
    ):
        with pytest.raises(UserError, match=said):
            reconstruct(*arguments)


IMPOSSIBLE: dict[str, tuple[Any, str]] = {
    "crop": (lambda v: {"intrinsics": with_value(v.intrinsics, 90.0, 2, 0, 2)}, "view 2 of context lies outside"),
    "long": (lambda v: {"intrinsics": with_value(v.intrinsics, 1e6, 1, 0, 0)}, "view 1 of context is 1e"),
    "normalised": (lambda v: {"intrinsics": v.intrinsics / v.intrinsics.new_tensor([[32.0], [32.0], [1.0]])}, "view 0"),
    "one place": (lambda v: {"c2w": v.c2w[:1].expand(4, 4, 4)}, "all 4 cameras of context are in one place"),
    "too far": (lambda v: {"c2w": with_value(v.c2w, 1e7, 3, 0, 3)}, "view 3: "),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_cameras_that_cannot_be_those_of_the_photos_are_named(views, name):
    change, said = IMPOSSIBLE[name]
    with pytest.raises(UserError, match=said):
        reconstruct(small_network(), replace(views, times=None, **change(views)))


def test_a_camera_far_from_all_others_is_said(views, caplog):
    reconstruct(small_network(), replace(views, times=None, c2w=with_value(views.c2w, 300.0, 3, 0, 3)))
    assert "view 3: " in caplog.text


def test_views_that_ask_for_gradients_are_taken_as_they_are(views):
    asking = replace(views, images=views.images.clone().requires_grad_(), times=None)
    plain = reconstruct(small_network(), replace(views, times=None))
    torch.testing.assert_close(reconstruct(small_network(), asking).means, plain.means)


def test_no_views_at_all_can_be_selected(views):
    assert views.select([]).num_views == 0
    with pytest.raises(UserError, match=r"context\.images holds nothing"):
        check_views(views.select([]), "context", torch.float32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: {"opacities": with_value(s.opacities, math.nan, 0)}, "splats.opacities holds 1 values that are not"),
        (lambda s: {"opacities": s.opacities + 1}, "splats.opacities must be opacities in [0, 1]; give no logits"),
        (lambda s: {"opacities": -s.opacities}, "splats.opacities must be opacities in [0, 1]"),
        (lambda s: {"scales": s.scales.log()}, "splats.scales are lengths, not below 0"),
        (lambda s: {"colors": 255 * s.colors}, "splats.colors must be RGB in [0, 1]; divide 8-bit values by 255"),
    ],
)
def test_gaussians_that_are_not_what_they_should_be_are_named(views, change, said):
    splats = blobs()
    with pytest.raises(UserError) as refused:
        render(replace(splats, **change(splats)), views.c2w, views.intrinsics, 8, 8)
    assert said in str(refused.value)


def test_cameras_and_backgrounds_of_a_rendering_are_checked(views):
    splats: Gaussians = blobs()
    for said, changed in (
        ("c2w: camera 0 mirrors", {"c2w": views.c2w * torch.tensor([-1.0, 1, 1, 1])}),
        ("intrinsics: camera 0 has a focal", {"intrinsics": 0 * views.intrinsics}),
        (r"background must be RGB in \[0, 1\], got 255", {"background": 255}),
        ("c2w must be a torch tensor, got ndarray", {"c2w": views.c2w.numpy()}),
        ("intrinsics must be a torch tensor, got list", {"intrinsics": views.intrinsics.tolist()}),
        ("width is 8.5; a whole number is needed", {"width": 8.5}),
        ("height is 0; a whole number from 1 is needed", {"height": 0}),
    ):
        arguments: dict[str, Any] = {"c2w": views.c2w, "intrinsics": views.intrinsics, "width": 8, "height": 8}
        with pytest.raises(UserError, match=said):
            render(splats, **(arguments | changed))


def test_other_arguments_are_checked(views):
    for value in (-1.0, 0.0, math.nan):
        with pytest.raises(UserError, match="value is "):
            canonical_frame(views.c2w, value=value)
    for said, options in (
        ("precision is 'fp8'; choose one of fp32, bf16", {"precision": "fp8"}),
        ("num_tokens is 0; a whole number from 1", {"num_tokens": 0}),
        ("num_tokens is 2.5; a whole number is needed", {"num_tokens": 2.5}),
        ("source is 3; a path is needed", {"source": 3}),
    ):
        with pytest.raises(UserError, match=said):
            load_network(**{"source": "tiny", **options})


def test_finite_values_are_found_in_nested_ones():
    assert all_finite({"a": [torch.ones(2), (torch.ones(1), 3)], "b": None, "c": math.inf})
    assert not all_finite({"a": [torch.ones(2), (torch.tensor([math.nan]),)]})
    assert all_finite(torch.ones(2, dtype=torch.int64))
    assert not all_finite(torch.tensor(np.inf))
