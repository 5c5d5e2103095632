from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.losses import (
    LossConfig,
    anchor_visibility,
    depth_error,
    l1,
    l2,
    opacity_entropy,
    reconstruction_loss,
    ssim,
    ssim_map,
    visibility,
)
from tokengs_nerfstudio.core.ranges import check
from tokengs_nerfstudio.core.types import Gaussians, Renders, Views

SSIM_CASES = ["noise", "identical", "flat_vs_zero", "inverted", "pred_out_of_range"]


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    return load_file(shared / "golden" / "G5_losses.safetensors")


def camera(fx: float = 20.0, width: int = 40, height: int = 24) -> tuple[Tensor, Tensor]:
    """One camera at the origin that looks along +z."""
    intrinsics = torch.tensor([[fx, 0.0, width / 2], [0.0, fx, height / 2], [0.0, 0.0, 1.0]])
    return torch.eye(4)[None], intrinsics[None]


def golden_cameras(golden: dict[str, Tensor], prefix: str) -> tuple[Tensor, Tensor]:
    """The golden files hold world-to-camera matrices for row vectors, and fx, fy, cx, cy."""
    c2w = torch.linalg.inv(golden[f"{prefix}.cam_view"].double().mT)
    fx, fy, cx, cy = golden[f"{prefix}.intrinsics"].double().unbind(-1)
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [torch.stack(row, -1) for row in ((fx, zero, cx), (zero, fy, cy), (zero, zero, one))]
    return c2w, torch.stack(rows, -2)


def brute_force_ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Eleven by eleven weights around every pixel, one pixel at a time."""
    x = torch.arange(11, dtype=torch.float64) - 5
    taps = torch.exp(-x * x / 4.5)
    window = torch.outer(taps, taps) / taps.sum() ** 2
    padded = torch.nn.functional.pad(torch.stack([pred, target]), (5, 5, 5, 5))
    result = torch.empty_like(pred)
    for i in range(pred.shape[-2]):
        for j in range(pred.shape[-1]):
            p, t = padded[:, i : i + 11, j : j + 11]
            mp, mt = (window * p).sum(), (window * t).sum()
            vp, vt = (window * p * p).sum() - mp**2, (window * t * t).sum() - mt**2
            cov = (window * p * t).sum() - mp * mt
            result[i, j] = (2 * mp * mt + 1e-4) * (2 * cov + 9e-4) / ((mp**2 + mt**2 + 1e-4) * (vp + vt + 9e-4))
    return result


def test_ssim_map_equals_a_window_at_every_pixel() -> None:
    pred, target = torch.rand(2, 13, 17, dtype=torch.float64)
    torch.testing.assert_close(ssim_map(pred, target), brute_force_ssim(pred, target), atol=1e-12, rtol=0)


def test_ssim_equals_scikit_image_away_from_the_border() -> None:
    from skimage.metrics import structural_similarity

    target = torch.rand(24, 30, dtype=torch.float64)
    pred = (target + 0.1 * torch.randn_like(target)).clamp(0, 1)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    reference = structural_similarity(pred.numpy(), target.numpy(), full=True, **options)[1]
    inner = ssim_map(pred, target)[5:-5, 5:-5]
    torch.testing.assert_close(inner, torch.from_numpy(reference)[5:-5, 5:-5], atol=1e-9, rtol=0)


def test_visibility_of_anchors_golden() -> None:
    golden = load_file(Path(__file__).resolve().parents[2] / "golden" / "anchor_visibility.safetensors")
    intrinsics = intrinsics_matrix(*golden["in.intrinsics"].unbind(-1))
    anchors = golden["in.anchor_xyz"].requires_grad_()

    def loss(points: Tensor) -> Tensor:
        return anchor_visibility(points, golden["in.c2w"], intrinsics, 40, 24)

    alone = torch.stack([loss(anchors[:, i : i + 1]) for i in range(anchors.shape[1])], dim=1)
    torch.testing.assert_close(alone, golden["out64.per_anchor"], atol=1e-12, rtol=0)
    torch.testing.assert_close(loss(anchors).mean(), golden["out64.mean"], atol=1e-12, rtol=0)
    gradient = torch.autograd.grad(loss(anchors).mean(), anchors)[0]
    torch.testing.assert_close(gradient, golden["grad64.anchor_xyz"], atol=1e-12, rtol=0)


@pytest.mark.parametrize("case", SSIM_CASES)
def test_ssim_golden(golden: dict[str, Tensor], case: str) -> None:
    pred = golden[f"SSIM.{case}.in.pred"].double().requires_grad_()
    target = golden[f"SSIM.{case}.in.gt"].double()
    mean = ssim(pred, target)
    mean.backward()
    torch.testing.assert_close(mean, golden[f"SSIM.{case}.out64.mean"], atol=1e-6, rtol=0)
    torch.testing.assert_close(ssim_map(pred, target).float(), golden[f"SSIM.{case}.out64.map"], atol=1e-5, rtol=0)
    assert pred.grad is not None
    if case != "identical":  # there the map touches its clamp, where the sign of rounding decides
        torch.testing.assert_close(pred.grad, golden[f"SSIM.{case}.out64.grad_pred"], atol=1e-8, rtol=1e-5)


@pytest.mark.parametrize("limit", [0.3, 1.0])
def test_visibility_golden_in_front(golden: dict[str, Tensor], limit: float) -> None:
    """Value and gradient of each centre that all views have in front, one centre at a time."""
    c2w, intrinsics = golden_cameras(golden, "V.in")
    xyz = golden["V.in.xyz"].double()
    pixels = golden[f"V.thr{limit}.out.means2d"].double()
    published_gradient = golden[f"V.thr{limit}.out.grad_xyz"].double()
    in_front = (((xyz[:, None] - c2w[..., None, :3, 3]) @ c2w[..., :3, :3])[..., 2] > 0.05).all(1)
    excess = ((2 * pixels / pixels.new_tensor([40, 24]) - 1).abs() - 1).relu().sum(-1).amin(1).clamp(max=limit)
    assert in_front.sum() > 20
    for scene, index in in_front.nonzero().tolist():
        point = xyz[scene, index][None].requires_grad_()
        loss = visibility(point, c2w[scene], intrinsics[scene], 40, 24, limit=limit)
        loss.backward()
        torch.testing.assert_close(loss, excess[scene, index], atol=1e-4, rtol=1e-4)
        if excess[scene, index] < limit - 1e-3:
            assert point.grad is not None
            expected = published_gradient[scene, index] * 40 / (1 + scene)
            torch.testing.assert_close(point.grad[0], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "point",
    [
        (4.0, 0.0, 2.0),
        (40.0, 0.0, 2.0),
        (0.1, 0.1, -2.0),
        (4.0, 0.0, -2.0),
        (1.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
        (0.5, 0.5, 1e-8),
        (0.5, 0.5, -1e-8),
        (0.0, 0.0, -1e6),
    ],
)
def test_visibility_pulls_lost_centres_back(point: tuple[float, float, float]) -> None:
    """Behind, beside and in the camera: full value, a finite slope, and a walk along it ends inside the image."""
    c2w, intrinsics = camera()
    centre = torch.tensor([point], requires_grad=True)
    loss = visibility(centre, c2w, intrinsics, 40, 24)
    (slope,) = torch.autograd.grad(loss, centre)
    assert float(loss.detach()) == pytest.approx(1.0)
    assert bool(torch.isfinite(slope).all())
    assert 1e-7 < float(slope.norm()) < 100
    position = centre.detach().clone()
    for _ in range(400):
        moving = position.requires_grad_()
        (slope,) = torch.autograd.grad(visibility(moving, c2w, intrinsics, 40, 24), moving)
        if not slope.any():
            break
        step = 0.1 * max(1.0, float(position.detach().norm()))
        position = (moving - step * slope / slope.norm()).detach()
    assert float(visibility(position, c2w, intrinsics, 40, 24)) < 0.2


def test_visibility_needs_only_one_view() -> None:
    c2w, intrinsics = camera()
    turned = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))[None]
    both = torch.cat([c2w, turned])
    behind_first = torch.tensor([[0.0, 0.0, -2.0]])
    assert float(visibility(behind_first, c2w, intrinsics, 40, 24)) == 1.0
    assert float(visibility(behind_first, both, intrinsics.expand(2, 3, 3), 40, 24)) == 0.0


SETS = {
    "base_l2_ssim": LossConfig(),
    "latent_l1_ssim": LossConfig(rgb=0.8, rgb_norm="l1"),
    "mask_opacity": LossConfig(ssim=0.0, visibility=0.0, mask=0.7, opacity=0.1),
}


def golden_record(golden: dict[str, Tensor], masked: bool) -> tuple[Renders, Views, Gaussians]:
    c2w, intrinsics = golden_cameras(golden, "L.in")
    image, mask = golden["L.in.gt"].double(), golden["L.in.mask"].double()
    if masked:  # published training composites masked images on white
        image = image * mask + 1 - mask
    xyz, opacity, scale, quat, rgb = golden["L.in.gaussians"].double().split([3, 1, 3, 4, 3], -1)
    splats = Gaussians(means=xyz, quats=quat, scales=scale, opacities=opacity[..., 0], colors=rgb)
    renders = Renders(rgb=golden["L.in.pred"].double().requires_grad_(), alpha=golden["L.in.alpha"].double())
    return renders, Views(images=image, c2w=c2w, intrinsics=intrinsics), splats


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", list(SETS))
def test_total_golden(golden: dict[str, Tensor], name: str, masked: bool) -> None:
    renders, views, splats = golden_record(golden, masked)
    out = f"L.{name}.{'mask' if masked else 'nomask'}.out"
    masks = golden["L.in.mask"].double() if masked else None
    losses = reconstruction_loss(renders, views, splats, SETS[name], masks=masks)
    expected = golden[f"{out}.loss_per_scene"].double()
    if "visibility" in losses.parts:  # published: centres mirrored from behind count as visible, here they do not
        expected = expected + losses.parts["visibility"] - golden[f"{out}.loss_visibility_per_scene"]
        torch.testing.assert_close(
            1 - 2 * losses.parts["ssim"], 1 - 2 * golden[f"{out}.loss_ssim_per_scene"].double(), atol=2e-6, rtol=0
        )
    if "mask" in losses.parts:  # published scene 1 says it has no mask
        torch.testing.assert_close(
            losses.parts["mask"][0], golden[f"{out}.loss_mask_per_scene"][0].double(), atol=1e-6, rtol=0
        )
        expected = expected + 0.7 * losses.parts["mask"] * torch.tensor([0.0, 1.0])
    if "opacity" in losses.parts:  # published: added to the mean over the scenes only
        expected = expected + 0.1 * losses.parts["opacity"]
    torch.testing.assert_close(losses.per_scene, expected, atol=2e-6, rtol=0)
    losses.total.backward()
    assert renders.rgb.grad is not None
    torch.testing.assert_close(renders.rgb.grad.float(), golden[f"{out}.grad_pred"], atol=1e-8, rtol=1e-4)


def test_parts_are_per_scene_and_weighted() -> None:
    images = torch.rand(2, 3, 3, 16, 16)
    renders = Renders(rgb=torch.rand_like(images), alpha=torch.rand(2, 3, 1, 16, 16))
    c2w, intrinsics = torch.eye(4).expand(2, 3, 4, 4), camera(16, 16, 16)[1].expand(2, 3, 3, 3)
    splats = Gaussians(
        means=torch.randn(2, 9, 3),
        quats=torch.randn(2, 9, 4),
        scales=torch.rand(2, 9, 3),
        opacities=torch.rand(2, 9),
        colors=torch.rand(2, 9, 3),
    )
    config = LossConfig(rgb=0.5, rgb_norm="l1", ssim=0.3, visibility=0.7, opacity=0.11)
    losses = reconstruction_loss(renders, Views(images, c2w, intrinsics), splats, config)
    expected = (
        0.5 * l1(renders.rgb, images)
        + 0.3 * (1 - ssim(renders.rgb, images)) / 2
        + 0.7 * visibility(splats.means, c2w, intrinsics, 16, 16)
        + 0.11 * opacity_entropy(splats.opacities)
    )
    torch.testing.assert_close(losses.per_scene, expected)
    assert losses.per_scene.shape == (2,)
    assert losses.means()["loss"] == pytest.approx(float(expected.mean()))
    assert set(losses.parts) == {"rgb", "ssim", "visibility", "opacity"}


def test_l2_is_the_mean_square() -> None:
    pred, target = torch.rand(2, 1, 1, 3, 4, 5)
    torch.testing.assert_close(l2(pred, target)[()], ((pred - target) ** 2).mean((-4, -3, -2, -1)))


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"visibility_limit is 0\.0; a number above 0"):
        check(LossConfig(visibility_limit=0.0))
    c2w, intrinsics = camera()
    views = Views(torch.rand(1, 3, 24, 40), c2w, intrinsics)
    splats = Gaussians(torch.zeros(1, 3), torch.ones(1, 4), torch.ones(1, 3), torch.ones(1), torch.ones(1, 3))
    with pytest.raises(ValueError, match="differ in shape"):
        reconstruction_loss(Renders(torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8)), views, splats, LossConfig())
    renders = Renders(torch.rand(1, 3, 24, 40), torch.rand(1, 1, 24, 40))
    with pytest.raises(ValueError, match="no perceptual distance"):
        reconstruction_loss(renders, views, splats, LossConfig(lpips=0.5))


@pytest.mark.gpu
def test_fused_ssim_equals_torch() -> None:
    pytest.importorskip("fused_ssim")
    pred, target = torch.rand(2, 4, 3, 40, 50, device="cuda")
    torch.testing.assert_close(ssim(pred, target), ssim(pred, target, fused=False), atol=1e-5, rtol=0)


def test_depth_error_is_the_mean_ratio_where_depth_is_known() -> None:
    target = torch.tensor([[1.0, 2.0, 0.0], [4.0, 0.0, 0.5]])[None, None, None]
    depth = target * 1.5
    depth[..., 0, 2] = 9.0
    known = target > 0
    expected = ((depth + 0.05) / (target + 0.05)).log().abs()[known].mean()
    torch.testing.assert_close(depth_error(depth, target)[0], expected)
    assert float(depth_error(depth, torch.zeros_like(target))) == 0.0
