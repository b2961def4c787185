"""TIFFs of 16 bits whose channels lie apart (PlanarConfiguration 2), which neither Pillow nor OpenCV reads right.

Both read grey in 16 bits: each channel is read as a grey picture of its own, from a directory that names its strips.
"""

import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from zorse.imaging.tiff_types import Pieces

_ORIENTATION = 274

_LAYOUT = (
    TiffImagePlugin.IMAGEWIDTH,
    TiffImagePlugin.IMAGELENGTH,
    TiffImagePlugin.COMPRESSION,
    TiffImagePlugin.FILLORDER,
    _ORIENTATION,
    TiffImagePlugin.ROWSPERSTRIP,
    TiffImagePlugin.PREDICTOR,
    TiffImagePlugin.TILEWIDTH,
    TiffImagePlugin.TILELENGTH,
)
"""Tags that say for all channels alike how they are stored."""

_LONG = 4
_HEAD = 8
"""Bytes of a TIFF before everything else."""
_BLACK_IS_ZERO = 1


def decode_planes(data: bytes, tags: Any, pieces: Pieces) -> NDArray[np.uint16]:
    """The channels of a planar page of 16 bits per channel.

    Args:
        data: the content of the file.
        tags: of the page.
        pieces: of the page, whose structure is sound.

    Returns:
        (H, W, channels), upright.

    Raises:
        OSError: a channel is damaged.
        KeyError: a tag is missing.
    """
    shared = {tag: tags[tag] for tag in _LAYOUT if tag in tags}
    channels = np.split(np.stack([pieces.offsets, pieces.sizes], axis=1), tags[TiffImagePlugin.SAMPLESPERPIXEL])
    planes = [_grey([data[start : start + size] for start, size in part], data[:2], shared) for part in channels]
    return np.stack(planes, axis=2)


def _grey(pieces: Sequence[bytes], byte_order: bytes, layout: dict[int, Any]) -> NDArray[np.uint16]:
    """One channel: its strips or tiles in a file of their own."""
    is_tiled = TiffImagePlugin.TILEWIDTH in layout
    places = np.cumsum([_HEAD, *map(len, pieces)])[:-1]
    tags = layout | {
        TiffImagePlugin.TILEOFFSETS if is_tiled else TiffImagePlugin.STRIPOFFSETS: tuple(places),
        TiffImagePlugin.TILEBYTECOUNTS if is_tiled else TiffImagePlugin.STRIPBYTECOUNTS: tuple(map(len, pieces)),
        TiffImagePlugin.BITSPERSAMPLE: 16,
        TiffImagePlugin.SAMPLESPERPIXEL: 1,
        TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: _BLACK_IS_ZERO,
    }
    order = "<" if byte_order == b"II" else ">"
    content = b"".join(pieces)
    start = _HEAD + len(content) + len(content) % 2
    end = start + 2 + 12 * len(tags) + 4
    entries, lists = b"", b""
    for tag, value in sorted(tags.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            packed, lists = struct.pack(f"{order}I", end + len(lists)), lists + packed
        entries += struct.pack(f"{order}HHI", tag, _LONG, len(numbers)) + packed
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + lists
    head = byte_order + struct.pack(f"{order}HI", 42, start)
    stream = io.BytesIO(head + content.ljust(start - _HEAD, b"\0") + directory)
    with TiffImagePlugin.TiffImageFile(stream) as image:
        image.load()
        return np.asarray(image).astype(np.uint16)
