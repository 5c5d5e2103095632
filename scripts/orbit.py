"""A camera path around what a capture's photos look at: scripts/orbit.py --capture capture --run RUN --output path.json

`ns-render camera-path --camera-path-filename path.json` films it. Straight lines between photos that were taken far
apart lead past the subject; this path swings around it, where the photos were taken and no further.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy import ndarray


@dataclass(frozen=True)
class Orbit:
    """Write a camera path for ns-render."""

    capture: Path
    """folder of the capture, whose photos share one lens"""
    run: Path
    """folder of the run, with its dataparser_transforms.json"""
    output: Path
    """the JSON file"""
    frames: int = 120
    """pictures of the film"""
    frame_rate: int = 24
    """pictures a second"""
    height: int = 512
    """height of the pictures in pixels; the width follows the photos' shape"""


def focus_of(c2w: ndarray) -> ndarray:
    """The point [3] nearest to all optical axes of OpenGL cameras [n, 4, 4]."""
    axes = c2w[:, :3, 2]
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    return np.linalg.solve(across.sum(0), (across @ c2w[:, :3, 3:]).sum(0))[:, 0]


def look_at(position: ndarray, target: ndarray) -> ndarray:
    """The OpenGL camera [4, 4] at `position` that sees `target` in its middle, z upwards."""
    back = (position - target) / np.linalg.norm(position - target)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(back, right), back, position], axis=1)
    return pose


def orbit(c2w: ndarray, frames: int) -> ndarray:
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


def camera_path(capture: dict[str, Any], frame: dict[str, Any], args: Orbit) -> dict[str, Any]:
    """The path as ns-render reads it, from a transforms.json and a run's dataparser_transforms.json."""
    c2w = np.array([record["transform_matrix"] for record in capture["frames"]])
    moved = np.array(frame["transform"]) @ c2w
    moved[:, :, 3] *= frame["scale"]
    poses = orbit(np.concatenate([moved, c2w[:, 3:]], axis=1), args.frames)
    # Video players want even sizes.
    width = 2 * round(args.height * capture["w"] / capture["h"] / 2)
    lens = {"fov": float(np.degrees(2 * np.arctan(capture["h"] / 2 / capture["fl_y"]))), "aspect": width / args.height}
    return {
        "camera_type": "perspective",
        "render_height": args.height,
        "render_width": width,
        "fps": args.frame_rate,
        "seconds": args.frames / args.frame_rate,
        "camera_path": [{"camera_to_world": pose.ravel().tolist(), **lens} for pose in poses],
    }


def main(args: Orbit) -> None:
    capture = json.loads((args.capture / "transforms.json").read_text(encoding="utf-8"))
    frame = json.loads((args.run / "dataparser_transforms.json").read_text(encoding="utf-8"))
    scratch = args.output.with_name(f".{args.output.name}")
    scratch.write_text(json.dumps(camera_path(capture, frame, args)), encoding="utf-8")
    os.replace(scratch, args.output)
    print(args.output)


if __name__ == "__main__":
    main(tyro.cli(Orbit))
