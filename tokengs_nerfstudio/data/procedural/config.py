"""What random scenes are made of: every range a procedural scene draws from."""

from dataclasses import dataclass
from typing import Annotated

from tokengs_nerfstudio.core.ranges import Ascending, Count, NotNegative, Positive, Range, Share

Angle = Annotated[float, Range(-360, 360)]
Angles = Annotated[tuple[Angle, Angle], Ascending()]
Sizes = Annotated[tuple[Positive, Positive], Ascending()]
W = NotNegative
Nine = tuple[W, W, W, W, W, W, W, W, W]
Shares = Annotated[tuple[Share, Share], Ascending()]


@dataclass(frozen=True)
class ProceduralConfig:
    """Ranges of procedural scenes. Lengths in units of the subject's radius, angles in degrees."""

    primitives: Annotated[tuple[Count, Count], Ascending()] = (3, 12)
    """Fewest and most primitives in a scene."""
    room_probability: Share = 0.5
    """Share of scenes inside a room with textured walls."""
    ground_probability: Share = 0.3
    """Share of scenes on a textured plane under a backdrop; what is left floats before the backdrop alone."""
    table_probability: Share = 0.35
    """Share of the scenes with a floor where the subject stands on a table."""
    wall_probability: Share = 0.2
    """Share of the scenes with a floor that are turned, so that the subject hangs on a wall."""
    orbit_probability: Share = 0.6
    """Share of scenes seen by cameras around the subject."""
    forward_probability: Share = 0.2
    """Share of scenes seen by cameras side by side; what is left is seen by wandering cameras."""
    fov: Angles = (16.0, 75.0)
    """Field of view along the shorter side of the image; small ones are as likely as large ones on a log scale."""
    fill: Sizes = (0.45, 1.15)
    """How much of the shorter side of the image the subject spans."""
    orbit_span: Angles = (40.0, 360.0)
    """Arc of an orbit."""
    elevation: Angles = (5.0, 65.0)
    """Elevation of the middle of an orbit above the floor."""
    elevation_jitter: NotNegative = 15.0
    """How far the elevation of one camera differs from the middle of its orbit, at most."""
    roll: NotNegative = 10.0
    """Largest roll of a camera."""
    pitch: NotNegative = 4.0
    """Largest deviation of a viewing direction from its subject, for a field of view of 45 degrees."""
    texture_weights: Nine = (*(0.14, 0.06, 0.08, 0.08, 0.28, 0.1, 0.1, 0.06, 0.1),)
    """Shares of solid, checker, stripes, waves, noise, spots, cells, bricks, gradient."""
    texture_cells: Sizes = (1.5, 10.0)
    """Cells of a texture across a primitive."""
    bump_probability: Share = 0.5
    """Share of the materials with bump detail."""
    saturation: Share = 0.85
    """Highest saturation of a colour; low ones are more frequent."""
    ambient: Shares = (0.15, 0.55)
    """Ambient light; direct light makes up the rest."""
    shadow_probability: Share = 0.7
    """Share of scenes whose light casts shadows."""
    point_light_probability: Share = 0.4
    """Share of scenes lit by a lamp, the others by a far light."""
    brightness: Shares = (0.3, 0.55)
    """Mean brightness of what a camera sees apart from the backdrop: exposures are chosen to reach it."""
    dark_backdrop_probability: Share = 0.4
    """Share of the backdrops that are dark."""
    antialias: bool = True
    """Average four rays at the borders of surfaces and shadows; without it they are jagged."""
