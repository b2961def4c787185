"""Bits per channel that a file has and Zorse does not read or a format does not hold: never lost in silence."""

from collections.abc import Iterable

import numpy as np
from PIL import Image, TiffImagePlugin

from zorse.imaging.deep_heif import bits_per_channel, deep_heif_bits
from zorse.imaging.formats import format_name
from zorse.imaging.picture import Note, Picture, Pixels


def reading_loss(image: Image.Image, data: bytes | None, pixels: Pixels) -> Note | None:
    """Says that a file was read with fewer bits than it has; None where that is not so.

    Args:
        image: decoded.
        data: the file's content; None for an image that was made in memory.
        pixels: as they were read.
    """
    bits = 8 if data is None or pixels.dtype != np.uint8 else _stored_bits(image, data)
    if bits <= 8:
        return None
    return Note("converted", f"{bits} bits per channel", f"The file has {bits} bits per channel, of which 8 are read.")


def depth_loss(picture: Picture, format: str, *, frames: int = 1) -> Note | None:
    """Says that a format holds fewer bits than the picture has; None where it holds all.

    Args:
        picture: as it was read and translated.
        format: Pillow's name of the format to be written.
        frames: to be written; a moving HEIC, AVIF or WebP has 8 bits.
    """
    if picture.rgb.dtype == np.uint8:
        return None
    bits = picture.encoding.bits if picture.encoding.bits > 8 else 16
    held = 16 if format in ("PNG", "TIFF") else deep_heif_bits(bits) if format == "HEIF" and frames == 1 else 8
    if held >= bits:
        return None
    what = f"{bits} bits per channel"
    return Note("converted", what, f"{what} become {held}: Zorse writes {format_name(format)} with at most {held}.")


def _stored_bits(image: Image.Image, data: bytes) -> int:
    if image.format in ("AVIF", "HEIF"):
        return bits_per_channel(data)
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (8,))
    return max(bits) if isinstance(bits, Iterable) else int(bits)
