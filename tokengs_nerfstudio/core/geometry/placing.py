"""Scenes of known depths and units in the frame that weights are trained in."""

from dataclasses import replace

import torch

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.frame import FrameRule, canonical_frame
from tokengs_nerfstudio.core.geometry.point_map import point_map_scale
from tokengs_nerfstudio.core.types import Similarity, Views


def training_frame(rule: FrameRule, context: Views) -> Similarity:
    """World -> canonical of a batch of scenes [batch view ...] as `rule` says: by their cameras, or by their depths.

    UserError where the scale is that of a point map and the scenes have no depths.
    """
    if rule.scale != "pointmap":
        return rule.of(context.c2w)
    if context.depths is None:
        raise UserError(
            "the network's scale is that of what photos show (pointmap): it needs scenes with depths, which Kubric's "
            "and procedural ones are"
        )
    factors = [point_map_scale(context[scene], rule.camera, rule.value) for scene in range(len(context.c2w))]
    placed = canonical_frame(context.c2w, rule.camera, "constant", 1.0)
    return replace(placed, scale=torch.tensor(factors).to(placed.scale))
