"""How photos are posed."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tokengs_nerfstudio.core.ranges import Count, Range, Seed, Whole

Up = Literal["top", "bottom", "left", "right", "camera", "none"]


@dataclass(frozen=True, kw_only=True)
class PosingConfig:
    """What may be chosen about posing."""

    frames: Annotated[int, Range(3, 10_000)] = 60
    """At most so many frames of a video: of each stretch of the camera's way the sharpest."""
    matching: Literal["auto", "exhaustive", "sequential"] = "auto"
    """Which photos are compared: exhaustive: each with each; sequential: each with those after it in order of name,
    and some from everywhere with each other; auto: exhaustive up to 40 photos."""
    lens: Literal["simple", "opencv", "fisheye"] = "simple"
    """What distortion is looked for: one coefficient, OpenCV's four, or those of a fisheye."""
    cameras: Literal["auto", "one", "each"] = "auto"
    """Photos with one lens between them: auto: those of one size, device and focal length (EXIF); one: those of one
    size; each: none."""
    max_image_size: Annotated[int, Range(64, 16_384)] = 1600
    """Longest side in pixels that is looked at."""
    max_features: Annotated[int, Range(100, 100_000)] = 4096
    """At most so many points are looked for in a photo."""
    up: Up = "top"
    """Which way is up in the photos: most photos' upper edge (or lower, left, right), towards the camera (photos taken
    looking down), or none: the world stays as it was found."""
    threads: Whole = 0
    """0: as many as the machine has. The poses of up to 100 photos do not depend on it."""
    seed: Seed = 0
    """of what is drawn at random"""


EXHAUSTIVE_UP_TO: Count = 40
"""photos, where `matching` is auto"""
