"""Camera paths around what a capture's photos look at, in nerfstudio's frame with OpenGL axes."""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray


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
    lens = {"fov": float(np.degrees(2 * np.arctan(capture["h"] / 2 / capture["fl_y"]))), "aspect": width / height}
    return {
        "camera_type": "perspective",
        "render_height": height,
        "render_width": width,
        "fps": frame_rate,
        "seconds": frames / frame_rate,
        "camera_path": [{"camera_to_world": pose.ravel().tolist(), **lens} for pose in poses],
    }
