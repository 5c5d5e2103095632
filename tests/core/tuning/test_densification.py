"""gsplat's strategies in the Gaussian stage: budget, stopping, resuming, and what they need."""

import sys
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import changed, ready, tuning_config

from tokengs_nerfstudio.core.rendering import gsplat_strategies
from tokengs_nerfstudio.core.rendering.gsplat_strategies import GsplatDensification, for_installed_gsplat
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.types import Views

pytestmark = pytest.mark.skipif(find_spec("gsplat") is None, reason="gsplat is not installed")

CONFIG = tuning_config(
    space="gaussians", densification="gsplat-default", rule="steps", check_every=5, growth_every=10,
    steps_per_view=60, levels=((0.0, 2.0), (0.5, 1.0)), per_pixel=2.0,
)  # fmt: skip


def scene_views(count: int = 10) -> Views:
    return photos(blobs(), arc_cameras(count), size=40)


def tuned(config: TuningConfig, steps: int = 40) -> tuple[SceneTuning, list[int]]:
    """A finished tuning, and the number of Gaussians after every step."""
    tuning = SceneTuning(small_network(), ready(scene_views()), config, steps)
    counts = [tuning.gaussians().count]
    while not tuning.finished:
        tuning.step()
        counts.append(tuning.gaussians().count)
    return tuning, counts


def test_the_number_changes_only_when_due_and_the_error_falls() -> None:
    tuning, counts = tuned(changed(CONFIG, reseed=False, clear_share=0.0))
    changes = [step for step in range(1, 41) if counts[step] != counts[step - 1]]
    assert changes == [10, 20]  # growth ends at step 24
    assert counts[-1] > counts[0]
    rendered = tuning._photometry.error(tuning.gaussians(), tuning.supervision.views)
    start, _ = tuned(CONFIG, steps=0)
    assert rendered < 0.7 * tuning._photometry.error(start.gaussians(), tuning.supervision.views)


@pytest.mark.parametrize("limit", [200, 256, 300])
def test_the_budget_is_kept_at_every_step(limit: int) -> None:
    _, counts = tuned(changed(CONFIG, max_gaussians=limit, per_pixel=9.0, clear_share=0.0))
    assert max(counts) <= limit
    assert counts[-1] > 0.9 * limit


def test_what_the_photos_can_fix_is_a_budget_too() -> None:
    _, counts = tuned(changed(CONFIG, per_pixel=300 / 1600))
    assert counts[0] < max(counts) <= 300


def test_resuming_is_exact_and_does_not_depend_on_other_random_numbers() -> None:
    views, config = scene_views(), changed(CONFIG, rule="held-out", patience=1.0)
    whole = SceneTuning(small_network(), ready(views), config, steps=40)
    for _ in range(15):
        whole.step()
    later = SceneTuning(small_network(), ready(views), config, steps=40, seed=99)
    later.load_state_dict(whole.state_dict())
    while not whole.finished:
        torch.manual_seed(whole.steps_done)
        assert float(whole.step()["loss"]) == float(later.step()["loss"])
    assert torch.equal(whole.gaussians().means, later.gaussians().means)
    assert whole.report() == later.report()


def test_the_left_out_view_never_ends_worse_than_it_started() -> None:
    wild = changed(CONFIG, rule="held-out", means_rate=5.0, means_decay=1.0, scales_rate=3.0, patience=1.0)
    report = tuned(wild)[0].report()
    assert report.held_out_psnr is not None
    assert report.start_psnr is not None
    assert report.held_out_psnr >= report.start_psnr


def test_pictures_rendered_in_pieces_count_as_pictures_rendered_together() -> None:
    counts = []
    for chunk in (4, 1):
        views = scene_views()
        config = changed(CONFIG, views_per_step=4, per_pixel=9.0)
        tuning = SceneTuning(small_network(), ready(views), config, steps=12)
        tuning._stage._chunk = chunk  # type: ignore[union-attr]
        for _ in range(9):
            tuning.step()
        counts.append(tuning._stage._densification.state_dict()["state"]["grad2d"])  # type: ignore[union-attr]
    torch.testing.assert_close(counts[0], counts[1], rtol=1e-2, atol=1e-4)


def relocated(
    opacities: torch.Tensor, scales: torch.Tensor, ratios: torch.Tensor, binoms: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """In place of gsplat's CUDA kernel: as many copies share an opacity so that together they hide as much."""
    return 1 - (1 - opacities) ** (1 / ratios), scales


def covariances(quats: torch.Tensor, scales: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
    axes = matrix_from_quaternion(torch.nn.functional.normalize(quats, dim=-1)) * scales[:, None]
    return axes @ axes.mT, None


def test_mcmc_moves_faded_gaussians_and_grows_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """gsplat's two CUDA kernels replaced; all else is what runs on CUDA."""
    operations = pytest.importorskip("gsplat.strategy.ops")
    monkeypatch.setattr(operations, "compute_relocation", relocated)
    monkeypatch.setattr(operations, "quat_scale_to_covar_preci", covariances)
    monkeypatch.setattr(gsplat_strategies, "check_densification", lambda *_: None)
    monkeypatch.setattr("tokengs_nerfstudio.core.tuning.entry_checks.check_densification", lambda *_: None)
    tuning, counts = tuned(
        changed(CONFIG, densification="gsplat-mcmc", max_gaussians=275, clear_share=0.0, start_share=1.0)
    )
    assert counts[0] == 256
    assert counts[10:12] == [268, 268]
    assert counts[20:] == [275] * 21
    assert tuning.gaussians().opacities.min() > 0.004


def test_gaussians_before_a_camera_leave_mcmc_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What MCMC keeps is a table of binomials, which has no row for a Gaussian that goes."""
    pytest.importorskip("gsplat.strategy.ops")
    monkeypatch.setattr(gsplat_strategies, "check_densification", lambda *_: None)
    growth = GsplatDensification("gsplat-mcmc", 1.0, 100, 10.0, 5, 0, torch.device("cpu"))
    parameters = {"means": torch.rand(80, 3).requires_grad_(), "opacities": torch.rand(80).requires_grad_()}
    optimizers: dict[str, torch.optim.Optimizer] = {k: torch.optim.Adam([v]) for k, v in parameters.items()}
    kept, before = parameters["means"].detach()[10:].clone(), growth.state_dict()["state"]["binoms"]
    growth.drop(parameters, optimizers, torch.arange(80) < 10)
    assert torch.equal(parameters["means"], kept)
    assert optimizers["means"].param_groups[0]["params"][0] is parameters["means"]
    assert torch.equal(growth.state_dict()["state"]["binoms"], before)


def test_the_dictionary_fits_the_installed_strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    info = {"radii": torch.tensor([[3, 0], [0, 2]], dtype=torch.int32), "width": 4}
    for version, shape in (((1, 4, 0), (2, 2)), ((1, 5, 0), (2, 2, 2)), ((1, 5, 3), (2, 2, 2))):
        monkeypatch.setattr(gsplat_strategies, "gsplat_version", lambda version=version: version)
        fitted = for_installed_gsplat(info)
        assert fitted["radii"].shape == shape
        assert fitted["width"] == 4
        drawn = fitted["radii"] > 0
        assert torch.equal(drawn if len(shape) == 2 else drawn.all(-1), info["radii"] > 0)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["gsplat-default", "gsplat-mcmc"])
@pytest.mark.parametrize("clear_share", [0.0, 0.8])
def test_both_run_on_cuda(kind: str, clear_share: float) -> None:
    """More Gaussians than it begins with; fewer where those that are before a camera have to go."""
    network, views = small_network().to("cuda"), scene_views().to("cuda")
    config = changed(CONFIG, densification=kind, max_gaussians=400, clear_share=clear_share)
    tuning = SceneTuning(network, ready(views), config, steps=40)
    start = tuning._photometry.error(tuning.gaussians(), views)
    tuning.step()
    begun = tuning.gaussians().count
    while not tuning.finished:
        tuning.step()
    assert (begun if clear_share == 0 else 0) < tuning.gaussians().count <= 400
    assert tuning._photometry.error(tuning.gaussians(), views) < 0.8 * start


@pytest.mark.usefixtures("no_shape_checks")
def test_what_a_strategy_needs_is_said_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    views = scene_views(3)
    for kind, message in (
        ("gsplat-mcmc", "needs CUDA.*'budget' or 'gsplat-default'"),
        ("magic", "choose one of budget"),
    ):
        with pytest.raises(ValueError, match=message):
            SceneTuning(small_network(), ready(views), changed(CONFIG, densification=kind), steps=2)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "gsplat.strategy", None)
    with pytest.raises(ValueError, match=r"needs gsplat .*install gsplat 1\.4"):
        GsplatDensification("gsplat-default", 1.0, 100, 10.0, 5, 0, torch.device("cpu"))
