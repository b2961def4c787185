"""10 and 12 bits per channel of AVIF and HEIC, which Pillow reduces to 8."""

import io
from importlib import import_module
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zorse.imaging.boxes import item_properties
from zorse.imaging.deep import Deep, quiet_opencv
from zorse.imaging.picture import Pixels

_HEIF_BITS = 10
"""Of a HEIC that is made from a picture of another format: HEVC's profile for them is the one that all viewers know."""

_CHROMA = {0b00: 0, 0b10: 1, 0b11: 2}
"""AV1's two flags, halved across and down, as `Encoding.subsampling`."""


def bits_per_channel(data: bytes) -> int:
    """Of the main picture of an AVIF or HEIC file; 8 where it does not say."""
    properties = item_properties(data)
    if len(av1 := properties.get(b"av1C", b"")) > 2:
        return {0: 8, 0b01: 8, 0b10: 10, 0b11: 12}[av1[2] >> 5 & 0b11]
    if len(hevc := properties.get(b"hvcC", b"")) > 17:
        return 8 + (hevc[17] & 0b111)
    return max(properties.get(b"pixi", b"")[5:], default=8)


def subsampling(data: bytes) -> int:
    """Of the colour of an AVIF or HEIC file's main picture, as in `Encoding`."""
    properties = item_properties(data)
    if len(av1 := properties.get(b"av1C", b"")) > 2:
        return -1 if av1[2] & 0b10000 else _CHROMA.get(av1[2] >> 2 & 0b11, -1)
    if len(hevc := properties.get(b"hvcC", b"")) > 16:
        return {3: 0, 2: 1, 1: 2}.get(hevc[16] & 0b11, -1)
    return -1


def decode_deep_heif(image: Image.Image, data: bytes) -> Deep | None:
    """16-bit colour, and alpha, of a still AVIF or HEIC of more than 8 bits; None where only 8 can be read.

    Args:
        image: the opened file.
        data: its content.
    """
    if image.format not in ("AVIF", "HEIF") or getattr(image, "n_frames", 1) > 1:
        return None
    bits = bits_per_channel(data)
    if bits <= 8:
        return None
    pixels = _avif(data) if image.format == "AVIF" else _heif(data, 16 - bits)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[1::-1] != image.size:
        return None
    pixels = _stretched(pixels, bits)
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2), None
    if pixels.shape[2] == 2:
        return np.repeat(pixels[:, :, :1], 3, axis=2), pixels[:, :, 1]
    return np.ascontiguousarray(pixels[:, :, :3]), pixels[:, :, 3] if pixels.shape[2] == 4 else None


def encode_deep_heif(rgb: Pixels, alpha: Pixels | None, bits: int, options: dict[str, Any]) -> bytes:
    """A HEIC of 10 or 12 bits per channel.

    Args:
        rgb: (H, W, 3) uint16.
        alpha: (H, W) uint16 or None.
        bits: of the file that the picture was read from.
        options: metadata and compression, as for Pillow's `Image.save`.
    """
    bits = deep_heif_bits(bits)
    pixels = rgb if alpha is None else np.dstack([rgb, alpha])
    most = 2**bits - 1
    levels = ((pixels.astype(np.uint32) * most + 32767) // 65535).astype(np.uint16) << np.uint16(16 - bits)
    mode = "RGB;16" if alpha is None else "RGBA;16"
    file = import_module("pillow_heif").from_bytes(mode, (rgb.shape[1], rgb.shape[0]), levels.tobytes())
    buffer = io.BytesIO()
    file.save(buffer, bit_depth=bits, **options)
    return buffer.getvalue()


def deep_heif_bits(bits: int) -> int:
    """Bits per channel of the HEIC that a 16-bit picture becomes, from those of its own file."""
    return bits if bits in (10, 12) else _HEIF_BITS


def _avif(data: bytes) -> NDArray[Any] | None:
    """Levels from 0 on, as the file holds them."""
    with quiet_opencv():
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim == 2:
        return pixels
    order = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, order))


def _heif(data: bytes, shift: int) -> NDArray[Any]:
    """Levels from 0 on; pillow-heif gives them as the upper of 16 bits."""
    file = import_module("pillow_heif").open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=True)
    levels = np.asarray(file)
    return levels >> np.uint16(shift) if levels.dtype == np.uint16 else levels


def _stretched(levels: NDArray[np.uint16], bits: int) -> NDArray[np.uint16]:
    """0 to 2^bits - 1 -> 0 to 65535."""
    most = 2**bits - 1
    return np.asarray((levels.astype(np.uint32) * 65535 + most // 2) // most, dtype=np.uint16)
