"""TIFFs of 16 bits whose channels lie apart (PlanarConfiguration 2), which neither Pillow nor OpenCV reads right.

Both read grey in 16 bits: each channel is read as a grey picture of its own, from a directory that names its strips.
"""

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from zorse.imaging.tiff_types import SIGNATURES

_SEPARATE = 2
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
_BLACK_IS_ZERO = 1


def is_planar(tags: Any) -> bool:
    """Whether a page's tags say that its channels lie apart."""
    return bool(
        tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == _SEPARATE and tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1) > 1
    )


def decode_planes(data: bytes, tags: Any) -> NDArray[np.uint16]:
    """The channels of a planar page of 16 bits per channel.

    Args:
        data: the content of the file.
        tags: of the page.

    Returns:
        (H, W, channels), upright.

    Raises:
        OSError: a channel is damaged.
        ValueError: the tags do not fit each other.
        KeyError: one is missing, or the file is a BigTIFF.
    """
    if not data.startswith(SIGNATURES):
        raise KeyError("BigTIFF")
    count = tags[TiffImagePlugin.SAMPLESPERPIXEL]
    place_tag, size_tag = TiffImagePlugin.STRIPOFFSETS, TiffImagePlugin.STRIPBYTECOUNTS
    if TiffImagePlugin.TILEOFFSETS in tags:
        place_tag, size_tag = TiffImagePlugin.TILEOFFSETS, TiffImagePlugin.TILEBYTECOUNTS
    places, sizes = tags[place_tag], tags[size_tag]
    if len(places) != len(sizes) or len(places) % count:
        raise ValueError("its channels are not stored alike")
    each = len(places) // count
    shared = {tag: tags[tag] for tag in _LAYOUT if tag in tags}
    planes = []
    for channel in range(count):
        part = slice(channel * each, (channel + 1) * each)
        planes.append(_grey(data, shared | {place_tag: places[part], size_tag: sizes[part]}))
    return np.stack(planes, axis=2)


def _grey(data: bytes, tags: dict[int, Any]) -> NDArray[np.uint16]:
    """One channel: the file's strips under a directory of its own."""
    tags = tags | {
        TiffImagePlugin.BITSPERSAMPLE: 16,
        TiffImagePlugin.SAMPLESPERPIXEL: 1,
        TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: _BLACK_IS_ZERO,
    }
    order = "<" if data.startswith(b"II") else ">"
    start = len(data) + len(data) % 2
    end = start + 2 + 12 * len(tags) + 4
    entries, lists = b"", b""
    for tag, value in sorted(tags.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            packed, lists = struct.pack(f"{order}I", end + len(lists)), lists + packed
        entries += struct.pack(f"{order}HHI", tag, _LONG, len(numbers)) + packed
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + lists
    head = data[:4] + struct.pack(f"{order}I", start)
    stream = io.BytesIO(head + data[8:].ljust(start - 8, b"\0") + directory)
    with TiffImagePlugin.TiffImageFile(stream) as image:
        image.load()
        return np.asarray(image).astype(np.uint16)
