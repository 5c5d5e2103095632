"""What scenes of meshes are: kinds, their shares, and what a camera does to the picture."""

from dataclasses import dataclass, field

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources

Range = tuple[float, float]


@dataclass(frozen=True)
class PhotoConfig:
    """What separates a photo from a clean render; each is drawn once a scene or once a view."""

    white_balance: float = 0.08
    """largest change of a colour's gain in a scene, red against blue"""
    exposure: float = 0.06
    """largest change of a view's gain; half of the scenes have none"""
    gamma: Range = (0.85, 1.2)
    """exponents of the tone curve of a scene"""
    blur: float = 0.6
    """largest standard deviation of blur in pixels; half of the scenes have none"""
    noise: float = 0.02
    """largest standard deviation of noise; half of the scenes have none"""
    jpeg: tuple[int, int] = (50, 95)
    """lowest and highest quality of the JPEG files that half of the scenes go through; 0: none do"""


@dataclass(frozen=True)
class MeshSceneConfig:
    """Scenes of textured meshes. Lengths in units of the subject, angles in degrees."""

    sources: MeshSources = field(default_factory=MeshSources)
    kinds: tuple[float, float, float, float, float] = (0.46, 0.13, 0.19, 0.12, 0.1)
    """shares of: objects gone round, rooms from within, yards and streets, facades, ground from above"""
    fov: Range = (16.0, 65.0)
    """field of view along the shorter side; small ones are as likely as large ones on a log scale"""
    phones: Range = (38.0, 55.0)
    """the same for half of all scenes, as phones have it"""
    fill: Range = (0.5, 1.5)
    """how much of the shorter side an object spans"""
    roll: float = 8.0
    """largest roll of a camera"""
    brightness: Range = (0.28, 0.58)
    """mean brightness of the pictures: exposures are chosen to reach it"""
    antialias: bool = True
    """mix in what the corners of pixels show where neighbours differ"""
    photo: PhotoConfig = field(default_factory=PhotoConfig)

    def __post_init__(self) -> None:
        ranges = (self.fov, self.phones, self.fill, self.brightness)
        if min(self.kinds) < 0 or sum(self.kinds) <= 0 or any(not 0 < low <= high for low, high in ranges):
            raise UserError(f"shares of kinds and ranges must be positive and in order, got {self}")
