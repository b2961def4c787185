"""Sets of samples: what batch a run sees is a function of the set's seed and of the samples seen before.

A run that is resumed therefore sees exactly the same samples; one in more processes, too, but for points in the plane,
which are drawn batch by batch.
"""

from typing import NotRequired, Protocol, TypedDict

import torch
from torch import Tensor


class SampleBatch(TypedDict):
    """Real samples."""

    x: Tensor
    """(N, 2) points, or (N, C, H, W) in [-1, 1], float32."""
    label: Tensor
    """(N,) int64: the class, or the Gaussian that a point was drawn from."""
    y: NotRequired[Tensor]
    """What comes with each sample, of the same shape, where the set's `companion` says so."""
    path_x: list[str]
    """Files, or what else names the samples; empty for points."""


class SampleSet(Protocol):
    """A source of samples."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What label 0, 1, ... stands for; a single one where there are no classes."""

    def __len__(self) -> int:
        """Samples per epoch."""

    def batch(self, first: int, n: int) -> SampleBatch:
        """Samples number `first` to `first + n - 1`; numbers go on over the epochs without end.

        Raises:
            DatasetError: a file cannot be used.
        """


def to_pictures(pixels: Tensor) -> Tensor:
    """(N, C, H, W) uint8 -> float32 in [-1, 1]."""
    return pixels.to(torch.float32) / 127.5 - 1.0
