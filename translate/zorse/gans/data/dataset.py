"""Sets of samples: what batch a run sees is a function of the set's seed and of the samples seen before.

A run that is resumed therefore sees exactly the same samples; one in more processes, too, but for points in the plane,
which are drawn batch by batch.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict

import torch
from torch import Tensor

from zorse.errors import DatasetError
from zorse.gans.data.config import SampleDataConfig


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


def open_samples(config: SampleDataConfig, root: Path | None, split: str = "train", seed: int = 0) -> SampleSet:
    """Find the samples of a split.

    Args:
        config: the kind of set.
        root: its folder; points need none.
        split: `train` is shuffled in each epoch; `test` comes in order, or is the training set where there is no test
            set.
        seed: of the order and of all chance.

    Raises:
        DatasetError: no folder, or not one that is laid out like such a set.
    """
    from zorse.gans.data.digits import Digits
    from zorse.gans.data.folders import Pictures
    from zorse.gans.data.mixtures import Mixture

    if config.kind == "mixture":
        return Mixture(config, seed if split == "train" else seed + 2**32)
    if root is None:
        raise DatasetError(
            f"This run learns from {'idx files' if config.kind == 'digits' else 'pictures'}, but no folder was named. "
            "Say where they are with --data."
        )
    return Digits(config, root, split, seed) if config.kind == "digits" else Pictures(config, root, split, seed)


def sample_batches(
    samples: SampleSet, batch_size: int, first_sample: int, n_batches: int, rank: int = 0, world: int = 1
) -> Iterator[SampleBatch]:
    """The next batches of a run.

    Args:
        samples: where they come from.
        batch_size: samples per batch and process.
        first_sample: samples that the run has seen before, in all its processes.
        n_batches: batches to give.
        rank: number of this process among `world` that train together: each takes samples of its own.
        world: how many processes train together.
    """
    for position in range(n_batches):
        yield samples.batch(first_sample + (position * world + rank) * batch_size, batch_size)


def to_pictures(pixels: Tensor) -> Tensor:
    """(N, C, H, W) uint8 -> float32 in [-1, 1]."""
    return pixels.to(torch.float32) / 127.5 - 1.0
