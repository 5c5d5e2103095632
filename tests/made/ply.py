"""Reads what exporters write: PLY files of scalar vertex properties, binary and little-endian."""

from pathlib import Path

import numpy as np

_KINDS = {"float": "<f4", "float32": "<f4", "double": "<f8", "uchar": "u1", "uint8": "u1", "int": "<i4", "uint": "<u4"}


def read_vertices(file: Path) -> np.ndarray:
    """The vertices as a structured array, one named column a property; AssertionError for any other PLY."""
    head, _, body = file.read_bytes().partition(b"end_header\n")
    lines = [line.split() for line in head.decode("ascii").splitlines() if not line.startswith("comment")]
    assert lines[:2] == [["ply"], ["format", "binary_little_endian", "1.0"]]
    assert [line[:2] for line in lines if line[0] == "element"] == [["element", "vertex"]]
    row = np.dtype([(line[2], _KINDS[line[1]]) for line in lines if line[0] == "property"])
    count = int(lines[2][2])
    assert len(body) == count * row.itemsize
    return np.frombuffer(body, row)
