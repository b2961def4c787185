"""MNIST, Fashion-MNIST and whatever else comes as such idx files."""

from pathlib import Path

import numpy as np

from zorse.data.chance import Chance
from zorse.errors import DatasetError
from zorse.gans.data.batch import SampleBatch
from zorse.gans.data.config import DigitsConfig
from zorse.gans.data.idx import find_idx, read_idx
from zorse.gans.data.pixels import PixelBatches

SIDE = 28


class Digits:
    """Grey pictures of 28 x 28 pixels with labels, in memory."""

    def __init__(self, config: DigitsConfig, root: Path, split: str, seed: int) -> None:
        train = split == "train"
        part = "train" if train or not _has_test_files(root) else "t10k"
        picture_file, label_file = (
            find_idx(root, f"{part}-images-idx3-ubyte"),
            find_idx(root, f"{part}-labels-idx1-ubyte"),
        )
        pictures, labels = read_idx(picture_file, 3), read_idx(label_file, 1).astype(np.int64)
        _check(pictures.shape, labels.shape, picture_file, label_file)
        if len(labels) and labels.max() >= len(config.class_names):
            raise DatasetError(
                f"{label_file} holds the label {labels.max()}, but there are names for {len(config.class_names)} "
                "classes: set data.class_names to those of this set."
            )
        taken = np.isin(labels, config.only) if config.only else np.ones(len(labels), bool)
        pictures, labels = pictures[taken], labels[taken]
        if not len(labels):
            raise DatasetError(f"{label_file} holds no picture of the labels {list(config.only)} (data.only).")
        margin = (config.size - SIDE) // 2
        padded = np.pad(pictures, ((0, 0), (margin, margin), (margin, margin)))[:, :, :, None]
        self.shape = (1, config.size, config.size)
        self.class_names = config.class_names
        self._n = len(labels)
        self._batches = PixelBatches(
            read=lambda index: padded[index],
            name=lambda index: f"{picture_file} picture {index}",
            labels=labels,
            class_names=config.class_names,
            companion=config.companion,
            flip=False,
            chance=Chance(seed, shuffle=train),
        )

    def __len__(self) -> int:
        return self._n

    def batch(self, first: int, n: int) -> SampleBatch:
        """Looked up in memory."""
        return self._batches.batch(first, n)


def _has_test_files(root: Path) -> bool:
    try:
        find_idx(root, "t10k-images-idx3-ubyte")
        find_idx(root, "t10k-labels-idx1-ubyte")
    except DatasetError:
        return False
    return True


def _check(pictures: tuple[int, ...], labels: tuple[int, ...], picture_file: Path, label_file: Path) -> None:
    if pictures[1:] != (SIDE, SIDE):
        raise DatasetError(
            f"{picture_file} holds pictures of {pictures[1]} x {pictures[2]} pixels; {SIDE} x {SIDE} were expected."
        )
    if pictures[0] != labels[0]:
        raise DatasetError(
            f"{picture_file} holds {pictures[0]} pictures, but {label_file} holds {labels[0]} labels. They are not of "
            "the same set: get both files from the same source."
        )
