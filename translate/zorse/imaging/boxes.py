"""What the boxes of an AVIF or HEIC file say about its main picture, which Pillow does not tell.

Source: ISO/IEC 14496-12 (boxes) and ISO/IEC 23008-12 (items and their properties).
"""

import struct
from collections.abc import Iterator


def item_properties(data: bytes) -> dict[bytes, bytes]:
    """Content of each property of the main picture, by its four letters; a `colr` with an ICC profile is left out.

    The configuration of the codec (`av1C`, `hvcC`) is that of the first tile where the picture is made of tiles. Empty
    where the file holds none, or is damaged.
    """
    try:
        return _properties(memoryview(data))
    except (struct.error, IndexError):
        return {}


def _properties(data: memoryview) -> dict[bytes, bytes]:
    nothing = memoryview(b"")
    meta = dict(_boxes(dict(_boxes(data)).get(b"meta", nothing)[4:]))
    iprp = list(_boxes(meta.get(b"iprp", nothing)))
    known = [box for name, content in iprp if name == b"ipco" for box in _boxes(content)]
    if not known:
        return {}
    codec = [(name, content) for name, content in reversed(known) if name in (b"av1C", b"hvcC")]
    wanted = _main_item(meta[b"pitm"]) if b"pitm" in meta else -1
    numbers = [number for name, content in iprp if name == b"ipma" for number in _numbers(content, wanted)]
    own = [known[number - 1] for number in numbers if 0 < number <= len(known)]
    named = [(name, bytes(content)) for name, content in codec + own]
    return {name: content for name, content in named if name != b"colr" or content.startswith(b"nclx")}


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Name and content of each box."""
    position = 0
    while position + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        head = 8
        if size == 1:
            head, size = 16, struct.unpack_from(">Q", data, position + 8)[0]
        size = len(data) - position if size == 0 else size
        if size < head:
            return
        yield name, data[position + head : position + size]
        position += size


def _main_item(content: memoryview) -> int:
    """The number of the file's main picture."""
    return int(struct.unpack_from(">H" if content[0] == 0 else ">I", content, 4)[0])


def _numbers(content: memoryview, wanted: int) -> list[int]:
    """An `ipma` box -> the properties of an item, counted from 1."""
    form = ">I" if content[0] else ">H"
    is_wide = content[3] & 1
    (items,) = struct.unpack_from(">I", content, 4)
    position = 8
    for _ in range(items):
        (item,) = struct.unpack_from(form, content, position)
        position += struct.calcsize(form)
        count = content[position]
        entries = struct.unpack_from(f">{count}{'H' if is_wide else 'B'}", content, position + 1)
        position += 1 + count * (1 + is_wide)
        if item == wanted:
            return [entry & (0x7FFF if is_wide else 0x7F) for entry in entries]
    return []
