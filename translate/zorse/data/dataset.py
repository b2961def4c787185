"""Samples and data sets: what sample number n is depends on the data set's seed and on n alone.

A training run that is resumed, or that loads with more processes, therefore sees exactly the same pictures.
"""

from pathlib import Path
from typing import Protocol, TypedDict

from torch import Tensor

from zorse.data.config import DataConfig


class Sample(TypedDict):
    """One picture of each domain. In a paired set they belong together."""

    A: Tensor
    """(3, height, width) float32 in [-1, 1]."""
    B: Tensor
    """Likewise."""
    path_A: str
    path_B: str


class Dataset(Protocol):
    """A source of samples, each a pure function of the data set's seed and the sample's number."""

    def __len__(self) -> int:
        """Samples per epoch."""

    @property
    def n_pictures(self) -> int:
        """Pictures, or pairs, that samples are taken from."""

    def sample(self, number: int) -> Sample:
        """Sample `number` >= 0; numbers go on over the epochs without end.

        Raises:
            DatasetError: a picture cannot be used.
        """


def open_dataset(
    config: DataConfig, root: Path, split: str = "train", seed: int = 0, *, in_memory: bool = False
) -> Dataset:
    """Find the pictures of a split.

    Args:
        config: the kind of set and the crops.
        root: folder of the set.
        split: `train` is shuffled in each epoch and cut at random; other splits come in alphabetical order, cut in
            the middle. `test` and `val` stand in for each other.
        seed: of the order and of all chance, >= 0.
        in_memory: decode all pictures now and keep them. It is for the one who trains: whoever wants a sample or the
            number of pictures only, need not wait for that.

    Raises:
        DatasetError: the folder is not laid out like such a set, or a side of it is empty.
    """
    # albumentations takes seconds to import: wait for it only where pictures are really read.
    from zorse.data.sources import Edges, Paired, Unpaired

    match config.kind:
        case "unpaired":
            return Unpaired(config, root, split, seed, in_memory=in_memory)
        case "paired":
            return Paired(config, root, split, seed, in_memory=in_memory)
        case "edges":
            return Edges(config, root, split, seed, in_memory=in_memory)
