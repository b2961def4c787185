"""Crops that grow during the run: which batches are cut how is a function of the samples seen, and of nothing else."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from zorse.data.config import DataConfig
from zorse.data.dataset import open_dataset
from zorse.data.loader import Batch, batches
from zorse.training.config import TrainConfig


@dataclass(frozen=True)
class Span:
    """Batches in a row whose crops have the same size."""

    data: DataConfig
    """How they are cut; without stages."""
    first_sample: int
    """Samples seen before."""
    n_batches: int


def spans(config: DataConfig, seen: int, n_batches: int, per_step: int) -> list[Span]:
    """The parts of what is left of a run.

    Args:
        config: with its stages.
        seen: samples that the run has seen.
        n_batches: steps to come.
        per_step: samples of a step, in all processes.

    Returns:
        Spans with at least one batch each. A run that is resumed gets what is left of the same ones.
    """
    whole = seen + n_batches * per_step
    shares = [0.0, *(stage.after for stage in config.stages)]
    # Batches, from now on, before each stage begins: a batch belongs to the stage of its first sample.
    begins = [min(n_batches, max(0, -((seen - round(share * whole)) // per_step))) for share in shares]
    return [
        Span(config.at(share), seen + begin * per_step, end - begin)
        for share, begin, end in zip(shares, begins, [*begins[1:], n_batches], strict=True)
        if begin < end
    ]


def staged_batches(
    config: TrainConfig, data: Path, seen: int, n_batches: int, rank: int = 0, world: int = 1
) -> Generator[Batch, None, None]:
    """The next batches of a run, cut as its stages say.

    Args:
        config: of the run.
        data: folder of the pictures.
        seen: samples that the run has seen, in all its processes.
        n_batches: batches to load.
        rank: number of this process among `world` that train together.
        world: how many processes train together.

    Raises:
        DatasetError: a picture cannot be used.
    """
    settings = config.training
    for span in spans(config.data, seen, n_batches, settings.batch_size * world):
        dataset = open_dataset(span.data, data, seed=settings.seed, in_memory=span.data.in_memory)
        yield from batches(
            dataset, settings.batch_size, span.first_sample, span.n_batches, settings.num_workers, rank, world
        )
