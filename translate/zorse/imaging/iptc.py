"""IPTC: captions and credits of the press, in the three places where formats keep them.

Source: IPTC-NAA Information Interchange Model 4.2; Adobe Photoshop File Formats Specification, "Image Resource Blocks".
"""

import struct
from collections.abc import Iterator, Mapping

TIFF_TAG, TIFF_RESOURCES = 33723, 34377
"""Tags of a TIFF: IPTC, and Photoshop's resources, which may hold it."""
PNG_KEYWORDS = ("Raw profile type iptc", "Raw profile type 8bim")
"""Texts of a PNG in which ImageMagick and ExifTool hide it."""

_RESOURCE = 0x0404
"""Photoshop's number of the IPTC resource."""
_COPYRIGHT, _ADDRESS, _PATHS = 0x040A, 0x040B, range(2000, 2999)
"""Further resources that people made."""

_LONG, _UNDEFINED = 4, 7

_HEAD = b"Photoshop 3.0\0"
_SEGMENT = 65_000
"""Bytes of resources in one segment of a JPEG, which holds 64 KB."""


def from_segments(segments: list[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """IPTC out of the APP13 segments of a JPEG, and what else people made there.

    A resource may go on in the next segment.
    """
    parts = [segment.removeprefix(_HEAD) for segment in segments if segment.startswith(_HEAD)]
    resources = list(_resources(b"".join(parts)))
    numbers = {number for number, _ in resources}
    others = {
        "clipping path": any(number in _PATHS for number in numbers),
        "copyright flag": _COPYRIGHT in numbers,
        "copyright address": _ADDRESS in numbers,
    }
    return _iptc(resources), tuple(name for name, there in others.items() if there)


def from_tiff(values: Mapping[int, bytes]) -> bytes:
    """IPTC out of a page of a TIFF, from the bytes as they are: many writers call them 32-bit numbers.

    Args:
        values: what each tag of the page holds, not interpreted.
    """
    value = values.get(TIFF_TAG, b"")
    if not value.startswith(b"\x1c"):  # some writers exchange the bytes of the numbers
        value = b"".join(value[start : start + 4][::-1] for start in range(0, len(value), 4))
    if not value.startswith(b"\x1c"):
        value = _iptc(list(_resources(values.get(TIFF_RESOURCES, b""))))
    return value[: _length(value)]


def from_png(profile: bytes) -> bytes:
    """IPTC out of what a text of a PNG holds: bare, or in Photoshop's resources."""
    if profile.startswith(b"\x1c"):
        return profile[: _length(profile)]
    return _iptc(list(_resources(profile.removeprefix(_HEAD))))


def segments(iptc: bytes) -> bytes:
    """APP13 segments of a JPEG."""
    content = _resource(iptc)
    pieces = [content[start : start + _SEGMENT] for start in range(0, len(content), _SEGMENT)]
    return b"".join(b"\xff\xed" + struct.pack(">H", 2 + len(_HEAD + piece)) + _HEAD + piece for piece in pieces)


def as_numbers(directory: bytes, iptc: bytes) -> bytes:
    """A directory of a little-endian TIFF whose bytes of IPTC are called 32-bit numbers, as libtiff expects.

    Args:
        directory: its number of entries, the entries, and what follows.
        iptc: as in the directory, padded to whole numbers.
    """
    entry = struct.pack("<HHI", TIFF_TAG, _UNDEFINED, len(iptc))
    return directory.replace(entry, struct.pack("<HHI", TIFF_TAG, _LONG, len(iptc) // 4), 1)


def padded(iptc: bytes) -> bytes:
    """IPTC with zeros up to the next whole 32-bit number."""
    return iptc + b"\0" * (-len(iptc) % 4)


def png_text(iptc: bytes) -> str:
    """The text of a PNG, under the first of `PNG_KEYWORDS`, as ImageMagick writes it."""
    content = _resource(iptc)
    digits = content.hex()
    lines = [digits[start : start + 72] for start in range(0, len(digits), 72)]
    return "\n".join(["", "iptc", f"{len(content):8}", *lines, ""])


def raw_profile(text: str) -> bytes:
    """What ImageMagick hid in the text of a PNG; empty where it is damaged."""
    try:
        return bytes.fromhex("".join(text.strip("\n").split("\n")[2:]))
    except ValueError:
        return b""


def _resource(iptc: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", _RESOURCE, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)


def _iptc(resources: list[tuple[int, bytes]]) -> bytes:
    return b"".join(content for number, content in resources if number == _RESOURCE)


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each of Photoshop's resources."""
    place = 0
    while data[place : place + 4] == b"8BIM" and place + 12 <= len(data):
        number = int.from_bytes(data[place + 4 : place + 6], "big")
        name = 1 + data[place + 6]
        start = place + 6 + name + name % 2
        size = int.from_bytes(data[start : start + 4], "big")
        yield number, data[start + 4 : start + 4 + size]
        place = start + 4 + size
        if data[place : place + 4] != b"8BIM":  # some do not pad the last resource of a segment
            place += 1


def _length(iptc: bytes) -> int:
    """Bytes up to the end of the last whole record: writers pad."""
    place = 0
    while iptc[place : place + 1] == b"\x1c" and place + 5 <= len(iptc):
        size = int.from_bytes(iptc[place + 3 : place + 5], "big")
        start = place + 5
        if size & 0x8000:  # the size of a long record takes so many bytes
            digits = size & 0x7FFF
            size = int.from_bytes(iptc[start : start + digits], "big")
            start += digits
        if start + size > len(iptc):
            break
        place = start + size
    return place or len(iptc)
