"""The boxes of AVIF and HEIC files, and what they say about the main picture that Pillow does not tell.

Source: ISO/IEC 14496-12 (boxes) and ISO/IEC 23008-12 (items and their properties).
"""

import struct
from collections.abc import Iterator

Data = bytes | memoryview


def item_properties(data: bytes) -> dict[bytes, bytes]:
    """Content of each property of the main picture, by its four letters; a `colr` with an ICC profile is left out.

    The configuration of the codec (`av1C`, `hvcC`) is that of the first tile where the picture is made of tiles. Empty
    where the file holds none, or is damaged.
    """
    try:
        return _properties(memoryview(data))
    except (struct.error, IndexError):
        return {}


def iter_boxes(data: Data, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int, int]]:
    """Name, start, start of the content and end of each box between two places; what is cut off ends there."""
    end = len(data) if end is None else min(end, len(data))
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, start)
        head = start + 8
        if size == 1 and start + 16 <= end:
            (size,), head = struct.unpack_from(">Q", data, start + 8), start + 16
        stop = end if size == 0 else min(start + size, end)
        if stop < head:
            return
        yield name, start, head, stop
        start = stop


def associations(ipma: Data) -> Iterator[tuple[int, list[int]]]:
    """Content of an `ipma` box -> each item, and the numbers of its properties.

    These count from 1 and take 15 bits; the bit before them says "essential".

    Raises:
        struct.error, IndexError: the box is damaged.
    """
    item_form, is_wide = ">I" if ipma[0] else ">H", ipma[3] & 1
    (count,) = struct.unpack_from(">I", ipma, 4)
    place = 8
    for _ in range(min(count, len(ipma))):
        (item,) = struct.unpack_from(item_form, ipma, place)
        place += struct.calcsize(item_form)
        number = ipma[place]
        numbers = list(struct.unpack_from(f">{number}{'H' if is_wide else 'B'}", ipma, place + 1))
        place += 1 + number * (1 + is_wide)
        yield item, numbers if is_wide else [(entry & 0x80) << 8 | entry & 0x7F for entry in numbers]


def _properties(data: memoryview) -> dict[bytes, bytes]:
    nothing = memoryview(b"")
    meta = dict(_boxes(dict(_boxes(data)).get(b"meta", nothing)[4:]))
    iprp = _boxes(meta.get(b"iprp", nothing))
    known = [box for name, content in iprp if name == b"ipco" for box in _boxes(content)]
    if not known:
        return {}
    codec = [(name, content) for name, content in reversed(known) if name in (b"av1C", b"hvcC")]
    wanted = _main_item(meta[b"pitm"]) if b"pitm" in meta else -1
    lists = [associations(content) for name, content in iprp if name == b"ipma"]
    numbers = [number & 0x7FFF for part in lists for number in next((own for item, own in part if item == wanted), [])]
    own = [known[number - 1] for number in numbers if 0 < number <= len(known)]
    named = [(name, bytes(content)) for name, content in codec + own]
    return {name: content for name, content in named if name != b"colr" or content.startswith(b"nclx")}


def _boxes(data: memoryview) -> list[tuple[bytes, memoryview]]:
    """Name and content of each box."""
    return [(name, data[head:stop]) for name, _, head, stop in iter_boxes(data)]


def _main_item(content: memoryview) -> int:
    """The number of the file's main picture."""
    return int(struct.unpack_from(">H" if content[0] == 0 else ">I", content, 4)[0])
