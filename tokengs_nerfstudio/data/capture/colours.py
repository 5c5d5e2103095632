"""Colours of photos by the profiles that are embedded in them: sRGB stays, others (Display P3, Adobe RGB) become it."""

import io
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageCms

_log = logging.getLogger(__name__)

# The spaces of profiles and the modes of pictures that they are for.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_SPACE = slice(16, 20)  # in a profile's header
_MODES_OF_GREY = ("L", "LA", "1", "I", "F")
# By how many of 255 levels profiles differ that all mean sRGB, and how many levels of each colour tell.
_ROUNDING, _LEVELS = 2, 9


@dataclass(frozen=True)
class ColourProfile:
    """How the colours of a mode of pictures (L, RGB, CMYK) become those of sRGB."""

    mode: str
    to_srgb: ImageCms.ImageCmsTransform

    @classmethod
    def of(cls, content: bytes, mode: str) -> "ColourProfile":
        """An embedded profile for a picture of a mode; ValueError, OSError or PyCMSError where it is none for that."""
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        space = content[_SPACE].decode("latin-1").strip()
        own = _MODES.get(space)
        if own is None or own not in (mode, "RGB" if mode == "L" else mode):
            raise ValueError(f"it is one of {space}, the photo is {mode}")
        to_srgb = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), own, "RGB")
        return cls(own, to_srgb)

    @property
    def is_srgb(self) -> bool:
        """Whether it changes nothing: what colours become tells sRGB, of which there are many versions and names."""
        before = Image.fromarray(_lattice()).convert(self.mode)
        difference = np.asarray(self.in_srgb(before), np.int16) - np.asarray(before.convert("RGB"), np.int16)
        return bool(np.abs(difference).max() <= _ROUNDING)

    def in_srgb(self, colours: Image.Image) -> Image.Image:
        """A picture without alpha as RGB, turned into its mode before where it has another."""
        shown = self.to_srgb.apply(colours.convert(self.mode))
        assert shown is not None  # it is where nothing is written in place
        return shown


def _lattice() -> UInt8[ndarray, "row column 3"]:
    """Colours from all over the cube."""
    levels = np.linspace(0, 255, _LEVELS).round().astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(_LEVELS, _LEVELS**2, 3)


# By content and mode: the photos of a capture share one or two.
_KNOWN: dict[tuple[bytes, str], ColourProfile | None] = {}


def profile_of(image: Image.Image, path: Path) -> ColourProfile | None:
    """The profile that is embedded in an opened image, if its colours have to become sRGB by it; None where they are,
    or where it cannot be used, which is said once."""
    content = image.info.get("icc_profile")
    if not content:
        return None
    key = content, _mode_of_colours(image)
    if key not in _KNOWN:
        _KNOWN[key] = _read(*key, path)
    return _KNOWN[key]


def _mode_of_colours(image: Image.Image) -> str:
    grey = image.mode in _MODES_OF_GREY or image.mode.startswith("I;16")
    return "L" if grey else "CMYK" if image.mode == "CMYK" else "RGB"


def _read(content: bytes, mode: str, path: Path) -> ColourProfile | None:
    try:
        profile = ColourProfile.of(content, mode)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        _log.warning(
            f"the colour profile of {path} cannot be used ({error}): this photo and others that have it are read as "
            "sRGB; save them with another one"
        )
        return None
    return None if profile.is_srgb else profile
