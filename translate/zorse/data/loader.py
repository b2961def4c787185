"""Batches, loaded ahead by worker processes."""

import multiprocessing
import signal
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import TypedDict

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from zorse.data.decode import Picture
from zorse.data.sample import Dataset, Sample
from zorse.errors import DatasetError, ZorseError
from zorse.imaging.custom_readers import Readers, readers_in_use, use
from zorse.imaging.tensor import to_tensor

LONGEST_WAIT = 600
"""Seconds after which loaders that have not given a batch are taken to hang."""


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
        A=_tensor([sample["A"] for sample in samples]),
        B=_tensor([sample["B"] for sample in samples]),
        path_A=[sample["path_A"] for sample in samples],
        path_B=[sample["path_B"] for sample in samples],
    )


def _tensor(pictures: Sequence[Picture]) -> Tensor:
    return torch.from_numpy(np.concatenate([to_tensor(picture) for picture in pictures]))


def batches(
    dataset: Dataset,
    batch_size: int,
    first_sample: int,
    n_batches: int,
    num_workers: int,
    rank: int = 0,
    world: int = 1,
) -> Generator[Batch, None, None]:
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
        DatasetError: a picture cannot be used, or the processes that load were ended or hang.
    """
    loader = DataLoader(
        _Batches(dataset, batch_size, first_sample, rank, world),
        sampler=range(n_batches),
        batch_size=None,
        # Arrays come through a pipe. Tensors would come through /dev/shm, which is as small as 64 MB in containers.
        collate_fn=_as_they_are,
        num_workers=num_workers,
        timeout=LONGEST_WAIT if num_workers else 0,
        worker_init_fn=partial(_prepare_worker, readers_in_use()),
        # Its own generator: the loader must not draw from the one that the training draws from.
        generator=torch.Generator(),
    )
    others = set(multiprocessing.active_children())
    source = iter(loader)
    workers = set(multiprocessing.active_children()) - others
    try:
        while (loaded := _next(source)) is not None:
            if isinstance(loaded, ZorseError):
                raise loaded
            yield collate(loaded)
    finally:
        # It ends its workers when it goes, and an error's traceback would keep it to the end of the program.
        del source
        for worker in workers:  # One that hangs would be waited for without end.
            worker.kill()
            worker.join()


def _next(source: Iterator[list[Sample] | ZorseError]) -> list[Sample] | ZorseError | None:
    """What comes next, None at the end.

    Raises:
        DatasetError: the workers do not answer any more.
    """
    try:
        return next(source, None)
    except RuntimeError as error:
        if "DataLoader timed out" in str(error):
            raise DatasetError(
                f"The processes that load pictures have given none for {LONGEST_WAIT} seconds, so the run ends. Does "
                "the disk or the network drive with the pictures still answer? Go on from the last checkpoint with "
                "--resume, or load in the training's own process with training.num_workers=0."
            ) from error
        if "DataLoader worker" in str(error):
            raise DatasetError(
                f"A process that loads pictures was ended from outside ({error}); when memory runs out, the system "
                "does that. Lower training.num_workers (0 loads in the training's own process) or "
                "training.batch_size, and go on from the last checkpoint with --resume."
            ) from error
        raise


def _as_they_are(samples: list[Sample] | ZorseError) -> list[Sample] | ZorseError:
    return samples


class _Batches(TorchDataset[list[Sample] | ZorseError]):
    """Batch k as item k. Errors come back as values: the loader would bury their text in a worker's traceback."""

    def __init__(self, dataset: Dataset, batch_size: int, first_sample: int, rank: int, world: int) -> None:
        self._dataset, self._batch_size = dataset, batch_size
        self._first_sample, self._rank, self._world = first_sample, rank, world

    def __getitem__(self, position: int) -> list[Sample] | ZorseError:
        first = self._first_sample + (position * self._world + self._rank) * self._batch_size
        try:
            return [self._dataset.sample(number) for number in range(first, first + self._batch_size)]
        except ZorseError as error:
            return error


def _prepare_worker(readers: Readers, worker: int) -> None:
    use(readers)  # Where a worker is not forked, it knows none.
    cv2.setNumThreads(0)
    # Ctrl-C and a scheduler's SIGTERM reach the workers, too. Only the main process decides when the work ends, after
    # an iteration; workers end with it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
