"""PNG: what Pillow and libpng leave undone, bounds of texts and transparent greys of few bits."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

MAX_TEXT = 64 * 2**20
"""Bytes of all texts and profiles of a PNG, unpacked. Longer ones are left out: a small file can unfold to more than
the memory holds."""

_PNG = b"\x89PNG\r\n\x1a\n"
HEAD = 33
"""Bytes of signature and first chunk (IHDR)."""
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_EACH = 4096
"""Bytes that a text costs beside its own: a file may hold millions of them."""
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk."""
    place = len(_PNG)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        yield data[place + 4 : place + 8], place, end
        place = end


def bit_depth(data: bytes) -> int:
    """Of a PNG."""
    return data[24]  # after signature (8), chunk head (8), width and height (8)


def without_long_texts(data: bytes) -> tuple[bytes, bool]:
    """A PNG without the texts that go beyond `MAX_TEXT`, and whether there are such; other files as they are."""
    if not data.startswith(_PNG):
        return data, False
    left, work, kept, start = MAX_TEXT, 2 * MAX_TEXT, [], 0
    for name, place, end in chunks(data):
        if name not in _TEXTS:
            continue
        limit = min(left, work)  # what is left out costs work, too
        size = _unpacked(name, data[place + 8 : end - 4], limit)
        work = max(0, work - size - _EACH)
        if size <= limit:
            left -= size
        else:
            kept.append(data[start:place])
            start = end
    return (b"".join([*kept, data[start:]]), True) if kept else (data, False)


def scale_transparency(image: Image.Image, data: bytes) -> None:
    """Puts the transparent colour of a PNG, which is in the file's depth, into the depth of Pillow's pixels.

    Args:
        image: the decoded PNG; its `info["transparency"]` is changed.
        data: content of the file.
    """
    if "transparency" not in image.info or image.mode not in ("1", "L", "RGB"):
        return
    most = 2 ** bit_depth(data) - 1
    content = next((data[start + 8 : end - 4] for name, start, end in chunks(data) if name == b"tRNS"), b"")
    levels = [level & most for level in struct.unpack(f">{len(content) // 2}H", content[: len(content) // 2 * 2])]
    if image.mode == "RGB" and len(levels) >= 3 and most == 255:
        image.info["transparency"] = tuple(levels[:3])
    elif image.mode != "RGB" and levels:
        image.info["transparency"] = levels[0] * 255 // most


def pixels_only(data: bytes) -> bytes:
    """A PNG without everything beside its pixels: libpng prints what it thinks of the rest.

    Raises:
        ValueError: the check sum of a chunk is wrong, or the file ends too early.
    """
    kept, is_plain = [data[: len(_PNG)]], True
    for name, start, end in chunks(data):
        if name not in _PIXELS:
            is_plain = False
            continue
        if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise ValueError(f"the check sum of its {name.decode()} is wrong")
        kept.append(data[start:end])
        if name == b"IEND":
            return data if is_plain else b"".join(kept)
    raise ValueError("it ends too early")


def _unpacked(name: bytes, content: bytes, limit: int) -> int:
    """Bytes of a text, counted up to one more than the limit."""
    packed = _packed(name, content)
    if packed is None:
        return len(content)
    unfolding, size = zlib.decompressobj(), 0
    try:
        while packed and size <= limit:
            size += len(unfolding.decompress(packed, min(2**20, limit - size + 1)))
            packed = unfolding.unconsumed_tail
    except zlib.error:  # Pillow leaves it out
        pass
    return size


def _packed(name: bytes, content: bytes) -> bytes | None:
    """The packed part of a chunk; None where nothing is packed."""
    if name == b"tEXt":
        return None
    _, _, rest = content.partition(b"\0")
    if name != b"iTXt":
        return rest[1:]
    if rest[:1] != b"\1":
        return None
    return rest[2:].split(b"\0", 2)[-1]
