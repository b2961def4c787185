"""TIFF files of one or several pages, 8 or 16 bits per channel, with all metadata.

Pillow has no 16-bit colour, and OpenCV no metadata: OpenCV compresses the pixels, and Pillow writes the directories.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import cv2
from PIL import Image, TiffImagePlugin, TiffTags

from zorse.imaging import iptc
from zorse.imaging.deep import encode
from zorse.imaging.limits import own_limits
from zorse.imaging.picture import Pixels

_NONE, _LZW, _DEFLATE, _PACKBITS = 1, 5, 8, 32773
"""TIFF's numbers of the compressions that OpenCV writes in every depth."""

_UNASSOCIATED_ALPHA = 2
"""Value of the tag ExtraSamples: the colours are not multiplied with the alpha."""

_HEADER = b"II*\0"


@dataclass(frozen=True)
class Page:
    """One picture of a TIFF."""

    rgb: Pixels
    """(H, W, 3), uint8 or uint16."""
    alpha: Pixels | None = None
    """(H, W) of the same dtype."""
    tags: dict[int, Any] = field(default_factory=dict)
    """Metadata by number; groups (EXIF, GPS) are dicts."""
    compression: int | None = None
    """TIFF's number; deflate stands in for what is not written (JPEG, fax)."""


def encode_tiff(pages: Sequence[Page]) -> bytes:
    """The content of a TIFF file.

    Raises:
        ImageError: a page cannot be written.
    """
    content = bytearray(_HEADER + b"\0\0\0\0")
    link = 4  # where the position of the next directory is noted
    for page in pages:
        directory, strips = _page(page)
        start = len(content)
        content[link : link + 4] = start.to_bytes(4, "little")
        link = start + 2 + 12 * len(directory)
        written = directory.tobytes(start)
        if iptc.TIFF_TAG in directory:
            written = iptc.as_numbers(written, directory[iptc.TIFF_TAG])
        content += written + strips
        content += b"\0" * (len(content) % 2)
    return bytes(content)


def _page(page: Page) -> tuple[TiffImagePlugin.ImageFileDirectory_v2, bytes]:
    """The page's directory, whose strip positions count from the first strip, and its strips."""
    method = page.compression if page.compression in (_NONE, _LZW, _PACKBITS) else _DEFLATE
    data = encode(".tif", page.rgb, page.alpha, [cv2.IMWRITE_TIFF_COMPRESSION, method])
    directory = TiffImagePlugin.ImageFileDirectory_v2(_HEADER + b"\0\0\0\0")
    for tag, value in page.tags.items():
        directory[tag] = value
    with own_limits(), Image.open(io.BytesIO(data)) as image:
        own = image.tag_v2  # type: ignore[attr-defined]  # a TiffImageFile
        for tag in own:
            directory[tag] = own[tag]
    if page.alpha is not None:
        directory[TiffImagePlugin.EXTRASAMPLES] = _UNASSOCIATED_ALPHA
    sizes = own[TiffImagePlugin.STRIPBYTECOUNTS]
    strips = [data[start : start + size] for start, size in zip(own[TiffImagePlugin.STRIPOFFSETS], sizes, strict=True)]
    directory.tagtype[TiffImagePlugin.STRIPOFFSETS] = TiffTags.LONG
    directory[TiffImagePlugin.STRIPOFFSETS] = tuple(accumulate(sizes[:-1], initial=0))
    return directory, b"".join(strips)
