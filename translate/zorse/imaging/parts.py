"""Of how many parts a file is made, before a library goes through them one by one.

A part of a few bytes costs as much time as one of thousands: a file that is nothing but parts costs minutes.
"""

import re
from collections.abc import Iterator

from zorse.imaging.png import chunks
from zorse.imaging.structure import StructureError, check_count
from zorse.imaging.tiff_directories import check_block

_SCANS = 100
"""Of a JPEG. Each goes over the whole picture; writers make about ten."""
_EXIFS = 64
"""Segments of a JPEG with EXIF, of 64 KB each: the library copies all before it for each."""

_START_OF_SCAN, _END = 0xDA, 0xD9
_ONE_SCAN = (0xC0, 0xC1)
"""Frames that are complete when each channel has come."""
_EXIF = b"Exif\0\0"
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""What comes before a segment, and ends the pixels of a scan."""


def check_parts(data: bytes) -> None:
    """Makes sure that a JPEG or PNG is not made of far more parts than its writer needs.

    Raises:
        StructureError: it is.
    """
    if data.startswith(b"\x89PNG"):
        for count, _ in enumerate(chunks(data)):
            check_count("chunks", count, data)
    elif data.startswith(b"\xff\xd8"):
        _check_jpeg(data)


def _check_jpeg(data: bytes) -> None:
    parts, scans, exifs, place = 0, 0, list[bytes](), 2
    for marker, start, end in _segments(data):
        # What lies between two segments is skipped byte by byte.
        parts += 1 + (0 if scans else max(0, start - 4 - place))
        check_count("segments", parts, data)
        place = end
        scans += marker == _START_OF_SCAN
        if data.startswith(_EXIF, start):
            exifs.append(data[start + len(_EXIF) : end])
        if scans > _SCANS:
            raise StructureError(f"is a JPEG of more than {_SCANS} scans. Save it again.")
        if len(exifs) > _EXIFS:
            raise StructureError(f"is a JPEG with more than {_EXIFS} segments of EXIF. Save it again.")
    check_block(b"".join(exifs))


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the content of each segment of a JPEG's first picture.

    Only up to its first pixels where it has no more scans than it may: the search costs time.
    """
    place, channels, may_have_many = 2, b"", False
    while (found := _MARKER.search(data, place)) and (marker := found[1][0]) != _END:
        start = found.end() + 2
        place = found.end() + max(2, int.from_bytes(data[found.end() : start], "big"))
        yield marker, start, place
        if marker in _ONE_SCAN:
            channels = data[start + 5 : start + 6]
        elif marker == _START_OF_SCAN and not may_have_many:
            may_have_many = data[start : start + 1] != channels and data.count(bytes([0xFF, marker])) > _SCANS
            if not may_have_many:
                return
