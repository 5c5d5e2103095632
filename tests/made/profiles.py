"""ICC profiles as cameras, editors and printers embed them, made byte by byte after ICC.1:2001-04."""

import struct

import numpy as np
from PIL import ImageCms

# Of red, green and blue under D50, X Y Z each.
_SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
_DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
_ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_WHITE = (0.9642, 1.0, 0.8249)


def srgb() -> bytes:
    """As littleCMS writes it."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def srgb_by_another_program() -> bytes:
    """The same colours under another name, its curve as a table, its primaries rounded otherwise."""
    return _of_primaries(_SRGB, _curve(*np.round(65535 * _srgb_light(np.linspace(0, 1, 1024))).astype(int)))


def display_p3() -> bytes:
    return _of_primaries(_DISPLAY_P3, _curve(*np.round(65535 * _srgb_light(np.linspace(0, 1, 1024))).astype(int)))


def adobe_rgb() -> bytes:
    return _of_primaries(_ADOBE_RGB, _curve(round(2.19922 * 256)))


def grey(gamma: float) -> bytes:
    """Of grey pictures."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(_WHITE), b"kTRC": _curve(round(gamma * 256))})


def ink(dull: float) -> bytes:
    """Of CMYK pictures: L* falls from `dull` with the mean of the inks, whatever their colours."""
    corners = [[dull * (1 - sum(ink) / 4), 0.5, 0.5] for ink in np.ndindex(2, 2, 2, 2)]
    # Lightness and two neutral channels: 8 bits of L*, and a* = b* = 0 at 128.
    table = bytes(round(255 * light) if place == 0 else 128 for row in corners for place, light in enumerate(row))
    straight = bytes(range(256))
    head = struct.pack(">4s4xBBBx", b"mft1", 4, 3, 2) + struct.pack(">9i", *(np.eye(3) * 65536).astype(int).ravel())
    return _profile(
        b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(_WHITE), b"A2B0": head + 4 * straight + table + 3 * straight}
    )


def _srgb_light(level: np.ndarray) -> np.ndarray:
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def _of_primaries(primaries: tuple[tuple[float, ...], ...], curve: bytes) -> bytes:
    tags = {b"wtpt": _xyz(_WHITE)}
    for name, place in zip((b"r", b"g", b"b"), primaries):
        tags |= {name + b"XYZ": _xyz(place), name + b"TRC": curve}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def _xyz(values: tuple[float, ...]) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65536) for value in values))


def _curve(*levels: int) -> bytes:
    """A table of 16 bits from black to white, or of one level the gamma in 256ths."""
    return struct.pack(f">4s4xI{len(levels)}H", b"curv", len(levels), *levels)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"made for a test"
    named = struct.pack(">4s4xI", b"desc", len(text) + 1) + text + bytes(1 + 4 + 4 + 2 + 1 + 67)
    tags = {b"desc": named, b"cprt": b"text\0\0\0\0" + text + b"\0", **tags}
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    head = struct.pack(
        ">I4sI4s4s4s12x4s28x3i48x",
        size,
        b"\0" * 4,
        0x02400000,
        kind,
        space,
        connection,
        b"acsp",
        *(round(value * 65536) for value in _WHITE),
    )
    assert len(head) == 128
    return head + struct.pack(">I", len(tags)) + table + body
