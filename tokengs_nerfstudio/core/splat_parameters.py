"""Baked Gaussians as splatfacto's parameters: what nerfstudio's tools ask for and what checkpoints hold."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.baking import BakedScene, Motion
from tokengs_nerfstudio.core.harmonics import CONSTANT
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig

# Saturated opacities and colours (exactly 0 or 1) have no finite logit; this far from the ends 8 bits cannot tell.
_SATURATION = 1e-6
_SMALLEST_SCALE = 1e-30  # of no unit in particular: what 32 bits still hold


def splat_parameters(baked: BakedScene) -> dict[str, Tensor]:
    """Splatfacto's parameters: log scales, logit opacities [N, 1], and of spherical-harmonics degree 0 logit colours.

    Of a higher degree colours are the coefficient of the constant harmonic, the others stand beside them.
    For a scene that moves they are those of its first time, with what moves from there beside them.
    """
    still = baked.still.detach()
    parameters = {
        "means": still.means.clone(),
        "scales": still.scales.clamp(min=_SMALLEST_SCALE).log(),
        "quats": torch.nn.functional.normalize(still.quats, dim=-1),
        "features_dc": _stored_colors(still),
        "features_rest": still.colors.new_zeros(still.count, 0, 3) if still.harmonics is None else still.harmonics,
        "opacities": torch.logit(still.opacities, eps=_SATURATION)[:, None],
    }
    if baked.motion is None:
        return parameters
    states = {f"moving_{name}": value for name, value in baked.motion.states.tensors()}
    return parameters | {"times": baked.motion.times, "moving": baked.motion.moving} | states


def _stored_colors(gaussians: Gaussians) -> Float[Tensor, "gaussian 3"]:
    if gaussians.harmonics is None:
        return torch.logit(gaussians.colors, eps=_SATURATION)
    return (gaussians.colors - 0.5) / CONSTANT


def baked_scene(parameters: Mapping[str, Tensor], rendering: RenderConfig) -> BakedScene:
    """The inverse of `splat_parameters`: activated values."""
    constant, rest = parameters["features_dc"], parameters.get("features_rest")
    plain = rest is None or rest.shape[1] == 0
    still = Gaussians(
        means=parameters["means"],
        quats=torch.nn.functional.normalize(parameters["quats"], dim=-1),
        scales=parameters["scales"].exp(),
        opacities=torch.sigmoid(parameters["opacities"][:, 0]),
        colors=torch.sigmoid(constant) if plain else 0.5 + CONSTANT * constant,
        harmonics=None if plain else rest,
    )
    if "times" not in parameters:
        return BakedScene(still, None, rendering)
    states = Gaussians(**{name: parameters[f"moving_{name}"] for name, _ in still.tensors()})
    return BakedScene(still, Motion(parameters["times"], parameters["moving"], states), rendering)
