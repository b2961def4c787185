"""AVIF: what Pillow leaves undone, how often frames are played, and files of early encoders.

Source: ISO/IEC 14496-12 (boxes, edit lists), ISO/IEC 23008-12 (items and their properties).
"""

import struct
from collections.abc import Iterator

from zorse.imaging.boxes import associations, iter_boxes

_REPEATS = 1
"""Flag of an edit list: its edits are played again until the track's duration is full."""
_TRACK_TIMES, _MOVIE_TIMES = (20, 28), (16, 24)
"""Where the duration lies in `tkhd` and `mvhd`, after the box's head, with times of 4 and of 8 bytes."""


def plays(data: bytes) -> int:
    """How often the frames of an AVIF are played; 0 is for ever, as where the file does not say."""
    found = _track(data)
    if found is None:
        return 0
    track, edits = found
    flags, duration = int.from_bytes(data[edits + 9 : edits + 12], "big"), _segment(data, edits)
    if not flags & _REPEATS or not duration:
        return 1
    whole, size = _duration(data, track, _TRACK_TIMES)
    whole = int.from_bytes(data[whole : whole + size], "big")
    return 0 if whole == 2 ** (8 * size) - 1 else -(-whole // duration)


def with_plays(data: bytes, count: int) -> bytes:
    """An AVIF as Pillow writes it, which is played for ever, such that it is played so often."""
    found = _track(data)
    if found is None or count == 0:
        return data
    track, edits = found
    changed = bytearray(data)
    for box, times in ((_find(data, b"moov", b"mvhd"), _MOVIE_TIMES), (track, _TRACK_TIMES)):
        if box is not None:
            place, size = _duration(data, box, times)
            # The movie's clock ticks as the track's does, in what libavif writes.
            changed[place : place + size] = (_segment(data, edits) * count).to_bytes(size, "big")
    changed[edits + 9 : edits + 12] = (_REPEATS if count > 1 else 0).to_bytes(3, "big")
    return bytes(changed)


def repaired(data: bytes) -> bytes | None:
    """A file of an early encoder as libavif takes it; None where there is nothing to repair.

    Early versions of two encoders called cavif say the size of the picture, but not that of its alpha, and spread over
    several boxes which property belongs to what. The directory is written anew, at the end: nothing else moves.
    """
    try:
        meta = next(((start, head, end) for name, start, head, end in iter_boxes(data) if name == b"meta"), None)
        if meta is None or data[4:8] != b"ftyp":
            return None
        start, head, end = meta
        parts = [(name, data[here:stop]) for name, here, _, stop in iter_boxes(data, head + 4, end)]
        properties = next((part for name, part in parts if name == b"iprp"), b"")
        references = next((part for name, part in parts if name == b"iref"), b"")
        changed = _merged(properties, references)
    except (struct.error, IndexError):
        return None
    if changed is None:
        return None
    content = data[head : head + 4] + b"".join(changed if name == b"iprp" else part for name, part in parts)
    return data[: start + 4] + b"free" + data[start + 8 :] + _box(b"meta", content)


def _track(data: bytes) -> tuple[int, int] | None:
    """Where the first track's head and its edit list begin; None for still pictures and files that do not say."""
    track, edits = _find(data, b"moov", b"trak", b"tkhd"), _find(data, b"moov", b"trak", b"edts", b"elst")
    if track is None or edits is None or edits + 24 > len(data) or track + 44 > len(data):
        return None
    return track, edits


def _segment(data: bytes, edits: int) -> int:
    """How long the first edit lasts."""
    size = 8 if data[edits + 8] else 4
    return int.from_bytes(data[edits + 16 : edits + 16 + size], "big")


def _duration(data: bytes, box: int, times: tuple[int, int]) -> tuple[int, int]:
    """Where a box holds its duration, and in how many bytes."""
    is_long = data[box + 8] == 1
    return box + 8 + times[is_long], 8 if is_long else 4


def _find(data: bytes, *path: bytes) -> int | None:
    """Where the first box of a path begins."""
    start, end, place = 0, len(data), None
    for wanted in path:
        found = next(
            ((here, head, stop) for name, here, head, stop in iter_boxes(data, start, end) if name == wanted), None
        )
        if found is None:
            return None
        place, start, end = found
    return place


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def _merged(iprp: bytes, iref: bytes) -> bytes | None:
    """The box of properties with one list of what belongs to what, and the picture's size also for its alpha."""
    boxes = list(iter_boxes(iprp, 8))
    lists = [iprp[head:end] for name, _, head, end in boxes if name == b"ipma"]
    properties = next((iprp[start:end] for name, start, _, end in boxes if name == b"ipco"), b"")
    sizes = {number for number, (name, *_) in enumerate(iter_boxes(properties, 8), 1) if name == b"ispe"}
    owned: dict[int, list[int]] = {}
    for part in lists:
        for item, numbers in associations(part):
            owned.setdefault(item, []).extend(numbers)
    is_changed = len(lists) > 1
    for item, picture in _auxiliaries(iref):
        size = next((number & 0x7FFF for number in owned.get(picture, []) if number & 0x7FFF in sizes), None)
        if size is not None and not any(number & 0x7FFF in sizes for number in owned.get(item, [])):
            owned.setdefault(item, []).insert(0, size)
            is_changed = True
    if not is_changed:
        return None
    content = struct.pack(">II", 1 << 24 | 1, len(owned))  # version 1, numbers of 15 bits
    for item, numbers in sorted(owned.items()):
        content += struct.pack(f">IB{len(numbers)}H", item, len(numbers), *numbers)
    return _box(b"iprp", properties + _box(b"ipma", content))


def _auxiliaries(iref: bytes) -> Iterator[tuple[int, int]]:
    """Each item that belongs to a picture (its alpha, its depth), and that picture."""
    if len(iref) < 12:
        return
    form = ">I" if iref[8] else ">H"
    width = struct.calcsize(form)
    for name, _, head, _ in iter_boxes(iref, 12):
        if name == b"auxl":
            yield (
                struct.unpack_from(form, iref, head)[0],
                struct.unpack_from(form, iref, head + width + 2)[0],
            )
