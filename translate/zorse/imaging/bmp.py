"""BMP files that Pillow reads wrong or not at all, written anew as BMPs that it reads right.

Pillow shifts 4-bit run lengths by a pixel after an odd number of single ones (OpenCV is wrong after jumps), takes very
long for long rows of 8-bit ones, and knows few of the ways to spread colours over 16 and 32 bits.

Source: Microsoft, BITMAPINFOHEADER, BITMAPV5HEADER and "Bitmap Compression" in the Windows documentation.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from zorse.imaging.structure import StructureError

_RLE8, _RLE4, _BITFIELDS = 1, 2, 3
_KNOWN_MASKS = {
    (0xF800, 0x7E0, 0x1F, 0),
    (0x7C00, 0x3E0, 0x1F, 0),
    (0xFF0000, 0xFF00, 0xFF, 0),
    (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
}
"""Red, green, blue and alpha, of those layouts that Pillow reads."""
_MOST_RUNS = 4_000_000
"""Each takes a microsecond or two."""
_BGR = (0xFF0000, 0xFF00, 0xFF)
_V3_HEADER = 56
"""Bytes of the first header that has a mask for alpha."""


def plain_bmp(data: bytes, max_pixels: int | None) -> bytes | None:
    """The same picture as a BMP that Pillow reads; None where it reads the file itself, or the file is not such a BMP.

    Args:
        data: the content of the file.
        max_pixels: files with more are left as they are; None for no limit.

    Raises:
        StructureError: it would take too long.
    """
    try:
        start, size, width, height, _, bits, method = struct.unpack_from("<IIiiHHI", data, 10)
    except struct.error:
        return None
    rows = abs(height)
    is_wide = max_pixels is not None and width * rows > max_pixels
    if not data.startswith(b"BM") or size < 40 or width <= 0 or not rows or is_wide:
        return None
    if (method, bits) in ((_RLE4, 4), (_RLE8, 8)):
        numbers = _run_lengths(data[start:], width, rows, bits)
        return _bmp(data, height, 8, data[14 + size : start], numbers.tobytes())
    if method == _BITFIELDS and bits in (16, 32):
        return _bitfields(data, start, size, width, height, bits)
    return None


def _run_lengths(data: bytes, width: int, height: int, bits: int) -> NDArray[np.uint8]:
    """Colour numbers, (height, width padded to 4), the lowest row first; 0 where the file says nothing."""
    numbers = np.zeros((height, -(-width // 4) * 4), np.uint8)
    x = y = place = runs = 0
    while place + 1 < len(data) and y < height:
        runs += 1
        if runs > _MOST_RUNS:
            raise StructureError(f"is a BMP of more than {_MOST_RUNS} runs of colours. Save it as PNG.")
        count, value = data[place], data[place + 1]
        place += 2
        if count:  # one colour, or two in turn
            row = numbers[y, x : min(x + count, width)]
            row[0::2], row[1::2] = (value >> 4, value & 15) if bits == 4 else (value, value)
            x += count
        elif value == 0:  # end of the row
            x, y = 0, y + 1
        elif value == 1:  # end of the picture
            break
        elif value == 2:  # jump
            x, y = x + sum(data[place : place + 1]), y + sum(data[place + 1 : place + 2])
            place += 2
        else:  # single pixels, in words of 16 bits
            size = (value * bits + 7) // 8
            single = np.frombuffer(data[place : place + size], np.uint8)
            if bits == 4:
                single = np.stack([single >> 4, single & 15], axis=1).ravel()[:value]
            row = numbers[y, x : min(x + len(single), width)]
            row[:] = single[: len(row)]
            x += value
            place += size + size % 2
    return numbers


def _bitfields(data: bytes, start: int, size: int, width: int, height: int, bits: int) -> bytes | None:
    """Pixels as 8 bits of blue, green, red and alpha each; None where Pillow reads them, or some are missing."""
    stride = -(-width * bits // 32) * 4
    red, green, blue, alpha = struct.unpack("<4I", data[54:70].ljust(16, b"\0"))
    alpha = alpha if size >= _V3_HEADER else 0
    if len(data) < start + stride * abs(height) or (red, green, blue, alpha) in _KNOWN_MASKS:
        return None
    stored = np.frombuffer(data, f"<u{bits // 8}", stride * abs(height) * 8 // bits, start)
    pixels = stored.reshape(abs(height), -1)[:, :width]
    channels = [_channel(pixels, mask) for mask in (blue, green, red)]
    # Without a mask for it there is no alpha: the picture is opaque.
    channels.append(_channel(pixels, alpha) if alpha else np.full_like(channels[0], 255))
    masks = (*_BGR, 0xFF000000 if alpha else 0)
    return _bmp(data, height, 32, b"", np.stack(channels, axis=2).tobytes(), masks)


def _channel(pixels: NDArray[np.unsignedinteger], mask: int) -> NDArray[np.uint8]:
    """What lies under a mask, over the full range of 8 bits."""
    if not mask:
        return np.zeros(pixels.shape, np.uint8)
    lowest = (mask & -mask).bit_length() - 1
    values = (pixels.astype(np.uint32) & np.uint32(mask)) >> np.uint32(lowest)
    return np.asarray(np.rint(values * (255 / (mask >> lowest))), dtype=np.uint8)


def _bmp(data: bytes, height: int, bits: int, palette: bytes, pixels: bytes, masks: tuple[int, ...] = ()) -> bytes:
    """The file's header with other pixels."""
    (width,) = struct.unpack_from("<i", data, 18)
    resolution = data[38:46]
    size = _V3_HEADER if masks else 40
    start = 14 + size + len(palette)
    method = _BITFIELDS if masks else 0
    head = struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    info = struct.pack("<IiiHHII", size, width, height, 1, bits, method, len(pixels)) + resolution
    info += struct.pack("<II", len(palette) // 4, 0) + struct.pack(f"<{len(masks)}I", *masks)
    return b"BM" + head + info + palette + pixels
