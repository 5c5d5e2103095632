"""What `ns-export` is asked for, looked at before the long work begins: what cannot be is refused, with what can."""

import importlib
import logging
import subprocess
import sys
import warnings
from operator import attrgetter

import torch
from jaxtyping import Float
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.data.scene_box import OrientedBox
from torch import Tensor

from tokengs_nerfstudio.command_line import command, option, subcommand
from tokengs_nerfstudio.core.errors import UserError

_log = logging.getLogger(__name__)

_WITHOUT = "ns-export gaussian-splat does without"
# What pymeshlab does first for a mesh; releases from before numpy 2 crash there, which no `except` would see.
_MESH = "import numpy, pymeshlab; pymeshlab.Mesh(vertex_matrix=numpy.eye(3))"
_OLD = "releases from before 2023.12.post2 crash beside numpy 2; pip install --upgrade pymeshlab"
# Pairs of a triangle and a texel that nerfstudio's unwrapping looks at in a second, on one core.
_PAIRS_PER_SECOND = 3e7
_PATIENCE = 600.0


_BOX = ("--obb-center", "--obb-rotation", "--obb-scale")


def check_export() -> None:
    """UserError for an `ns-export` that would end in a traceback, or export something else than was asked for."""
    if command() != "ns-export":
        return
    if _asked_for("marching-cubes"):
        raise UserError("marching-cubes wants a field of distances, Gaussians have none: use ns-export tsdf or poisson")
    given = [name for name in _BOX if option(name)]
    if len(given) in (1, 2):
        raise UserError(f"only {' and '.join(given)} given: a box has --obb-center, --obb-rotation and --obb-scale")
    if _asked_for("pointcloud", "poisson"):
        _check_open3d()
    if _asked_for("tsdf") or (_asked_for("poisson") and _textured()):
        _check_pymeshlab()


def _asked_for(*kinds: str) -> bool:
    return command() == "ns-export" and subcommand() in kinds


def _check_open3d() -> None:
    try:
        # A module that waits for its first use (late_imports) is read by this, not by its import.
        attrgetter("geometry.PointCloud")(importlib.import_module("open3d"))
    except (ImportError, OSError) as error:
        raise UserError(f"open3d cannot be loaded: {error}; README, 'Try it', has the libraries; {_WITHOUT}") from error


def _check_pymeshlab() -> None:
    done = subprocess.run([sys.executable, "-c", _MESH], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return
    said = done.stderr.strip().splitlines()
    # A signal ends a process that had no time to say anything.
    why = _OLD if done.returncode < 0 or not said else f"{said[-1]}; README, 'Try it', has the libraries"
    raise UserError(f"pymeshlab, which writes the mesh, does not work here: {why}; ns-export pointcloud does without")


def _textured() -> bool:
    return option("--texture-method") in ([], ["nerf"])


def check_photos(cameras: Cameras) -> None:
    """UserError where `ns-export tsdf` would find photos of several sizes, which it cannot put on top of each other."""
    if not _asked_for("tsdf"):
        return
    sizes = {(int(width), int(height)) for width, height in zip(cameras.width, cameras.height)}
    if len(sizes) > 1:
        raise UserError(f"tsdf wants photos of one size, here are {len(sizes)}: use ns-export poisson or pointcloud")


def check_box(means: Float[Tensor, "gaussian 3"]) -> None:
    """UserError where none of the Gaussians is in the box that `ns-export tsdf` meshes, or in the one that is cut out;
    says so where many are not in the former."""
    _check_what_is_cut_out(means)
    if not _asked_for("tsdf") or option("--use-bounding-box") == ["False"] or len(means) == 0:
        return
    low, high = (
        means.new_tensor([float(word) for word in option(f"--bounding-box-{end}")] or [default] * 3)
        for end, default in (("min", -1.0), ("max", 1.0))
    )
    inside = float(((means > low) & (means < high)).all(-1).float().mean())
    flags = " ".join(f"--bounding-box-{end} {place}" for end, place in zip(("min", "max"), _ends(means)))
    if inside == 0:
        raise UserError(f"nothing of the scene is in the box that is meshed; most of it is in {flags}")
    if inside < 0.9:
        _log.warning(f"{inside:.0%} of the Gaussians are in the box that is meshed; 90% a side are in {flags}")


def _check_what_is_cut_out(means: Float[Tensor, "gaussian 3"]) -> None:
    """With nothing in it nerfstudio ends in a traceback, or looks for points without end."""
    given = [option(name) for name in _BOX]
    if command() != "ns-export" or not all(given) or len(means) == 0:
        return
    center, turn, size = (tuple(float(word) for word in words) for words in given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nerfstudio's, about its own tensors
        inside = OrientedBox.from_params(center, turn, size).within(means.detach().float().cpu())  # type: ignore[arg-type]
    if inside.any():
        return
    low, high = _ends(means)
    raise UserError(f"nothing of the scene is in the box of {', '.join(_BOX)}; 90% a side are from {low} to {high}")


def _ends(means: Float[Tensor, "gaussian 3"]) -> list[str]:
    """Between which two places most of the scene is: 90 % along each axis."""
    places = (means.quantile(part, dim=0).tolist() for part in (0.05, 0.95))
    return [" ".join(f"{value:.2f}" for value in place) for place in places]


def warn_of_texture(device: torch.device) -> None:
    """Say how long a texture will take where that is long: on a CPU, with nerfstudio's default sizes, hours."""
    if not _asked_for("tsdf", "poisson") or not _textured() or device.type != "cpu":
        return
    if option("--unwrap-method") == ["custom"]:
        return
    pixels = int((option("--num-pixels-per-side") or ["2048"])[0])
    faces = (option("--target-num-faces") or ["50000"])[0]
    seconds = int(faces) * pixels**2 / _PAIRS_PER_SECOND if faces.isdigit() else float("inf")
    if seconds > _PATIENCE:
        colors = "tsdf" if _asked_for("tsdf") else "point_cloud"
        _log.warning(
            "On a CPU a texture of this size takes hours; in minutes: --target-num-faces 5000 "
            f"--num-pixels-per-side 512, or --texture-method {colors} for colours at the vertices"
        )
