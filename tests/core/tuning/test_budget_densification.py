"""Growth by our own budget."""

import torch
from made.scenes import arc_cameras, blobs, photos

from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion
from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.tuning.densification import BudgetDensification
from tokengs_nerfstudio.core.tuning.gaussian_variables import GaussianVariables
from tokengs_nerfstudio.core.types import Gaussians

RATES = GaussianStageConfig(means_rate=1e-2, means_decay=0.05)


def test_children_of_a_split_look_like_their_parent() -> None:
    parent = Gaussians(
        torch.tensor([[0.0, 0.0, 2.0]]), torch.tensor([[0.9, 0.1, 0.3, 0.2]]) / 0.95**0.5,
        torch.tensor([[0.3, 0.1, 0.1]]), torch.tensor([0.5]), torch.tensor([[0.9, 0.2, 0.1]]),
    )  # fmt: skip
    views = photos(parent, arc_cameras(3))
    variables = GaussianVariables(parent, 1.0, RATES)
    BudgetDensification(1, 2, 10.0, 1).densify(variables.parameters, variables.optimizers, 2)
    children = variables.splats().detach()
    assert children.count == 2
    axis = matrix_from_quaternion(parent.quats)[0, :, 0]
    apart = children.means[1] - children.means[0]
    torch.testing.assert_close((apart @ axis).abs(), apart.norm())
    size = (views.width, views.height)
    again = render(children, views.c2w, views.intrinsics, *size, depth=False).rgb
    assert (again - views.images).abs().max() < 0.2


def test_faded_gaussians_make_room_and_the_budget_is_kept() -> None:
    scene = blobs(50)
    faded = Gaussians(scene.means, scene.quats, scene.scales, scene.opacities.clone(), scene.colors)
    variables = GaussianVariables(faded, 1.0, RATES)
    with torch.no_grad():
        variables.parameters["opacities"][:20] = -10.0
    BudgetDensification(50, 45, 10.0, 1).densify(variables.parameters, variables.optimizers, 45)
    assert variables.count == 45
    assert variables.splats().opacities.min() > 0.3
    variables.splats().means.sum().backward()
    variables.step(0.0)


def test_growth_is_geometric_and_ends() -> None:
    growth = BudgetDensification(first=100, budget=400, until=100.0, every=25)
    assert [growth.target(step) for step in (0, 10, 50, 100, 125)] == [100, None, 200, 400, None]
