"""Raw photos of cameras, which hold what the sensor measured and a small preview picture."""

import struct
from collections.abc import Iterator

from zorse.imaging.tiff_types import MOST_TAGS, SIGNATURES

_SIGNATURES = (
    (0, b"FUJIFILMCCD-RAW"),
    (0, b"IIU\0"),  # Panasonic, Leica
    (0, b"IIRO"),  # Olympus
    (0, b"IIRS"),
    (0, b"MMOR"),
    (0, b"\0MRM"),  # Minolta
    (0, b"FOVb"),  # Sigma
    (0, b"ARRI"),
    (4, b"ftypcrx "),  # Canon CR3
    (6, b"HEAPCCDR"),  # Canon CRW
    (4, b"\x10\0\0\0CR\x02"),  # Canon CR2
)
"""Where a kind's mark lies, and the mark."""

_SUBFILE_TYPE, _COMPRESSION, _PHOTOMETRIC, _SUBDIRECTORIES, _DNG_VERSION = 254, 259, 262, 330, 50706
_REDUCED = 1
"""Bit of NewSubfileType: a smaller version of another picture."""
_SHORT = 3
"""Type of numbers of two bytes."""
_SENSOR_LIGHT = (32803, 34892)
"""Photometric interpretations: a mosaic of colour filters, and linear light of the sensor."""
_MAKERS_COMPRESSION = (32767, 32769, 32770, 34713, 65000, 65535)
"""Compressions of Sony, Epson, Samsung, Nikon, Kodak and Pentax."""
_MOST = 64
"""Directories are looked at in one file; links may lead in rings."""


def is_raw_photo(data: bytes) -> bool:
    """Whether the content of a file is a raw photo: by the maker's mark, or a TIFF of which a directory says so.

    A TIFF whose pages are previews only, with the picture itself in a directory inside, is taken for one too.
    """
    if any(data.startswith(mark, place) for place, mark in _SIGNATURES):
        return True
    if not data.startswith(SIGNATURES):
        return False
    directories = list(_directories(data))
    if any(_is_sensors(tags) for _, tags in directories):
        return True
    pages, inner = (
        [not tags.get(_SUBFILE_TYPE, 0) & _REDUCED for is_inner, tags in directories if is_inner is wanted]
        for wanted in (False, True)
    )
    return any(inner) and not any(pages)


def _is_sensors(tags: dict[int, int]) -> bool:
    return (
        _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) in _SENSOR_LIGHT or tags.get(_COMPRESSION) in _MAKERS_COMPRESSION
    )


def _directories(data: bytes) -> Iterator[tuple[bool, dict[int, int]]]:
    """Of each directory of a TIFF whether it lies inside of another, and the first number of each tag."""
    order = "<" if data.startswith(b"II") else ">"
    waiting, seen = [(False, _number(data, order, 4))], {0}
    while waiting and len(seen) <= _MOST:
        is_inner, start = waiting.pop()
        if start in seen or start + 2 > len(data):
            continue
        seen.add(start)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        tags = {}
        held = min(count, MOST_TAGS, (len(data) - start - 2) // 12)
        for entry in range(start + 2, start + 2 + 12 * held, 12):
            tag, kind, length = struct.unpack_from(f"{order}HHI", data, entry)
            tags[tag] = struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'I'}", data, entry + 8)[0]
            if tag == _SUBDIRECTORIES and len(waiting) < _MOST:
                place = entry + 8 if length == 1 else tags[tag]
                waiting += [(True, _number(data, order, place + 4 * number)) for number in range(min(length, _MOST))]
        yield is_inner, tags
        waiting.append((is_inner, _number(data, order, start + 2 + 12 * count)))


def _number(data: bytes, order: str, place: int) -> int:
    """Four bytes at a place; 0 beyond the end."""
    return int(struct.unpack_from(f"{order}I", data, place)[0]) if place + 4 <= len(data) else 0
