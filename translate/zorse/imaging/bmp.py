"""BMP files that Pillow reads wrong or not at all, written anew as BMPs that it reads right.

Pillow shifts 4-bit run lengths by a pixel after an odd number of single ones (OpenCV is wrong after jumps), and knows
few of the ways to spread colours over 16 and 32 bits.

Source: Microsoft, BITMAPINFOHEADER, BITMAPV5HEADER and "Bitmap Compression" in the Windows documentation.
"""

import struct

import numpy as np
from numpy.typing import NDArray

_RLE4, _BITFIELDS = 2, 3
_KNOWN_MASKS = {
    16: {(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)},
    24: {(0xFF0000, 0xFF00, 0xFF)},
    32: {(0xFF0000, 0xFF00, 0xFF)},
}
"""Red, green and blue of each number of bits, of those layouts that Pillow reads."""
_BGRA = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
_V3_HEADER = 56
"""Bytes of the first header that has a mask for alpha."""


def plain_bmp(data: bytes, max_pixels: int | None) -> bytes | None:
    """The same picture as a BMP that Pillow reads; None where it reads the file itself, or where it is no such file.

    Args:
        data: the content of the file.
        max_pixels: files with more are left as they are; None for no limit.
    """
    try:
        start, size, width, height, _, bits, method = struct.unpack_from("<IIiiHHI", data, 10)
    except struct.error:
        return None
    rows = abs(height)
    is_wide = max_pixels is not None and width * rows > max_pixels
    if not data.startswith(b"BM") or size < 40 or width <= 0 or not rows or is_wide:
        return None
    if method == _RLE4 and bits == 4:
        numbers = _run_lengths(data[start:], width, rows)
        return _bmp(data, height, 8, data[14 + size : start], numbers.tobytes())
    if method == _BITFIELDS and bits in (16, 32):
        return _bitfields(data, start, size, width, height, bits)
    return None


def _run_lengths(data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """4-bit colour numbers, (height, width padded to 4), the lowest row first; 0 where the file says nothing."""
    numbers = np.zeros((height, -(-width // 4) * 4), np.uint8)
    x = y = place = 0
    while place + 1 < len(data) and y < height:
        count, value = data[place], data[place + 1]
        place += 2
        if count:  # two colours in turn
            row = numbers[y, x : min(x + count, width)]
            row[0::2], row[1::2] = value >> 4, value & 15
            x += count
        elif value == 0:  # end of the row
            x, y = 0, y + 1
        elif value == 1:  # end of the picture
            break
        elif value == 2:  # jump
            x, y = x + data[place] if place < len(data) else x, y + (data[place + 1] if place + 1 < len(data) else 0)
            place += 2
        else:  # single pixels, in words of 16 bits
            packed = np.frombuffer(data[place : place + (value + 1) // 2], np.uint8)
            single = np.stack([packed >> 4, packed & 15], axis=1).ravel()[:value]
            row = numbers[y, x : min(x + len(single), width)]
            row[:] = single[: len(row)]
            x += value
            place += (value + 3) // 4 * 2
    return numbers


def _bitfields(data: bytes, start: int, size: int, width: int, height: int, bits: int) -> bytes | None:
    """Pixels as 8 bits of blue, green, red and alpha each."""
    masks = struct.unpack_from("<4I", data, 54) if size >= _V3_HEADER else (*struct.unpack_from("<3I", data, 54), 0)
    stride = -(-width * bits // 32) * 4
    if len(data) < start + stride * abs(height) or (not masks[3] and masks[:3] in _KNOWN_MASKS[bits]):
        return None
    stored = np.frombuffer(data, f"<u{bits // 8}", stride * abs(height) * 8 // bits, start)
    pixels = stored.reshape(abs(height), -1)[:, :width]
    # A picture without a mask for alpha is opaque.
    channels = [_channel(pixels, mask) for mask in (masks[2], masks[1], masks[0])]
    alpha = _channel(pixels, masks[3]) if masks[3] else np.full_like(channels[0], 255)
    return _bmp(data, height, 32, b"", np.stack([*channels, alpha], axis=2).tobytes(), _BGRA)


def _channel(pixels: NDArray[np.unsignedinteger], mask: int) -> NDArray[np.uint8]:
    """What lies under a mask, over the full range of 8 bits."""
    if not mask:
        return np.zeros(pixels.shape, np.uint8)
    lowest = (mask & -mask).bit_length() - 1
    values = (pixels.astype(np.uint32) & np.uint32(mask)) >> np.uint32(lowest)
    return np.rint(values * (255 / (mask >> lowest))).astype(np.uint8)


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
