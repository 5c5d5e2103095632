"""Camera paths around what a capture's photos look at, in nerfstudio's frame with OpenGL axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion, quaternion_from_matrix, slerp
from tokengs_nerfstudio.core.types import Cameras

# Of a camera-to-world matrix: from OpenCV's axes to OpenGL's, and back.
_AXES = torch.tensor([1.0, -1.0, -1.0, 1.0])

MovingKind = Literal["bullet-time", "time-lapse", "context"]
"""what moves in a film: the camera while time stands, time while the camera stands, both as in the photos"""


@dataclass(frozen=True)
class Filmed:
    """Photos that a film follows, and how large its pictures are."""

    c2w: Float[ndarray, "view 4 4"]
    times: Sequence[float]
    """in [0, 1]"""
    fov: float
    """along the height, degrees"""
    width: int
    height: int
    """of the pictures, in pixels"""

    @classmethod
    def of(cls, cameras: Cameras, times: Sequence[float], height: int | None = None) -> "Filmed":
        """What OpenCV cameras took, in pictures of `height` pixels or of the photos' own size, both sides even."""
        tall = 2 * round((height or cameras.height) / 2)
        fov = float(np.degrees(2 * np.arctan(cameras.height / 2 / float(cameras.intrinsics[0, 1, 1]))))
        wide = 2 * round(tall * cameras.width / cameras.height / 2)
        return cls((cameras.c2w * _AXES).double().numpy(), times, fov, wide, tall)


def focus_of(c2w: Float[ndarray, "view 4 4"]) -> Float[ndarray, "3"]:
    """The point [3] nearest to all optical axes of OpenGL cameras [n, 4, 4]."""
    axes = c2w[:, :3, 2]
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    return np.linalg.solve(across.sum(0), (across @ c2w[:, :3, 3:]).sum(0))[:, 0]


def look_at(position: Float[ndarray, "3"], target: Float[ndarray, "3"]) -> Float[ndarray, "4 4"]:
    """The OpenGL camera [4, 4] at `position` that sees `target` in its middle, z upwards."""
    back = (position - target) / np.linalg.norm(position - target)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(back, right), back, position], axis=1)
    return pose


def orbit(c2w: Float[ndarray, "view 4 4"], frames: int) -> Float[ndarray, "{frames} 4 4"]:
    """Cameras [frames, 4, 4] on a smooth way round the focus of `c2w` [n, 4, 4], leaving out their widest gap."""
    focus = focus_of(c2w)
    offsets = c2w[:, :3, 3] - focus
    angles = np.arctan2(offsets[:, 1], offsets[:, 0])
    order = np.argsort(angles)
    gaps = np.diff(angles[order], append=angles[order[0]] + 2 * np.pi)
    first = angles[order[(np.argmax(gaps) + 1) % len(order)]]
    along = (angles - first) % (2 * np.pi)
    distances = np.linalg.norm(offsets, axis=1)
    elevations = np.arcsin(offsets[:, 2] / distances)
    # Slow at both ends, so that the film can be played in a loop of there and back.
    way = along.max() * (1 - np.cos(np.linspace(0, np.pi, frames))) / 2
    elevation, distance = (np.polyval(np.polyfit(along, values, 2), way) for values in (elevations, distances))
    flat = distance * np.cos(elevation)
    directions = [flat * np.cos(first + way), flat * np.sin(first + way), distance * np.sin(elevation)]
    return np.stack([look_at(focus + offset, focus) for offset in np.stack(directions, axis=1)])


def orbit_path(
    capture: dict[str, Any], frame: dict[str, Any], frames: int, frame_rate: int, height: int
) -> dict[str, Any]:
    """An orbit as ns-render reads it, from a transforms.json and a run's dataparser_transforms.json.

    `frames` pictures of `height` pixels, whose shape and lens are those of the capture's photos.
    """
    c2w = np.array([record["transform_matrix"] for record in capture["frames"]])
    moved = np.array(frame["transform"]) @ c2w
    moved[:, :, 3] *= frame["scale"]
    poses = orbit(np.concatenate([moved, c2w[:, 3:]], axis=1), frames)
    # Video players want even sizes.
    width = 2 * round(height * capture["w"] / capture["h"] / 2)
    fov = float(np.degrees(2 * np.arctan(capture["h"] / 2 / capture["fl_y"])))
    return _film([{"camera_to_world": pose.ravel().tolist()} for pose in poses], frame_rate, height, width, fov)


def moving_path(photos: Filmed, kind: MovingKind, frames: int, frame_rate: int, time: float | None = None) -> Any:
    """A film of a scene that moves, as ns-render reads it, with a time for every picture.

    `bullet-time`: from camera to camera, at `time`, which if not given is in the middle of those of the photos.
    `time-lapse`: from the photos' first time to their last, evenly, seen by the camera of the first photo. `context`:
    from photo to photo in the order of their times, which run along. UserError where that would be a still picture.
    """
    c2w, times = photos.c2w, np.asarray(photos.times, float)
    first, last = float(times.min()), float(times.max())
    if kind == "bullet-time":
        order = _one_after_another(c2w[:, :3, 3])
        if np.ptp(c2w[:, :3], axis=0).max() < 1e-6:
            raise UserError(
                "--path bullet-time needs photos from several places, here are some of one: film time-lapse"
            )
        stands = (first + last) / 2 if time is None else time
        shots = [(pose, stands) for pose in through(c2w[order], _paced(c2w[order, :3, 3], frames))]
    elif first == last:
        raise UserError(f"--path {kind} needs photos of several times, here are some of one: film bullet-time")
    elif kind == "time-lapse":
        shots = [(c2w[0], moment) for moment in np.linspace(first, last, frames)]
    else:
        order, way = np.argsort(times, kind="stable"), np.linspace(0, len(times) - 1, frames)
        shots = list(zip(through(c2w[order], way), np.interp(way, range(len(times)), times[order])))
    cameras = [{"camera_to_world": pose.ravel().tolist(), "render_time": float(moment)} for pose, moment in shots]
    return _film(cameras, frame_rate, photos.height, photos.width, photos.fov)


def filmed(path: Any) -> list[tuple[Cameras, float | None]]:
    """The cameras of a film as ns-render reads it, with OpenCV axes, and their times where it has any.

    UserError for cameras that are not perspective ones; any error for what is no film.
    """
    if path.get("camera_type", "perspective").lower() != "perspective":
        raise UserError(f"a film with perspective cameras is needed, this one has {path['camera_type']} ones")
    size = int(path["render_width"]), int(path["render_height"])
    return [(_perspective(camera, *size), camera.get("render_time")) for camera in path["camera_path"]]


def _perspective(camera: dict[str, Any], width: int, height: int) -> Cameras:
    c2w = torch.tensor(camera["camera_to_world"], dtype=torch.float32).reshape(1, 4, 4) * _AXES
    focal = torch.tensor([height / 2 / np.tan(np.radians(camera["fov"]) / 2)], dtype=torch.float32)
    centre = (torch.tensor([side / 2]) for side in (width, height))
    return Cameras(c2w, intrinsics_matrix(focal, focal, *centre), width, height)


def through(c2w: Float[ndarray, "view 4 4"], way: Float[ndarray, " frame"]) -> Float[ndarray, "frame 4 4"]:
    """Poses on a smooth way through others, by their numbers, 1.5 being between the second and the third.

    Positions follow Catmull-Rom splines (Catmull and Rom, 1974), rotations turn evenly from each to the next.
    """
    count = len(c2w)
    start = np.clip(np.floor(way).astype(int), 0, max(count - 2, 0))
    share = (way - start)[:, None]
    before, after, beyond = (np.clip(start + step, 0, count - 1) for step in (-1, 1, 2))
    points = c2w[:, :3, 3]
    p0, p1, p2, p3 = points[before], points[start], points[after], points[beyond]
    powers = [2 * p1, p2 - p0, 2 * p0 - 5 * p1 + 4 * p2 - p3, 3 * p1 - p0 - 3 * p2 + p3]
    poses = np.tile(np.eye(4), (len(way), 1, 1))
    poses[:, :3, 3] = 0.5 * sum(power * share**exponent for exponent, power in enumerate(powers))
    quats = quaternion_from_matrix(torch.from_numpy(np.asarray(c2w[:, :3, :3], float)))
    one, other = quats[start], quats[after]
    other = torch.where((one * other).sum(-1, keepdim=True) < 0, -other, other)
    poses[:, :3, :3] = matrix_from_quaternion(slerp(one, other, torch.from_numpy(share))).numpy()
    return poses


def _one_after_another(places: Float[ndarray, "view 3"]) -> list[int]:
    """From the outermost place to the nearest one that is left, and so on."""
    left = list(range(len(places)))
    order = [left.pop(int(np.linalg.norm(places - places.mean(0), axis=1).argmax()))]
    while left:
        order.append(left.pop(int(np.linalg.norm(places[left] - places[order[-1]], axis=1).argmin())))
    return order


def _paced(places: Float[ndarray, "view 3"], frames: int) -> Float[ndarray, " {frames}"]:
    """Numbers along `places` between which the way is equally long."""
    gone = np.append(0.0, np.linalg.norm(np.diff(places, axis=0), axis=1).cumsum())
    gone += 1e-9 * np.arange(len(places))
    return np.interp(np.linspace(0, gone[-1], frames), gone, range(len(places)))


def _film(cameras: list[dict[str, Any]], frame_rate: int, height: int, width: int, fov: float) -> dict[str, Any]:
    lens = {"fov": fov, "aspect": width / height}
    return {
        "camera_type": "perspective",
        "render_height": height,
        "render_width": width,
        "fps": frame_rate,
        "seconds": len(cameras) / frame_rate,
        "camera_path": [{**camera, **lens} for camera in cameras],
    }
