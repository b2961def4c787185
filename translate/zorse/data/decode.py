"""Picture files as the RGB arrays that training works on, decoded when they are asked for or once for all."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.errors import DatasetError, ImageError
from zorse.imaging import io
from zorse.imaging.tensor import resize

Picture = NDArray[np.uint8]
"""RGB picture: (height, width, 3), 0..255."""
Read = Callable[[Path], Picture]

SMALLEST = 8
"""Pixels that each side of a picture must have."""


def decode(path: Path) -> Picture:
    """Read a picture upright, as 8-bit sRGB; what is transparent becomes white.

    Returns:
        (height, width, 3) uint8.

    Raises:
        DatasetError: the file is not a picture, or not all of one, or one too small to learn from.
    """
    try:
        picture = io.read_picture(path)
    except ImageError as error:
        raise DatasetError(f"The data set holds a file that cannot be used. {error}") from error
    if not has_usable_shape(picture.width, picture.height):
        raise DatasetError(
            f"The data set holds a file that cannot be used: {path} is {picture.width} x {picture.height} pixels. "
            f"Wanted are at least {SMALLEST} pixels on each side. Remove or enlarge it."
        )
    return io.on_white(picture)


def has_usable_shape(width: int, height: int) -> bool:
    """Whether a picture of so many pixels is not too small to learn from."""
    return min(width, height) >= SMALLEST


def resized(picture: Picture, height: int, width: int, *, is_label_map: bool) -> Picture:
    """A picture at another size: (height, width, 3) uint8; a label map keeps its colours."""
    if not is_label_map:
        return np.asarray(resize(picture, height, width), np.uint8)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def kept_in_memory(paths: Sequence[Path], largest: int | None, label_maps: Collection[Path] = ()) -> Read:
    """Decodes all pictures now, with all cores; gives what reads them from then on.

    Processes that are forked afterwards share the pixels.

    Args:
        paths: of the pictures.
        largest: short side, in pixels, beyond which pictures are shrunk to it, because nobody will want more of them;
            smaller ones stay as they are. None keeps all as they are.
        label_maps: those that keep their colours.

    Raises:
        DatasetError: a picture that cannot be used.
    """
    unique = list(dict.fromkeys(paths))

    def read(path: Path) -> Picture:
        picture = decode(path) if largest is None else _shrunk(decode(path), largest, path in label_maps)
        picture.flags.writeable = False  # All crops are cut from the same pixels.
        return picture

    with ThreadPoolExecutor() as pool:
        pictures = dict(zip(unique, pool.map(read, unique), strict=True))
    return pictures.__getitem__


def _shrunk(picture: Picture, largest: int, is_label_map: bool) -> Picture:
    height, width = picture.shape[:2]
    scale = largest / min(height, width)
    if scale >= 1:
        return np.ascontiguousarray(picture)
    return resized(picture, round(height * scale), round(width * scale), is_label_map=is_label_map)
