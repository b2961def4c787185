"""EXIF blocks, changed in place: what is not changed stays where it was.

Maker notes are camera makers' own directories inside EXIF. Many of them point to values by their distance from the
block's beginning: written anew at another place, they point into nowhere. So a block is patched, not rebuilt.

Source: EXIF 2.32 (CIPA DC-008), section 4.6; TIFF 6.0, section 2; for the maker notes that may be moved,
lib/Image/ExifTool/MakerNotes.pm of ExifTool.
"""

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from zorse.imaging.tiff_types import SIGNATURES, TYPE_SIZES

ORIENTATION = 0x0112
_EXIF, _GPS, _INTEROPERABILITY = 0x8769, 0x8825, 0xA005
MAKER_NOTE = 0x927C
_PREVIEW_START, _PREVIEW_SIZE = 0x0201, 0x0202
_SIDES = ((0x0100, 0x0101), (0xA002, 0xA003))
"""Width and height, in the first directory and in that of EXIF."""

_X_RESOLUTION = 0x011A
_OF_PIXELS = frozenset({ORIENTATION, _X_RESOLUTION, 0x011B, 0x0128, 0x0213, _EXIF, _GPS, *_SIDES[0], *_SIDES[1]})
"""Tags that say how pixels lie, and where other directories begin."""

_PREFIX = b"Exif\0\0"
_SHORT, _LONG = 3, 4

_MOVABLE = (b"Apple iOS\0", b"Nikon\0\2", b"FUJIFILM", b"OLYMPUS\0", b"OM SYSTEM\0", b"PENTAX \0")
"""Beginnings of maker notes whose positions count from their own beginning."""

_APPLE = b"Apple iOS\0\0\1MM"
_APPLE_FILM, _APPLE_GAIN = 0x0011, (0x0021, 0x0030)
"""Tags of Apple's maker note: the film that belongs to a Live Photo; headroom and gain of its gain map."""


@dataclass(frozen=True)
class ExifParts:
    """What an EXIF block holds, beside what every camera writes."""

    gps: bool = False
    maker_note: bool = False
    preview: bool = False
    live_photo: bool = False
    """Whether it names the film of one of Apple's Live Photos."""


def parts(block: bytes) -> ExifParts:
    """What a block holds; nothing where it cannot be read."""
    try:
        exif = _Block(block)
        apple = exif.apple()
        return ExifParts(
            gps=bool(exif.group(_GPS)),
            maker_note=MAKER_NOTE in exif.group(_EXIF),
            preview=exif.has_preview,
            live_photo=_APPLE_FILM in (exif.directory(apple) if apple else {}),
        )
    except (struct.error, ValueError):
        return ExifParts()


def tags(block: bytes) -> frozenset[int]:
    """What a block says of the picture: its tags in all directories; none where it cannot be read.

    Without the orientation, sizes and the resolution, which say how the pixels lie.
    """
    try:
        exif = _Block(block)
        groups = (exif.directory(exif.first), exif.group(_EXIF), exif.group(_GPS))
    except (struct.error, ValueError):
        return frozenset()
    return frozenset(tag for group in groups for tag in group) - _OF_PIXELS


def holds_resolution(block: bytes) -> bool:
    """Whether a block says how many pixels an inch has."""
    try:
        exif = _Block(block)
        return _X_RESOLUTION in exif.directory(exif.first)
    except (struct.error, ValueError):
        return False


def upright(block: bytes, orientation: int, dropped: Collection[int] = ()) -> bytes | None:
    """The block of a picture whose pixels were turned upright.

    Its orientation is 1, sides that were exchanged are so again, and its preview, which shows the old picture, is gone.

    Args:
        block: with or without the letters "Exif" before it.
        orientation: 1..8, as it was.
        dropped: tags of the first directory that go.

    Returns:
        None where the block is damaged: it has to be made anew.
    """
    try:
        exif = _Block(block)
        exif.drop_preview()
        exif.drop(exif.first, dropped)
        exif.set_orientation(1)
        if orientation >= 5:
            exif.exchange_sides()
        return exif.content()
    except (struct.error, ValueError):
        return None


def stored(block: bytes, orientation: int) -> bytes | None:
    """The block of a picture that is turned from upright back to an orientation 2..8; None where it is damaged."""
    try:
        exif = _Block(block)
        if not exif.set_orientation(orientation):
            exif.add_orientation(orientation)
        if orientation >= 5:
            exif.exchange_sides()
        return exif.content()
    except (struct.error, ValueError):
        return None


def without_orientation(block: bytes) -> bytes:
    """The block without that tag; as it is where it is damaged."""
    try:
        exif = _Block(block)
        exif.drop(exif.first, (ORIENTATION,))
        return exif.content()
    except (struct.error, ValueError):
        return block


def without_links(block: bytes, *, gain: bool) -> bytes:
    """The block without Apple's links to the film and, if `gain`, to the gain map, which are not in the result."""
    tags = (_APPLE_FILM, *(_APPLE_GAIN if gain else ()))
    try:
        exif = _Block(block)
        apple = exif.apple()
        if apple:
            exif.drop(apple, tags)
        return exif.content()
    except (struct.error, ValueError):
        return block


def may_move(maker_note: bytes) -> bool:
    """Whether a maker note stays sound at another place of a block."""
    return maker_note.startswith(_MOVABLE)


class _Block:
    """Raises struct.error or ValueError for a block that is damaged."""

    def __init__(self, block: bytes) -> None:
        while block.startswith(_PREFIX):
            block = block[len(_PREFIX) :]
        if not block.startswith(SIGNATURES):
            raise ValueError("no TIFF header")
        self._data = bytearray(block)
        self._order = "<" if block.startswith(b"II") else ">"
        self.apple_start = -1
        self.first = self._number("I", 4)
        self.directory(self.first)

    def content(self) -> bytes:
        return _PREFIX + bytes(self._data)

    def directory(self, start: int) -> dict[int, int]:
        """Tag -> position of its entry."""
        if not 8 <= start < len(self._data):
            raise ValueError("a directory outside of the block")
        order = ">" if start == self.apple_start else self._order
        (count,) = struct.unpack_from(f"{order}H", self._data, start)
        places = [start + 2 + 12 * number for number in range(count)]
        if places and places[-1] + 12 > len(self._data):
            raise ValueError("a directory is cut off")
        return {struct.unpack_from(f"{order}H", self._data, place)[0]: place for place in reversed(places)}

    def apple(self) -> int:
        """The place of the directory in Apple's maker note, which has its own byte order; 0 where there is none."""
        place = self.group(_EXIF).get(MAKER_NOTE)
        if place is None:
            return 0
        start = self._number("I", place + 8)
        if self._data[start : start + len(_APPLE)] != _APPLE:
            return 0
        self.apple_start = start + len(_APPLE)
        return self.apple_start

    def group(self, tag: int) -> dict[int, int]:
        """The directory that an entry of the first one points to; empty where there is none."""
        place = self.directory(self.first).get(tag)
        return {} if place is None else self.directory(self._number("I", place + 8))

    @property
    def has_preview(self) -> bool:
        return self._number("I", self._link(self.first)) != 0

    def drop_preview(self) -> None:
        """Takes the second directory out of the chain, and its picture out of the block."""
        link = self._link(self.first)
        second = self._number("I", link)
        struct.pack_into(f"{self._order}I", self._data, link, 0)
        try:
            entries = self.directory(second)
            start = self._number("I", entries[_PREVIEW_START] + 8)
            end = start + self._number("I", entries[_PREVIEW_SIZE] + 8)
        except (struct.error, ValueError, KeyError):
            return
        used = list(self._used())
        if start < 8 or any(begin < end and start < finish for begin, finish in used):
            return  # what is said of its place is not true
        if not any(self._data[end:]) and all(finish <= start for _, finish in used):
            del self._data[start:]
        else:
            self._data[start:end] = bytes(end - start)

    def drop(self, start: int, tags: Collection[int]) -> None:
        """Takes entries out of a directory: those after them move up, their values stay where they are."""
        entries = self.directory(start)
        order = ">" if start == self.apple_start else self._order
        places = sorted(place for tag, place in entries.items() if tag not in tags)
        rest = b"".join(self._data[place : place + 12] for place in places)
        if len(rest) == 12 * len(entries):
            return
        end = start + 2 + 12 * struct.unpack_from(f"{order}H", self._data, start)[0] + 4
        kept = struct.pack(f"{order}H", len(rest) // 12) + rest + self._data[end - 4 : end]
        self._data[start:end] = kept + bytes(end - start - len(kept))

    def set_orientation(self, orientation: int) -> bool:
        """Whether the block has that tag."""
        place = self.directory(self.first).get(ORIENTATION)
        if place is None:
            return False
        value = struct.pack(f"{self._order}HIHH", _SHORT, 1, orientation, 0)
        self._data[place + 2 : place + 12] = value
        return True

    def add_orientation(self, orientation: int) -> None:
        """Writes the first directory, which has to grow, at the end of the block."""
        entries = {tag: bytes(self._data[place : place + 12]) for tag, place in self.directory(self.first).items()}
        entries[ORIENTATION] = struct.pack(f"{self._order}HHIHH", ORIENTATION, _SHORT, 1, orientation, 0)
        link = self._link(self.first)
        last = bytes(self._data[link : link + 4])
        self._data += bytes(len(self._data) % 2)
        self.first = len(self._data)
        struct.pack_into(f"{self._order}I", self._data, 4, self.first)
        self._data += struct.pack(f"{self._order}H", len(entries))
        self._data += b"".join(entry for _, entry in sorted(entries.items())) + last

    def exchange_sides(self) -> None:
        for entries in (self.directory(self.first), self.group(_EXIF)):
            for across, down in _SIDES:
                if across in entries and down in entries:
                    one, other = (slice(entries[side] + 2, entries[side] + 12) for side in (across, down))
                    self._data[one], self._data[other] = self._data[other], self._data[one]

    def _link(self, start: int) -> int:
        """Where a directory names the next one."""
        link: int = start + 2 + 12 * self._number("H", start)
        if link + 4 > len(self._data):
            raise ValueError("a directory is cut off")
        return link

    def _used(self) -> Iterator[tuple[int, int]]:
        """Begin and end of what the block's directories take, without the preview's."""
        yield 0, 8
        groups = [self.directory(self.first), self.group(_EXIF), self.group(_GPS)]
        interoperability = groups[1].get(_INTEROPERABILITY)
        if interoperability is not None:
            groups.append(self.directory(self._number("I", interoperability + 8)))
        for entries in groups:
            for place in entries.values():
                yield place, place + 12
                size = TYPE_SIZES.get(self._number("H", place + 2), 1) * self._number("I", place + 4)
                if size > 4:
                    value = self._number("I", place + 8)
                    yield value, value + size

    def _number(self, kind: str, place: int) -> int:
        (number,) = struct.unpack_from(f"{self._order}{kind}", self._data, place)
        return int(number)
