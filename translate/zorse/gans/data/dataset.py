"""From the settings of a set of samples to the set, and to the batches of a run."""

from collections.abc import Generator
from pathlib import Path

from zorse.errors import DatasetError
from zorse.gans.data.batch import SampleBatch, SampleSet
from zorse.gans.data.config import SampleDataConfig
from zorse.gans.data.digits import Digits
from zorse.gans.data.folders import Pictures
from zorse.gans.data.mixtures import Mixture


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
) -> Generator[SampleBatch, None, None]:
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
