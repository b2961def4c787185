"""What all TIFFs share, and some of it EXIF blocks. Source: TIFF 6.0, section 2."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

SIGNATURES = (b"II*\0", b"MM\0*")
"""Begin of TIFFs that count in 4 bytes."""

TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value of each type."""

MOST_TAGS = 4096
"""Of a directory that is read. Writers need a hundred."""

_SEPARATE = 2


@dataclass(frozen=True)
class Pieces:
    """Where the strips or tiles of a page lie in the file, (pieces,) int64 each, plane by plane, row by row."""

    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    """In bytes."""


def is_planar(tags: Any) -> bool:
    """Whether a page's tags say that its channels lie apart."""
    return bool(
        tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == _SEPARATE and tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1) > 1
    )
