"""Batches of pictures that are looked up by number: order, mirroring and companions, whatever they are read from."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from zorse.data.chance import Chance, Purpose
from zorse.gans.data.batch import SampleBatch, to_pictures
from zorse.gans.data.companions import Pixels, SameClass, second_domain
from zorse.gans.data.config import Companion


class PixelBatches:
    """Makes batches.

    Args:
        read: gives picture number i, (H, W, C) uint8.
        name: names picture number i.
        labels: (N,) of all pictures.
        class_names: what they stand for.
        companion: what comes with each sample.
        flip: mirror with probability 0.5.
        chance: of the order and everything else.
    """

    def __init__(
        self,
        read: Callable[[int], Pixels],
        name: Callable[[int], str],
        labels: NDArray[np.int64],
        class_names: tuple[str, ...],
        companion: Companion,
        flip: bool,
        chance: Chance,
    ) -> None:
        self._read, self._name, self._labels = read, name, labels
        self._companion, self._flip, self._chance = companion, flip, chance
        self._same_class = SameClass(labels, class_names) if companion == "same_class" else None

    def batch(self, first: int, n: int) -> SampleBatch:
        """Samples number `first` to `first + n - 1`."""
        total = len(self._labels)
        numbers = range(first, first + n)
        chosen = [self._chance.index(Purpose.ORDER_A, number, total) for number in numbers]
        batch = SampleBatch(
            x=self._stacked([self._seen(i, k, Purpose.CROP_A) for i, k in zip(chosen, numbers, strict=True)]),
            label=torch.from_numpy(self._labels[chosen]),
            path_x=[self._name(index) for index in chosen],
        )
        if self._companion != "none":
            batch["y"] = self._stacked([self._other(i, k) for i, k in zip(chosen, numbers, strict=True)])
        return batch

    def _other(self, index: int, number: int) -> Pixels:
        if self._same_class is not None:
            other = self._same_class.of(index, self._chance.rng(Purpose.ORDER_B, number))
            return self._seen(other, number, Purpose.CROP_B)
        # Whichever comes next in an order of its own: CoGAN's domains share no pairs.
        other = self._chance.index(Purpose.ORDER_B, number, len(self._labels))
        return second_domain(self._seen(other, number, Purpose.CROP_B), self._companion)

    def _seen(self, index: int, number: int, purpose: Purpose) -> Pixels:
        pixels = self._read(index)
        return pixels[:, ::-1] if self._flip and self._chance.rng(purpose, number).random() < 0.5 else pixels

    @staticmethod
    def _stacked(pixels: Sequence[Pixels]) -> torch.Tensor:
        return to_pictures(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))
