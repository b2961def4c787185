"""Picture files as the RGB arrays that training works on."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zorse.errors import DatasetError, ImageError
from zorse.imaging import io

Picture = NDArray[np.uint8]
"""RGB picture: (height, width, 3), 0..255."""


SMALLEST = 8
"""Pixels that each side of a picture must have."""
MOST_ELONGATED = 8
"""How many times as long as the other a side may be."""


def decode(path: Path) -> Picture:
    """Read a picture upright, as 8-bit sRGB; what is transparent becomes white.

    Returns:
        (height, width, 3) uint8.

    Raises:
        DatasetError: the file is not a picture, or not all of one, or one too small or too long to learn from.
    """
    try:
        picture = io.read_picture(path)
    except ImageError as error:
        raise DatasetError(f"The data set holds a file that cannot be used. {error}") from error
    if not has_usable_shape(picture.width, picture.height):
        raise DatasetError(
            f"The data set holds a file that cannot be used: {path} is {picture.width} x {picture.height} pixels. "
            f"Wanted are at least {SMALLEST} pixels on each side, and one side at most {MOST_ELONGATED} times as "
            "long as the other. Remove or crop it."
        )
    return on_white(picture)


def has_usable_shape(width: int, height: int) -> bool:
    """Whether a picture of so many pixels is neither too small nor too long to learn from."""
    short, long = sorted((width, height))
    return short >= SMALLEST and long <= MOST_ELONGATED * short


def on_white(picture: io.Picture) -> Picture:
    """8-bit RGB; what is transparent becomes white."""
    rgb = io.to_uint8(picture.rgb)
    if picture.alpha is None:
        return rgb
    alpha = io.to_uint8(picture.alpha)[:, :, None].astype(np.uint16)
    return ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
