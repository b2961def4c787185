"""All chance of a data set, drawn anew for each sample from the seed, the purpose and the sample's number."""

from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What chance decides; each purpose has a stream of its own, so that they do not depend on each other."""

    ORDER_A = 0
    ORDER_B = 1
    CROP_A = 2
    CROP_B = 3
    EDGES = 4


class Chance:
    """Random choices that depend on nothing but their arguments.

    Args:
        seed: >= 0.
        shuffle: whether the order within an epoch is random.
    """

    def __init__(self, seed: int, shuffle: bool) -> None:
        self._seed = seed
        self._shuffle = shuffle

    def rng(self, purpose: Purpose, number: int) -> np.random.Generator:
        """The generator for sample `number`."""
        return np.random.default_rng([self._seed, purpose, number])

    def index(self, purpose: Purpose, number: int, n: int) -> int:
        """Which of `n` pictures sample `number` shows: all of them once, in a new order, in every `n` samples."""
        epoch, position = divmod(number, n)
        return int(_permutation(self._seed, purpose, epoch, n)[position]) if self._shuffle else position


@lru_cache(maxsize=8)
def _permutation(seed: int, purpose: Purpose, epoch: int, n: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, purpose, epoch]).permutation(n)
