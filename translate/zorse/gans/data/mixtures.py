"""Mixtures of Gaussians in the plane: their modes are known, so that what a generator misses can be counted."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from zorse.gans.data.batch import SampleBatch
from zorse.gans.data.config import MixtureConfig, MixtureShape

EPOCH = 10_000
"""Points that count as an epoch; there is no end of them."""
STD: dict[MixtureShape, float] = {"ring": 0.02, "grid": 0.05, "spiral": 0.1}


def centres(distribution: MixtureShape) -> NDArray[np.float32]:
    """Means of the Gaussians, (K, 2); all are equally likely."""
    match distribution:
        case "ring":
            angles = np.arange(8) * (2 * math.pi / 8)
            points = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        case "grid":
            steps = np.linspace(-4, 4, 5)
            points = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        case "spiral":
            share = np.linspace(0.15, 1.0, 32) ** 0.6  # Roughly equal distances along the curve.
            angles, radii = 3 * math.pi * share, 3 * share
            points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    return points.astype(np.float32)


def spread(config: MixtureConfig) -> float:
    """Standard deviation of each Gaussian."""
    return config.std or STD[config.distribution]


class Mixture:
    """Points of a mixture; the label is the number of the Gaussian."""

    def __init__(self, config: MixtureConfig, seed: int) -> None:
        self.shape = (2,)
        self._centres, self._std, self._seed = centres(config.distribution), spread(config), seed
        self.class_names = tuple(f"({x:.2g}, {y:.2g})" for x, y in self._centres)

    def __len__(self) -> int:
        return EPOCH

    def batch(self, first: int, n: int) -> SampleBatch:
        """Drawn anew from the seed and the number of the first one."""
        chance = np.random.default_rng([self._seed, first])
        labels = chance.integers(len(self._centres), size=n)
        points = self._centres[labels] + self._std * chance.standard_normal((n, 2), dtype=np.float32)
        return SampleBatch(x=torch.from_numpy(points), label=torch.from_numpy(labels), path_x=[])
