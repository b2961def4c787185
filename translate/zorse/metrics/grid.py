"""Inputs and outputs side by side, for looking at."""

from collections.abc import Sequence

import numpy as np

from zorse.data.decode import Picture
from zorse.imaging.tensor import resize

TILE = 256
"""Side, in pixels, of the square that each picture is fitted into."""
COLUMNS = 4
N_SHOWN = 16
GAP = 16
"""Between examples, in pixels; the pictures of one example touch."""
PAPER = 255


def shown_numbers(n: int) -> frozenset[int]:
    """Which of n test pictures a grid shows: 16, spread evenly, whatever they look like."""
    return frozenset(round(float(number)) for number in np.linspace(0, n - 1, min(n, N_SHOWN)))


def grid(examples: Sequence[Sequence[Picture]]) -> Picture:
    """One picture of all examples, four in a row, each with its pictures from left to right.

    Args:
        examples: input, output and, in paired sets, truth of each, (H, W, 3) uint8; at least one example.
    """
    tiles = [np.hstack([_fitted(picture) for picture in example]) for example in examples]
    height, width = tiles[0].shape[:2]
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), PAPER, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = (number // columns) * (height + GAP), (number % columns) * (width + GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _fitted(picture: Picture) -> Picture:
    """The whole picture in the middle of a tile."""
    height, width = picture.shape[:2]
    scale = TILE / max(height, width)
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    tile = np.full((TILE, TILE, 3), PAPER, np.uint8)
    top, left = (TILE - height) // 2, (TILE - width) // 2
    tile[top : top + height, left : left + width] = resize(picture, height, width)
    return tile
