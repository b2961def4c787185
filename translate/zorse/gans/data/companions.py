"""What comes with a sample: another of its class, or a sample of a second domain that is made from the first one."""

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.errors import DatasetError
from zorse.gans.data.config import Companion

Pixels = NDArray[np.uint8]
"""(H, W, C)."""


class SameClass:
    """For each sample, others of its class.

    Args:
        labels: (N,) of all samples.
        class_names: for messages.

    Raises:
        DatasetError: a class with a single picture.
    """

    def __init__(self, labels: NDArray[np.int64], class_names: tuple[str, ...]) -> None:
        self._labels = labels
        self._members = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
        lonely = [class_names[label] for label, members in self._members.items() if len(members) < 2]
        if lonely:
            raise DatasetError(
                f"Two pictures of the same class are wanted at a time, but {', '.join(lonely[:5])} has only one. Each "
                "identity needs a folder with at least two pictures: add some, or remove the folder."
            )

    def of(self, index: int, chance: np.random.Generator) -> int:
        """The number of another sample of the same class."""
        members = self._members[int(self._labels[index])]
        place = int(np.searchsorted(members, index))
        return int(members[(place + chance.integers(1, len(members))) % len(members)])


def second_domain(pixels: Pixels, companion: Companion) -> Pixels:
    """A picture of the second domain: the negative, or its edges (the morphological gradient), (H, W, C) uint8."""
    if companion == "negative":
        return 255 - pixels
    edges = cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return edges.reshape(pixels.shape).astype(np.uint8)
