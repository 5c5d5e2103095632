"""Points that the photos of a scene tell themselves, beside those that somebody knows: what Gaussians begin with."""

from collections.abc import Callable
from dataclasses import replace

from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.poses import with_adjusted_cameras
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.stereo.depth_maps import seconds_of_photo
from tokengs_nerfstudio.core.stereo.surface_points import surface_points
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.gaussians import starting_count
from tokengs_nerfstudio.core.tuning.schedule import chosen_space
from tokengs_nerfstudio.core.types import Views


def looks_for_surfaces(network: NetworkConfig, config: TuningConfig, photos: int) -> bool:
    """Whether a tuning on so many photos begins Gaussians with points that these tell."""
    stage = config.gaussians
    if stage.stereo < 2 or stage.points == "off":
        return False
    return "gaussians" in chosen_space(config.space, network, photos, config.few_views)


def surfaces(scene: PreparedScene, network: NetworkConfig, config: TuningConfig, seed: int) -> PointCloud | None:
    """All points that the photos of the scene tell; None where there are none, and where none are wanted."""
    if not looks_for_surfaces(network, config, scene.example.target.num_views):
        return None
    return surface_points(_corrected(scene, config), config.gaussians.stereo, seed)


def beginning_with(found: PointCloud | None, scene: PreparedScene, config: TuningConfig, seed: int) -> PreparedScene:
    """The scene with these points as well, of which no more than the stage begins with of the network's Gaussians."""
    if found is None:
        return scene
    some = found.thinned(starting_count(config, found.count, scene.example.target), seed)
    return replace(scene, points=some if scene.points is None else PointCloud.cat([scene.points, some]))


def photos_in(seconds: float, views: Views, clock: Callable[[], float]) -> int:
    """Of how many photos depths can be found in so much time; none where that is too short for two."""
    if seconds <= 0 or views.num_views < 2:
        return 0
    return int(seconds / max(seconds_of_photo(views, clock), 1e-9))


def _corrected(scene: PreparedScene, config: TuningConfig) -> Views:
    """The supervised photos with cameras as the tuning will have them."""
    cameras = config.cameras
    if not (cameras.adjust or cameras.focal):
        return scene.example.target
    return with_adjusted_cameras(scene.example, cameras.adjust, cameras.focal)[0].target
