"""AB files: the two pictures of a pair side by side in one file, A left and B right (Isola et al. 2017)."""

import math
from pathlib import Path

import numpy as np

from zorse.data.decode import Picture
from zorse.errors import DatasetError

# Two pictures between 7:10 and 3:2, side by side. Wider would be a panorama, narrower an ordinary photo.
_NARROWEST, _WIDEST = 1.4, 3.0
_SAME_SHAPE = 1.05
"""How many times as long as the other, at the same height, a side of a pair may be that is resized to it."""


def split_ab(picture: Picture, path: Path) -> tuple[Picture, Picture]:
    """Left and right half of an AB file.

    Args:
        picture: (height, width, 3) uint8.
        path: the file it was read from, for the error message.

    Raises:
        DatasetError: the file cannot be two pictures side by side.
    """
    height, width = picture.shape[:2]
    if width % 2 or not _NARROWEST <= width / height <= _WIDEST:
        raise DatasetError(
            f"{path} should hold two pictures of the same size side by side, about twice as wide as high and of an "
            f"even width, but it is {width} x {height} pixels. If the two sides are separate files, put them into "
            "folders trainA and trainB; if these are photos whose edges are wanted, use kind 'edges'."
        )
    return picture[:, : width // 2], picture[:, width // 2 :]


def have_same_shape(size_a: tuple[int, int], size_b: tuple[int, int]) -> bool:
    """Whether pictures of these sizes, (height, width), lie on each other when one is resized to the other's size."""
    (height_a, width_a), (height_b, width_b) = size_a, size_b
    return abs(math.log((width_a * height_b) / (width_b * height_a))) < math.log(_SAME_SHAPE)


def check_sides(a: Picture, b: Picture, path_a: Path, path_b: Path) -> None:
    """See that the two sides of a pair, from a file each, fit each other.

    Raises:
        DatasetError: one is longer than the other.
    """
    if not have_same_shape(a.shape[:2], b.shape[:2]):
        raise DatasetError(
            f"The two sides of a pair must have the same shape, but {path_a} is {a.shape[1]} x {a.shape[0]} and "
            f"{path_b} is {b.shape[1]} x {b.shape[0]} pixels: one would be distorted to match the other. If they show "
            f"the same around the same middle, 'zorse data pair {path_a.parent} {path_b.parent} OUT/train --crop' cuts "
            "both to it and writes pairs to train on; else remove the pair."
        )


def join_ab(left: Picture, right: Picture) -> Picture:
    """Two pictures of the same size, (height, width, 3) uint8, side by side.

    What is longer than the sides of an AB file may be (7:10 to 3:2) is cut to its middle: training cuts squares anyway.
    """
    return np.hstack([_middle(left), _middle(right)])


def _middle(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    new_height, new_width = min(height, int(2 * width / _NARROWEST)), min(width, int(height * _WIDEST / 2))
    top, left = (height - new_height) // 2, (width - new_width) // 2
    return picture[top : top + new_height, left : left + new_width]
