"""Mean and variance of each channel of a map that is seen tile by tile, exact at any size."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.imaging.tensor import Tensor


class Moments:
    """Count, mean and sum of squared deviations, in 64 bits.

    Source: Chan, Golub and LeVeque 1983, Algorithms for Computing the Sample Variance.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean: NDArray[np.float64] = np.zeros(channels)
        self._deviations: NDArray[np.float64] = np.zeros(channels)

    def add(self, tile: Tensor) -> None:
        """Takes in a tile of shape (1, C, H, W)."""
        count = tile.shape[2] * tile.shape[3]
        # OpenCV adds both up in 64 bits; its meanStdDev takes four times as long, its mean is less exact.
        mean = np.array([cv2.sumElems(channel)[0] for channel in tile[0]]) / count
        squares = np.array([cv2.norm(channel, cv2.NORM_L2SQR) for channel in tile[0]])
        deviations = squares - count * mean**2
        total = self.count + count
        difference = mean - self.mean
        self._deviations += deviations + difference**2 * (self.count * count / total)
        self.mean += difference * (count / total)
        self.count = total

    @property
    def variance(self) -> NDArray[np.float64]:
        """Of all places seen, as normalisations use it (divided by the count)."""
        return np.maximum(self._deviations / self.count, 0)


@dataclass(frozen=True)
class Normalisation:
    """(x - mean) * scale + offset for each channel: float32, shape (C,)."""

    mean: Tensor
    scale: Tensor
    offset: Tensor | None

    @staticmethod
    def of(
        mean: NDArray[np.float64],
        variance: NDArray[np.float64],
        eps: float,
        gain: Tensor | None,
        offset: Tensor | None,
    ) -> "Normalisation":
        """From statistics, and the learned gain and offset where there are some."""
        scale = 1 / np.sqrt(variance + eps)
        if gain is not None:
            scale = scale * gain
        return Normalisation(mean.astype(np.float32), scale.astype(np.float32), offset)


def pooled(
    mean: NDArray[np.float64], variance: NDArray[np.float64], groups: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and variance that the channels of each group have together, for each channel again."""
    means, variances = mean.reshape(groups, -1), variance.reshape(groups, -1)
    together = means.mean(1, keepdims=True)
    spread = (variances + (means - together) ** 2).mean(1, keepdims=True)
    size = means.shape[1]
    return together.repeat(size), spread.repeat(size)
