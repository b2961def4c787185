"""Picture files as the RGB arrays that training works on."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zorse.errors import DatasetError, ImageError
from zorse.imaging.io import read_picture, to_uint8

Picture = NDArray[np.uint8]
"""RGB picture: (height, width, 3), 0..255."""


_SMALLEST, _MOST_ELONGATED = 8, 8


def decode(path: Path) -> Picture:
    """Read a picture upright, as 8-bit sRGB; what is transparent becomes white.

    Returns:
        (height, width, 3) uint8.

    Raises:
        DatasetError: the file is not a picture, or not all of one, or one too small or too long to learn from.
    """
    try:
        picture = read_picture(path)
    except ImageError as error:
        raise DatasetError(f"The data set holds a file that cannot be used. {error}") from error
    short, long = sorted((picture.height, picture.width))
    if short < _SMALLEST or long > _MOST_ELONGATED * short:
        raise DatasetError(
            f"The data set holds a file that cannot be used: {path} is {picture.width} x {picture.height} pixels. "
            f"Wanted are at least {_SMALLEST} pixels on each side, and one side at most {_MOST_ELONGATED} times as "
            "long as the other. Remove or crop it."
        )
    rgb = to_uint8(picture.rgb)
    if picture.alpha is None:
        return rgb
    alpha = to_uint8(picture.alpha)[:, :, None].astype(np.uint16)
    return ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
