"""How far flow misses the exact one, beside answers that need no method: no flow, and one flow for all pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import pixel_points
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene, prepare
from tokengs_nerfstudio.core.rendering.flow import Flow, pixel_displacement, render_flow
from tokengs_nerfstudio.core.types import Cameras, Example, Gaussians
from tokengs_nerfstudio.data.examples.procedural import FIRST_HELD_OUT
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.moving import MovingMeshes
from tokengs_nerfstudio.data.view_sampler import spread_views

UNITS = ("pixels", "space")
"""of pictures; of the world that cameras and displacements are in"""

SplatsAt = Callable[[float], Gaussians]


@dataclass(frozen=True)
class ExactFlow:
    """What the true flow of views is known by; `flow` where nothing is seen does not count."""

    flow: Flow
    moving: Bool[Tensor, "view height width"]
    """pixels that show what ever moves: those that count"""

    @classmethod
    def of(
        cls,
        displacement: Float[Tensor, "view 3 height width"],
        moving: Bool[Tensor, "view 1 height width"],
        depths: Float[Tensor, "view 1 height width"],
        cameras: Cameras,
    ) -> "ExactFlow":
        """From displacements in the world of the points that pixels' centres show, z-depths of these and cameras."""
        points = pixel_points(cameras.c2w, cameras.intrinsics, depths)
        pixels = [
            pixel_displacement(points[view].flatten(1).T, displacement[view].flatten(1).T, cameras[view : view + 1])
            for view in range(len(points))
        ]
        across = torch.cat(pixels).mT.unflatten(-1, (cameras.height, cameras.width))
        return cls(Flow(displacement, across), moving[:, 0])


@dataclass(frozen=True)
class FlowScene:
    """A scene that moves, and what there is to be known of its flow."""

    example: Example
    """the context at several times; targets at one of them or between, which the flow starts from"""
    other: float
    """the time that it leads to"""
    exact: ExactFlow


def held_out_scene(number: int, side: int, context: int, targets: int, config: MeshSceneConfig) -> FlowScene:
    """A procedural scene that no training sees: flow from the middle of its times to the next one.

    The context are spread cameras at spread times, the targets other cameras. Errors as in `MovingMeshes`.
    """
    world = MovingMeshes(FIRST_HELD_OUT + number, context + targets, side, side, config)
    known = spread_views(torch.from_numpy(world.c2w), context)
    rest = [camera for camera in range(context + targets) if camera not in set(known)]
    times = world.moments[np.linspace(0, len(world.moments) - 1, context).round().astype(int)]
    middle = (len(world.moments) - 1) // 2
    start, other = float(world.moments[middle]), float(world.moments[middle + 1])
    views = world.views([*known, *rest], [*times.tolist(), *[start] * targets])
    target = views.select(slice(context, None))
    exact = world.flow(rest, [start] * targets, [other] * targets)
    assert target.depths is not None
    known_flow = ExactFlow.of(exact.displacement, exact.moving, target.depths, target.cameras)
    return FlowScene(Example(views.select(slice(0, context)), target), other, known_flow)


@torch.no_grad()
def network_flow(network: TokenGSNetwork, scene: FlowScene) -> Flow:
    """What the network's Gaussians, followed from the targets' time to the other, show; in the scene's own world."""
    prepared = prepare(network, scene.example)
    memory = network.encode(prepared.example.context.unsqueeze())
    return rendered_flow(lambda time: network.decode(memory, time=time).squeeze(), network, prepared, scene)


def rendered_flow(splats_at: SplatsAt, network: TokenGSNetwork, prepared: PreparedScene, scene: FlowScene) -> Flow:
    """The same of Gaussians in the canonical frame of `prepared`, tuned or not."""
    target = scene.example.target
    assert target.times is not None
    to_world = prepared.to_canonical.inverse()
    start, end = (splats_at(time).transformed(to_world) for time in (float(target.times[0]), scene.other))
    rendering = network.config.rendering(prepared.example).scaled(float(to_world.scale))
    return render_flow(start, end.means - start.means, target.cameras, rendering)


def endpoint_errors(found: Flow, exact: ExactFlow) -> dict[str, dict[str, float]]:
    """For each of `UNITS`: the mean distance between flow and exact flow over the pixels that show what moves.

    `found`, beside `zero` (no flow at all) and `constant`: the best of three flows that are the same for all pixels of
    a view, which know the exact one: its mean and its median over the pixels that move, and its mean over all pixels.
    Means over pixels of each view, then over the views in which something moves; empty where nothing does.
    """
    seen = [view for view in range(len(exact.moving)) if exact.moving[view].any()]
    if not seen:
        return {}
    fields = {"pixels": (found.pixels, exact.flow.pixels), "space": (found.displacement, exact.flow.displacement)}
    errors = {}
    for unit, (made, true) in fields.items():
        of_views = [_errors(made[view], true[view], exact.moving[view]) for view in seen]
        errors[unit] = {name: sum(one[name] for one in of_views) / len(of_views) for name in of_views[0]}
    return errors


def _errors(
    found: Float[Tensor, "axis height width"], true: Float[Tensor, "axis height width"], moving: Tensor
) -> dict[str, float]:
    wanted = true[:, moving]
    constants = (wanted.mean(1), wanted.median(1).values, true.flatten(1).mean(1))
    return {
        "found": _distance(found[:, moving], wanted),
        "zero": _distance(torch.zeros_like(wanted), wanted),
        "constant": min(_distance(flow[:, None], wanted) for flow in constants),
    }


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm(dim=0).mean())


def mean_errors(of_scenes: list[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Over the scenes that have errors."""
    some = [errors for errors in of_scenes if errors]
    return {
        unit: {name: sum(errors[unit][name] for errors in some) / len(some) for name in some[0][unit]}
        for unit in (UNITS if some else ())
    }
