"""The pictures with which a file is compared with its network."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
from numpy.typing import NDArray

from zorse.imaging.tensor import Tensor, padded_places, resize, to_range, to_tensor
from zorse.model.card import ModelCard
from zorse.model.parity import PictureKind
from zorse.runtime.passes import MIN_SIDE

Batch = NDArray[np.uint8]
"""(N, H, W, C)."""


@dataclass(frozen=True)
class Case:
    """Pictures of one kind and size."""

    kind: PictureKind
    pixels: Batch


def sizes(card: ModelCard) -> list[tuple[int, int, int]]:
    """(batch, height, width) in pixels: the native square, and what breaks programs that were tried with that only."""
    native = card.native_size
    return [
        (1, native, native),
        (1, _odd(0.4 * native), _odd(0.6 * native)),
        (1, max(native // 4, 1), native),
        (3, max(native // 2, 1), max(native // 2, 1)),
        (1, native, 3),
        (2, 3, 5),
        (1, 1, 1),
    ]


def cases(card: ModelCard, real: Sequence[Batch]) -> Iterator[Case]:
    """Drawn pictures and noise of all sizes, and real ones of those in which something can be seen.

    Args:
        card: gives channels and native size.
        real: (1, H, W, C) of any sizes; may be empty.
    """
    for batch, height, width in sizes(card):
        shape = (batch, height, width, card.architecture.in_channels)
        random = np.random.default_rng(0)
        yield Case("drawn", drawn_pictures(random, shape))
        yield Case("noise", random.integers(0, 256, shape, dtype=np.uint8))
    seen = cycle(real)
    for batch, height, width in sizes(card) if real else []:
        if min(height, width) >= MIN_SIDE:
            yield Case("real", np.concatenate([filled(each, height, width) for each in islice(seen, batch)]))


def padded(pixels: Batch, card: ModelCard) -> Tensor:
    """What the network gets of pictures: (N, C, H', W') in its range, padded as Zorse's own runtime does it."""
    rows, columns = (padded_places(side, card.size_multiple, MIN_SIDE) for side in pixels.shape[1:3])
    shown = np.concatenate([to_tensor(picture[rows][:, columns]) for picture in pixels])
    return to_range(shown, card.value_range)


def filled(picture: Batch, height: int, width: int) -> Batch:
    """(1, H, W, C) -> (1, height, width, C): resized so that it covers that size, and cut around its middle."""
    pixels = picture[0]
    scale = max(height / pixels.shape[0], width / pixels.shape[1])
    down, across = (math.ceil(side * scale) for side in pixels.shape[:2])
    covering = resize(pixels, max(down, height), max(across, width))
    top, left = (covering.shape[0] - height) // 2, (covering.shape[1] - width) // 2
    return covering[None, top : top + height, left : left + width]


def drawn_pictures(random: np.random.Generator, shape: tuple[int, int, int, int]) -> Batch:
    """(N, H, W, C) uint8: overlapping rectangles of one colour or a gradient, on a gradient."""
    height, width = shape[1:3]
    pictures = np.empty(shape, np.uint8)
    for picture in pictures:
        _paint(picture, random)
        for _ in range(12):
            top, left = random.integers(height), random.integers(width)
            bottom, right = top + 1 + random.integers(height), left + 1 + random.integers(width)
            _paint(picture[top:bottom, left:right], random)
    return pictures


def _paint(area: NDArray[np.uint8], random: np.random.Generator) -> None:
    """Fills (h, w, C) with a gradient between two colours, from left to right; half of the time they are one."""
    _, width, channels = area.shape
    start = random.uniform(0, 255, channels)
    end = random.choice([start, random.uniform(0, 255, channels)])
    area[:] = np.rint(start + (end - start) * np.linspace(0, 1, width)[:, None])


def _odd(side: float) -> int:
    return 2 * int(side / 2) + 1
