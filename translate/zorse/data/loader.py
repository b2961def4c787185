"""Batches, loaded ahead by worker processes."""

import signal
from collections.abc import Iterator, Sequence
from typing import TypedDict

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from zorse.data.sample import Dataset, Sample
from zorse.errors import ZorseError


class Batch(TypedDict):
    """Samples stacked."""

    A: Tensor
    """(N, 3, height, width) float32 in [-1, 1]."""
    B: Tensor
    """Likewise."""
    path_A: list[str]
    path_B: list[str]


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples of the same size."""
    return Batch(
        A=torch.stack([sample["A"] for sample in samples]),
        B=torch.stack([sample["B"] for sample in samples]),
        path_A=[sample["path_A"] for sample in samples],
        path_B=[sample["path_B"] for sample in samples],
    )


def batches(
    dataset: Dataset,
    batch_size: int,
    first_sample: int,
    n_batches: int,
    num_workers: int,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """The next batches of a run, the same whatever the number of workers and wherever the run starts.

    Args:
        dataset: where samples come from.
        batch_size: samples per batch and process, >= 1.
        first_sample: samples that the run has seen before, in all its processes.
        n_batches: batches to load.
        num_workers: processes that load ahead; 0 loads in this one.
        rank: number of this process among `world` that train together: each loads samples of its own.
        world: how many processes train together.

    Yields:
        Batch k of a process, with the samples from first_sample + (k * world + rank) * batch_size on.

    Raises:
        DatasetError: a picture cannot be used.
    """
    loader = DataLoader(
        _Batches(dataset, batch_size, first_sample, rank, world),
        sampler=range(n_batches),
        batch_size=None,
        num_workers=num_workers,
        worker_init_fn=_prepare_worker,
        pin_memory=torch.cuda.is_available(),
        # Its own generator: the loader must not draw from the one that the training draws from.
        generator=torch.Generator(),
    )
    for batch in loader:
        if isinstance(batch, ZorseError):
            raise batch
        yield batch


class _Batches(TorchDataset[Batch | ZorseError]):
    """Batch k as item k. Errors come back as values: the loader would bury their text in a worker's traceback."""

    def __init__(self, dataset: Dataset, batch_size: int, first_sample: int, rank: int, world: int) -> None:
        self._dataset, self._batch_size = dataset, batch_size
        self._first_sample, self._rank, self._world = first_sample, rank, world

    def __getitem__(self, position: int) -> Batch | ZorseError:
        first = self._first_sample + (position * self._world + self._rank) * self._batch_size
        try:
            return collate([self._dataset.sample(number) for number in range(first, first + self._batch_size)])
        except ZorseError as error:
            return error


def _prepare_worker(worker: int) -> None:
    cv2.setNumThreads(0)
    # Ctrl-C and a scheduler's SIGTERM reach the workers, too. Only the main process decides when the work ends, after
    # an iteration; workers end with it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
