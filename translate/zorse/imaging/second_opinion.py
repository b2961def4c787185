"""OpenCV's opinion of what Pillow has decoded, for files that nobody vouches for."""

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from zorse.imaging.deep import quiet_opencv
from zorse.imaging.tiff_structure import LOSSLESS

_ROWS = 16

_SIXTEEN_BITS = b"\x10\0"
"""Bits per pixel in the head of a BMP: Pillow spreads 5 and 6 bits over 8, OpenCV shifts them."""


def is_confirmed(image: Image.Image, data: bytes, orientation: int) -> bool:
    """Whether OpenCV reads the same size and, in some rows, the same pixels of the first page.

    It is asked about opaque TIFFs and BMPs of 8 bits alone, and its silence is taken for consent: of transparent,
    turned, paletted and lossy ones it makes other pixels, or none.

    Args:
        image: decoded by Pillow.
        data: the content of the file.
        orientation: EXIF's, that the file names.
    """
    if image.format not in ("TIFF", "BMP") or image.mode not in ("L", "RGB") or orientation != 1:
        return True
    if image.format == "BMP" and data[28:30] == _SIXTEEN_BITS:
        return True
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        if image.tell() or tags.get(TiffImagePlugin.COMPRESSION, 1) not in LOSSLESS:
            return True
        if max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) != 8:
            return True
    with quiet_opencv():
        other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if other is None or other.dtype != np.uint8:
        return True
    if other.shape[1::-1] != image.size:
        return False
    seen = np.atleast_3d(other)[:, :, 2::-1]
    rows = np.linspace(0, image.height - 1, min(image.height, _ROWS)).astype(int)
    crops = (np.atleast_3d(np.asarray(image.crop((0, row, image.width, row + 1))))[0] for row in rows)
    return all(np.array_equal(seen[row], crop) for row, crop in zip(rows, crops, strict=True))
