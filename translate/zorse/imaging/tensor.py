"""Pixels <-> tensors: value range, layout, padding, sizes.

Pixels are (H, W, C) of uint8 or uint16; tensors are (N, C, H, W) of float32 in [-1, 1].
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from zorse.imaging.io import Pixels

Tensor = NDArray[np.float32]


def to_tensor(pixels: Pixels) -> Tensor:
    """(H, W, C) uint8 or uint16 -> (1, C, H, W) float32; 0 is -1 and the dtype's largest value is 1."""
    half = np.float32(np.iinfo(pixels.dtype).max / 2)
    values = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)
    values /= half
    values -= 1
    return values


def to_pixels(tensor: Tensor, dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    """(1, C, H, W) float32 -> (H, W, C) of an unsigned integer dtype, clipped and rounded to the nearest level.

    The inverse of `to_tensor`: every level of uint8 and uint16 comes back as it was.
    """
    half = np.float32(np.iinfo(dtype).max / 2)
    values = np.clip(tensor[0].transpose(1, 2, 0), -1, 1)
    values += 1
    values *= half
    return np.ascontiguousarray(np.rint(values, out=values).astype(dtype))


def to_range(tensor: Tensor, value_range: tuple[float, float]) -> Tensor:
    """From [-1, 1] to (lowest, highest): to what a network works with. The same tensor where that is [-1, 1]."""
    if value_range == (-1, 1):
        return tensor
    centre, half = centre_and_half(value_range)
    return tensor * np.float32(half) + np.float32(centre)


def from_range(tensor: Tensor, value_range: tuple[float, float]) -> Tensor:
    """The inverse of `to_range`."""
    if value_range == (-1, 1):
        return tensor
    centre, half = centre_and_half(value_range)
    return (tensor - np.float32(centre)) / np.float32(half)


def centre_and_half(value_range: tuple[float, float]) -> tuple[float, float]:
    """The middle of a range, and half its width."""
    lowest, highest = value_range
    return (lowest + highest) / 2, (highest - lowest) / 2


def padded_places(side: int, multiple: int, minimum: int = 1) -> NDArray[np.intp]:
    """What each place of an axis shows that is padded at its end to a multiple of `multiple`, and at least `minimum`.

    The picture is mirrored (reflect, without repeating the border) where it is larger than the padding; a smaller one
    repeats its last row or column. `crop` undoes it.

    Args:
        side: of the picture, in places; the padded axis shows places 0 to side - 1.
        multiple: of which the padded side is one.
        minimum: least length of the padded side.
    """
    padding = -(-max(side, minimum) // multiple) * multiple - side
    return np.pad(np.arange(side), (0, padding), mode="reflect" if padding < side else "edge")


def crop(tensor: Tensor, height: int, width: int) -> Tensor:
    """The top left `height` x `width` pixels."""
    return tensor[:, :, :height, :width]


def resize(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """(H, W) or (H, W, C) of any real dtype -> (height, width[, C]): area average downwards, bicubic upwards.

    Raises:
        MemoryError: there is not enough for the result.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    # cv2 averages areas per axis: a side that grows would be repeated in blocks, so each axis gets its own pass.
    for axis, side in ((0, height), (1, width)):
        if side == pixels.shape[axis]:
            continue
        size = (pixels.shape[1], side) if axis == 0 else (side, pixels.shape[0])
        way = cv2.INTER_AREA if side < pixels.shape[axis] else cv2.INTER_CUBIC
        channels = pixels.shape[2:]
        try:
            pixels = cv2.resize(pixels, size, interpolation=way).reshape(size[1], size[0], *channels)
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem:
                raise MemoryError(str(error)) from error
            raise
    return pixels
