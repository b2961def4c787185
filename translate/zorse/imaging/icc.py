"""ICC profiles of colour spaces that were described otherwise."""

import struct

import numpy as np
from numpy.typing import NDArray

from zorse.imaging.cicp import Curve

_D50 = struct.pack(">3i", 63190, 65536, 54061)
"""The white of all profiles, as their header holds it."""


def matrix_icc_profile(name: str, to_xyz: NDArray[np.float64], curve: Curve) -> bytes:
    """An ICC profile for displays, version 4, of a matrix and one curve for all channels.

    Args:
        name: what programs show; ASCII.
        to_xyz: (3, 3), linear light -> CIE XYZ with white D50.
        curve: level -> linear light.

    Source: ICC.1:2022, sections 7.2, 7.3 and 10.
    """
    text = name.encode("utf-16-be")
    # One text, in English: its length, and that it begins after these 28 bytes.
    words = b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(text), 28) + text
    light = b"para\0\0\0\0" + struct.pack(">HH5i", 3, 0, *(_fixed(value) for value in curve))
    tags = {b"desc": words, b"cprt": words, b"wtpt": b"XYZ \0\0\0\0" + _D50}
    tags |= {name: _xyz(to_xyz[:, number]) for number, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), light)
    directory, content = struct.pack(">I", len(tags)), b""
    start = 132 + 12 * len(tags)
    places: dict[bytes, int] = {}  # equal tags share their content
    for tag, value in tags.items():
        if value not in places:
            places[value] = start + len(content)
            content += value + b"\0" * (-len(value) % 4)
        directory += struct.pack(">4sII", tag, places[value], len(value))
    header = struct.pack(">I4sI4s4s4s12x4s", start + len(content), b"", 0x04400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return (header.ljust(68, b"\0") + _D50).ljust(128, b"\0") + directory + content


def _xyz(colour: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(_fixed(value) for value in colour))


def _fixed(value: float) -> int:
    """ICC's number with 16 bits before and after the point."""
    return round(value * 65536)
