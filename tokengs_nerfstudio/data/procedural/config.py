"""What random scenes are made of: every range a procedural scene draws from."""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class ProceduralConfig:
    """Ranges of procedural scenes. Lengths in units of the subject's radius, angles in degrees."""

    primitives: tuple[int, int] = (3, 12)
    """Fewest and most primitives in a scene."""
    room_probability: float = 0.5
    """Share of scenes inside a room with textured walls."""
    ground_probability: float = 0.3
    """Share of scenes on a textured plane under a backdrop; what is left floats before the backdrop alone."""
    table_probability: float = 0.35
    """Share of the scenes with a floor where the subject stands on a table."""
    wall_probability: float = 0.2
    """Share of the scenes with a floor that are turned, so that the subject hangs on a wall."""
    orbit_probability: float = 0.6
    """Share of scenes seen by cameras around the subject."""
    forward_probability: float = 0.2
    """Share of scenes seen by cameras side by side; what is left is seen by wandering cameras."""
    fov: Range = (16.0, 75.0)
    """Field of view along the shorter side of the image; small ones are as likely as large ones on a log scale."""
    fill: Range = (0.45, 1.15)
    """How much of the shorter side of the image the subject spans."""
    orbit_span: Range = (40.0, 360.0)
    """Arc of an orbit."""
    elevation: Range = (5.0, 65.0)
    """Elevation of the middle of an orbit above the floor."""
    elevation_jitter: float = 15.0
    """How far the elevation of one camera differs from the middle of its orbit, at most."""
    roll: float = 10.0
    """Largest roll of a camera."""
    pitch: float = 4.0
    """Largest deviation of a viewing direction from its subject, for a field of view of 45 degrees."""
    texture_weights: tuple[float, float, float, float, float, float, float, float, float] = (
        *(0.14, 0.06, 0.08, 0.08, 0.28, 0.1, 0.1, 0.06, 0.1),
    )
    """Shares of solid, checker, stripes, waves, noise, spots, cells, bricks, gradient."""
    texture_cells: Range = (1.5, 10.0)
    """Cells of a texture across a primitive."""
    bump_probability: float = 0.5
    """Share of the materials with bump detail."""
    saturation: float = 0.85
    """Highest saturation of a colour; low ones are more frequent."""
    ambient: Range = (0.15, 0.55)
    """Ambient light; direct light makes up the rest."""
    shadow_probability: float = 0.7
    """Share of scenes whose light casts shadows."""
    point_light_probability: float = 0.4
    """Share of scenes lit by a lamp, the others by a far light."""
    brightness: Range = (0.3, 0.55)
    """Mean brightness of what a camera sees apart from the backdrop: exposures are chosen to reach it."""
    dark_backdrop_probability: float = 0.4
    """Share of the backdrops that are dark."""
    antialias: bool = True
    """Average four rays at the borders of surfaces and shadows; without it they are jagged."""
