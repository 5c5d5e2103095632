"""What scenes of meshes are: kinds, their shares, and what a camera does to the picture."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from tokengs_nerfstudio.core.ranges import Ascending, Count, NotAllZero, NotNegative, Positive, Range, Share
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources

Angle = Annotated[float, Range(0, 180, above=True, below=True)]
Angles = Annotated[tuple[Angle, Angle], Ascending()]
Sizes = Annotated[tuple[Positive, Positive], Ascending()]
Quality = Annotated[int, Range(0, 100)]


@dataclass(frozen=True)
class PhotoConfig:
    """What separates a photo from a clean render; each is drawn once a scene or once a view."""

    white_balance: Share = 0.08
    """largest change of a colour's gain in a scene, red against blue"""
    exposure: Share = 0.06
    """largest change of a view's gain; half of the scenes have none"""
    gamma: Sizes = (0.85, 1.2)
    """exponents of the tone curve of a scene"""
    blur: NotNegative = 0.6
    """largest standard deviation of blur in pixels; half of the scenes have none"""
    noise: Share = 0.02
    """largest standard deviation of noise; half of the scenes have none"""
    jpeg: Annotated[tuple[Quality, Quality], Ascending()] = (50, 95)
    """lowest and highest quality of the JPEG files that half of the scenes go through; 0: none do"""


@dataclass(frozen=True)
class MovementConfig:
    """What moves in scenes that move, from time 0 to time 1."""

    movers: Annotated[tuple[Count, Count], Ascending()] = (1, 5)
    """fewest and most things that move in a scene, with all that hangs on them"""
    ways: Annotated[
        tuple[NotNegative, NotNegative, NotNegative, NotNegative, NotNegative, NotNegative, NotNegative], NotAllZero()
    ] = (
        0.22,
        0.16,
        0.12,
        0.14,
        0.12,
        0.1,
        0.14,
    )
    """shares of: gliding along a curve, rolling, swinging about a pivot, spinning, carts with wheels, arms with joints,
    breathing and swaying (lengths change along straight axes; nothing bends within itself)"""
    far: Sizes = (0.5, 3.0)
    """how far things go, in half their own sizes"""
    moments: Annotated[tuple[Annotated[int, Range(2)], Annotated[int, Range(2)]], Ascending()] = (4, 24)
    """fewest and most times at which a scene is photographed; small numbers are as likely as large ones on a log scale
    """
    cameras: Annotated[tuple[NotNegative, NotNegative, NotNegative], NotAllZero()] = (0.5, 0.3, 0.2)
    """shares of how the context is photographed: by a camera for each time, by one that goes its way while time runs,
    by two that stand still"""
    seen: Annotated[tuple[Share, Share], Ascending()] = (0.03, 0.7)
    """smallest and largest share of the pictures that shows what moves"""


@dataclass(frozen=True)
class MeshSceneConfig:
    """Scenes of textured meshes. Lengths in units of the subject, angles in degrees."""

    sources: MeshSources = field(default_factory=MeshSources)
    kinds: Annotated[
        tuple[NotNegative, NotNegative, NotNegative, NotNegative, NotNegative, NotNegative], NotAllZero()
    ] = (
        0.1,
        0.36,
        0.13,
        0.19,
        0.12,
        0.1,
    )
    """shares of: objects before plain cloth, objects with things around them, rooms from within, yards and streets,
    facades, ground from above"""
    fov: Angles = (16.0, 65.0)
    """field of view along the shorter side; small ones are as likely as large ones on a log scale"""
    phones: Angles = (38.0, 55.0)
    """the same for half of all scenes, as phones have it"""
    fill: Sizes = (0.5, 1.5)
    """how much of the shorter side an object spans"""
    roll: NotNegative = 8.0
    """largest roll of a camera"""
    brightness: Sizes = (0.28, 0.58)
    """mean brightness of the pictures: exposures are chosen to reach it"""
    antialias: bool = True
    """mix in what the corners of pixels show where neighbours differ"""
    tracer: Literal["cpu", "cuda"] = "cpu"
    """what follows the rays: the processor, or a GPU that numba can use (numba-cuda); the pictures are the same but
    for rounding"""
    photo: PhotoConfig = field(default_factory=PhotoConfig)
    moving: Share = 0.0
    """share of the scenes in which something moves, for networks that know time; all others stand still at time 0"""
    movement: MovementConfig = field(default_factory=MovementConfig)
