"""The directories of TIFFs and EXIF blocks, weighed before a library reads them.

Readers copy all that a directory names, and make an object of each number: directories that name the same bytes again
and again turn a small file into hours of work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from zorse.imaging.structure import StructureError
from zorse.imaging.tiff_types import MOST_TAGS, TYPE_SIZES

_MOST_NUMBERS = 2**20
"""That all directories name. Each takes a microsecond, and that several times."""
_SHARED = 2**28
"""Bytes beyond the file's own: pages may share a profile."""

_SIZES = np.zeros(2**16, np.int64)
_SIZES[list(TYPE_SIZES)] = list(TYPE_SIZES.values())
_SIZES[16] = 8
"""Bytes of a number of each type, BigTIFF's among them; those of other types are not read."""
_WEIGHTS = (_SIZES > 1).astype(np.int64)
_WEIGHTS[[5, 10]] = 8
"""Of a number of each type: fractions take longest, bytes and letters nothing."""

_SUBFILE_TYPE, _REDUCED = 254, 1
"""TIFF's tag NewSubfileType, and its bit that says that the page is a smaller version of another."""
_ORIENTATION = 274
_NONE = 1
"""Of the compressions."""
_INNER = (0x8769, 0x8825, 0xA005)
"""Tags that name a directory inside: EXIF, GPS and, inside of EXIF, one more."""
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 13: "u4", 16: "u8"}
"""Types of whole numbers."""


@dataclass(frozen=True)
class Page:
    """What a directory of a TIFF says of its picture."""

    start: int
    """Of the directory."""
    width: int
    """Of what is decoded, upright: whole tiles, which may be larger than the picture. In pixels."""
    height: int
    is_reduced: bool
    """Whether it is a smaller version of another page."""
    compression: int
    """TIFF's number."""
    is_whole: bool
    """Whether the directory, and all that it names, is there."""


def read_pages(data: bytes, most: int) -> list[Page]:
    """The pages of a TIFF, in order; empty for other files.

    Args:
        data: the content of the file.
        most: no more pages are looked for.

    Raises:
        StructureError: they name more than anybody writes.
    """
    if data[:4] == b"MM\0+":
        raise StructureError("is a big-endian BigTIFF, which cannot be read. Save it as TIFF.")
    if data[:4] not in TiffImagePlugin.PREFIXES:
        return []
    return [_page(directory) for directory in islice(_directories(data), most)]


def check_block(block: bytes) -> None:
    """Makes sure that an EXIF block, with or without the letters "Exif" before it, may be read.

    Raises:
        StructureError: its directories name more than anybody writes.
    """
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    if block[:2] in (b"II", b"MM"):
        list(islice(_directories(block), 2))  # the picture's and the preview's


def _directories(data: bytes) -> Iterator["_Directory"]:
    """Each directory of the chain, when it and those inside are weighed. What lies outside of the data is empty."""
    form, weight, seen = _Form(data), _Weight(len(data)), set[int]()
    start = form.number(8, "u8") if form.is_big else form.number(4, "u4")
    while start and start not in seen:
        seen.add(start)
        directory = _Directory(form, start)
        weight.add(directory)
        waiting = [directory.number(tag) for tag in _INNER[:2]]
        for place in filter(None, waiting):
            inner = _Directory(form, place)
            weight.add(inner)
            if deeper := inner.number(_INNER[2]):
                weight.add(_Directory(form, deeper))
        yield directory
        start = directory.following


class _Form:
    """How the data hold numbers, and where."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data.startswith(b"II") else ">"
        self.is_big = data[2:3] == b"+"
        word = "u8" if self.is_big else "u4"
        self.word, self.count = word, "u8" if self.is_big else "u2"
        names = (("tag", "u2"), ("kind", "u2"), ("count", word), ("value", word))
        self.entry = np.dtype([(name, self.order + kind) for name, kind in names])

    def number(self, place: int, kind: str) -> int:
        """0 where there is none."""
        size = int(kind[1])
        content = self.data[place : place + size]
        return int(np.frombuffer(content, self.order + kind)[0]) if len(content) == size else 0


class _Directory:
    def __init__(self, form: _Form, start: int) -> None:
        self.start, self._form = start, form
        first = start + int(form.count[1])
        self.length = form.number(start, form.count)
        held = min(self.length, max(0, len(form.data) - first) // form.entry.itemsize)
        self.entries: NDArray[Any] = np.frombuffer(form.data, form.entry, held, first if held else 0)
        self.following = form.number(first + self.length * form.entry.itemsize, form.word)
        self.sizes = _SIZES[self.entries["kind"]] * _signed(self.entries["count"])
        """Bytes that each entry names; none where some lie outside of the data, where readers stop."""
        is_held = (self.sizes <= self._inline) | (_signed(self.entries["value"]) + self.sizes <= len(form.data))
        self.is_whole = self.length == held > 0 and bool(is_held.all())
        self.sizes *= is_held

    @property
    def _inline(self) -> int:
        """Bytes that an entry holds itself."""
        return int(self._form.word[1])

    def number(self, tag: int) -> int:
        """The first number of a tag; 0 where there is none."""
        (found,) = np.nonzero(self.entries["tag"] == tag)
        kind = _INTEGERS.get(int(self.entries["kind"][found[-1]])) if len(found) else None
        if kind is None:
            return 0
        entry = self.start + int(self._form.count[1]) + int(found[-1]) * self._form.entry.itemsize
        inline = entry + self._form.entry.itemsize - self._inline
        place = inline if self.sizes[found[-1]] <= self._inline else int(self.entries["value"][found[-1]])
        return self._form.number(place, kind)


class _Weight:
    """What the directories name so far, all together."""

    def __init__(self, length: int) -> None:
        self._most = length + _SHARED
        self._bytes = self._numbers = 0

    def add(self, directory: _Directory) -> None:
        """Raises StructureError where it becomes too much."""
        if len(directory.entries) > MOST_TAGS:
            raise StructureError(
                f"has a directory of {len(directory.entries)} tags; at most {MOST_TAGS} are read. Save it again."
            )
        kinds, sizes = directory.entries["kind"], directory.sizes
        self._bytes += int(sizes.sum())
        self._numbers += int((sizes // np.maximum(_SIZES[kinds], 1) * _WEIGHTS[kinds]).sum())
        if self._numbers > _MOST_NUMBERS or self._bytes > self._most:
            raise StructureError(
                f"has directories that name {self._numbers} numbers and {self._bytes // 10**6} MB; at most "
                f"{_MOST_NUMBERS} and {self._most // 10**6} are read. Save it again."
            )


def _signed(numbers: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
    """The same numbers, those that are beyond any file's size made smaller: their products fit."""
    return np.minimum(numbers.astype(np.uint64), np.uint64(2**48)).astype(np.int64)


def _page(directory: _Directory) -> Page:
    width, height = directory.number(TiffImagePlugin.IMAGEWIDTH), directory.number(TiffImagePlugin.IMAGELENGTH)
    columns, rows = directory.number(TiffImagePlugin.TILEWIDTH), directory.number(TiffImagePlugin.TILELENGTH)
    if columns > 0 and rows > 0:
        width, height = -(-width // columns) * columns, -(-height // rows) * rows
    if directory.number(_ORIENTATION) >= 5:
        width, height = height, width
    return Page(
        directory.start,
        width,
        height,
        is_reduced=bool(directory.number(_SUBFILE_TYPE) & _REDUCED),
        compression=directory.number(TiffImagePlugin.COMPRESSION) or _NONE,
        is_whole=directory.is_whole,
    )
