"""From posed photos in the world's frame to Gaussians in the world's frame, in one call."""

from dataclasses import replace

from tokengs_nerfstudio.core.baking import BakedScene, bake
from tokengs_nerfstudio.core.camera_checks import check_scene
from tokengs_nerfstudio.core.compiled import working_seconds
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import prepare
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.costs import Clock
from tokengs_nerfstudio.core.tuning.whole import planned_tuning, run_through
from tokengs_nerfstudio.core.types import Example, Gaussians, Views


def reconstruct(
    network: TokenGSNetwork,
    context: Views,
    tuning: TuningConfig | None = None,
    steps: int | None = None,
    supervised: Views | None = None,
    seed: int = 0,
    antialiased: bool = False,
    seconds: float | None = None,
    points: PointCloud | None = None,
) -> Gaussians:
    """Gaussians in the WORLD frame from photos (one scene, any size) whose cameras are in the WORLD frame.

    Without `tuning` one pass through the network. With it, tuning on `supervised` (world frame, any size), or on the
    context where that is left out: so many `steps`, or without them as many as the whole call has `seconds` for, by
    default those of `tuning`. What is tuned `antialiased` is to be rendered so. Weights of a fixed scene scale get the
    scale that suits the context best. Gaussians are tuned from `points` (world frame) as well, where these are known.
    Where the tuning corrects cameras, the scene lies where the given ones have it (`PreparedScene.following`). A scene
    that moves comes as it is at its first time. `reconstruct_scene` has all times, and the factor that focal lengths
    were corrected by. Raises ValueError where photos or weights cannot be used so.
    """
    example = Example(context, context if supervised is None else supervised)
    return reconstruct_scene(network, example, tuning, steps, seed, antialiased, seconds, points=points).at()


def reconstruct_scene(
    network: TokenGSNetwork,
    example: Example,
    tuning: TuningConfig | None = None,
    steps: int | None = None,
    seed: int = 0,
    antialiased: bool = False,
    seconds: float | None = None,
    clock: Clock = working_seconds,
    points: PointCloud | None = None,
) -> BakedScene:
    """`reconstruct`, with how to render the result, and with all times of a scene that moves; targets supervise.

    `clock` counts the seconds.
    """
    began = clock()
    scene = prepare(network, example, points=points)
    check_scene(example.context, example.target)
    steps = 0 if tuning is None else steps
    config = tuning or TuningConfig()
    planned = planned_tuning(network, scene, config, steps, seed, antialiased, seconds, clock, began)
    run_through(planned)
    done = planned.tuning
    baked = bake(done.gaussians, scene.following(done.cameras.cameras()), done.rendering)
    return replace(baked, focal=done.focal)
