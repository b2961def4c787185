"""From the settings of a data set to the data set."""

from pathlib import Path

from zorse.data.config import DataConfig
from zorse.data.sample import Dataset


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
