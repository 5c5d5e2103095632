"""Baked Gaussians as splatfacto's parameters: what nerfstudio's tools ask for and what checkpoints hold."""

from collections.abc import Mapping

import torch
from torch import Tensor

from tokengs_nerfstudio.core.baking import BakedScene, Motion
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig

# Saturated opacities and colours (exactly 0 or 1) have no finite logit; this far from the ends 8 bits cannot tell.
_SATURATION = 1e-6
_SMALLEST_SCALE = 1e-30  # of no unit in particular: what 32 bits still hold


def splat_parameters(baked: BakedScene) -> dict[str, Tensor]:
    """Splatfacto's parameters of spherical-harmonics degree 0: log scales, logit opacities [N, 1], logit colours.

    For a scene that moves they are those of its first time, with what moves from there beside them.
    """
    still = baked.still.detach()
    parameters = {
        "means": still.means.clone(),
        "scales": still.scales.clamp(min=_SMALLEST_SCALE).log(),
        "quats": torch.nn.functional.normalize(still.quats, dim=-1),
        "features_dc": torch.logit(still.colors, eps=_SATURATION),
        "features_rest": still.colors.new_zeros(still.count, 0, 3),
        "opacities": torch.logit(still.opacities, eps=_SATURATION)[:, None],
    }
    if baked.motion is None:
        return parameters
    states = {f"moving_{name}": value for name, value in baked.motion.states.tensors()}
    return parameters | {"times": baked.motion.times, "moving": baked.motion.moving} | states


def baked_scene(parameters: Mapping[str, Tensor], rendering: RenderConfig) -> BakedScene:
    """The inverse of `splat_parameters`: activated values."""
    still = Gaussians(
        means=parameters["means"],
        quats=torch.nn.functional.normalize(parameters["quats"], dim=-1),
        scales=parameters["scales"].exp(),
        opacities=torch.sigmoid(parameters["opacities"][:, 0]),
        colors=torch.sigmoid(parameters["features_dc"]),
    )
    if "times" not in parameters:
        return BakedScene(still, None, rendering)
    states = Gaussians(**{name: parameters[f"moving_{name}"] for name, _ in still.tensors()})
    return BakedScene(still, Motion(parameters["times"], parameters["moving"], states), rendering)
