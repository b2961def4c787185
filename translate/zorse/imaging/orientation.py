"""EXIF orientation: pixels as a file stores them, and upright as people see them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zorse.imaging.metadata import with_orientation
from zorse.imaging.picture import Picture


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Applies EXIF orientation 1..8 to (H, W, ...) pixels; other values mean upright."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def as_stored(picture: Picture) -> Picture:
    """The picture turned back to how its file stored it, with the orientation in its metadata again.

    Whoever reads the file sees what the input showed them, whether they apply the orientation or not: marks that were
    made on the input's pixels fit the result's.
    """
    if picture.orientation == 1:
        return picture
    back = {6: 8, 8: 6}.get(picture.orientation, picture.orientation)
    return replace(
        picture,
        rgb=upright(picture.rgb, back),
        alpha=None if picture.alpha is None else upright(picture.alpha, back),
        native=None if picture.native is None else upright(picture.native, back),
        metadata=with_orientation(picture.metadata, picture.orientation),
        orientation=1,
    )
