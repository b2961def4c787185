"""Data sets as pure functions: what sample number n is depends on the seed and on n alone.

A training run that is resumed, or that loads with more processes, therefore sees exactly the same pictures.
"""

from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypedDict, assert_never

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zorse.data.config import Crops, DataConfig, EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.decode import decode
from zorse.data.layout import find_pairs, find_photos, find_two_folders, list_pictures, match_stems
from zorse.data.transforms import Cropper, Picture
from zorse.errors import DatasetError
from zorse.imaging.edges import extract_edges, random_edges

# One stream of chance for each purpose, so that they do not depend on each other.
_ORDER_A, _ORDER_B, _CROP_A, _CROP_B, _EDGES = range(5)


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

    def sample(self, number: int) -> Sample:
        """Sample `number` >= 0; numbers go on over the epochs without end.

        Raises:
            DatasetError: a picture cannot be used.
        """


def open_dataset(config: DataConfig, root: Path, split: str = "train", seed: int = 0) -> Dataset:
    """Find the pictures of a split.

    Args:
        config: the kind of set and the crops.
        root: folder of the set.
        split: `train` is shuffled in each epoch and cut at random; other splits come in alphabetical order, cut in
            the middle. `test` and `val` stand in for each other.
        seed: of the order and of all chance, >= 0.

    Raises:
        DatasetError: the folder is not laid out like such a set, or a side of it is empty.
    """
    match config:
        case UnpairedConfig():
            folder_a, folder_b = find_two_folders(config, root, split)
            return _Unpaired(config, list_pictures(folder_a), list_pictures(folder_b), split == "train", seed)
        case PairedConfig():
            place = find_pairs(root, split)
            pairs = match_stems(*place) if isinstance(place, tuple) else [(path, path) for path in list_pictures(place)]
            return _Paired(config, pairs, split == "train", seed)
        case EdgesConfig():
            return _Edges(config, list_pictures(find_photos(root, split)), split == "train", seed)
        case _:
            assert_never(config)


class _Unpaired:
    """Two lists, each gone through in its own order; an epoch is as long as the longer one."""

    def __init__(self, config: Crops, paths_a: list[Path], paths_b: list[Path], train: bool, seed: int) -> None:
        self._paths_a, self._paths_b = paths_a, paths_b
        self._train, self._seed = train, seed
        self._cropper = Cropper(config, augment=train)

    def __len__(self) -> int:
        return max(len(self._paths_a), len(self._paths_b))

    def sample(self, number: int) -> Sample:
        path_a = self._paths_a[_index(number, len(self._paths_a), self._train, self._seed, _ORDER_A)]
        path_b = self._paths_b[_index(number, len(self._paths_b), self._train, self._seed, _ORDER_B)]
        real_a = self._cropper.one(decode(path_a), _rng(self._seed, _CROP_A, number))
        real_b = self._cropper.one(decode(path_b), _rng(self._seed, _CROP_B, number))
        return _sample(real_a, real_b, path_a, path_b)


class _Paired:
    """AB files (both paths of a pair are the same) or pairs of files."""

    def __init__(self, config: PairedConfig, pairs: list[tuple[Path, Path]], train: bool, seed: int) -> None:
        self._pairs = pairs
        self._swap = config.direction == "BtoA"
        self._train, self._seed = train, seed
        self._cropper = Cropper(config, augment=train)

    def __len__(self) -> int:
        return len(self._pairs)

    def sample(self, number: int) -> Sample:
        path_a, path_b = self._pairs[_index(number, len(self._pairs), self._train, self._seed, _ORDER_A)]
        left, right = split_ab(decode(path_a), path_a) if path_a == path_b else _same_size(path_a, path_b)
        left, right = self._cropper.pair(left, right, _rng(self._seed, _CROP_A, number))
        return _sample(right, left, path_b, path_a) if self._swap else _sample(left, right, path_a, path_b)


class _Edges:
    """Photos and the lines found in them."""

    def __init__(self, config: Crops, paths: list[Path], train: bool, seed: int) -> None:
        self._paths = paths
        self._train, self._seed = train, seed
        self._cropper = Cropper(config, augment=train)

    def __len__(self) -> int:
        return len(self._paths)

    def sample(self, number: int) -> Sample:
        path = self._paths[_index(number, len(self._paths), self._train, self._seed, _ORDER_A)]
        photo = self._cropper.one(decode(path), _rng(self._seed, _CROP_A, number))
        # The lines are searched after the crop, so that their width is the same whatever the photo's size was.
        edges = random_edges(photo, _rng(self._seed, _EDGES, number)) if self._train else extract_edges(photo)
        return _sample(np.repeat(edges[:, :, None], 3, axis=2), photo, path, path)


def split_ab(picture: Picture, path: Path) -> tuple[Picture, Picture]:
    """Left and right half of an AB file.

    Raises:
        DatasetError: the file cannot be two pictures side by side.
    """
    height, width = picture.shape[:2]
    if width % 2 or not 1.4 <= width / height <= 3:
        raise DatasetError(
            f"{path} should hold two pictures of the same size side by side, about twice as wide as high with an even "
            f"width, but it is {width} x {height} pixels. If the two sides are separate files, put them into two "
            "folders trainA and trainB; if these are photos to be turned into edges, set kind = 'edges'."
        )
    return picture[:, : width // 2], picture[:, width // 2 :]


def _same_size(path_a: Path, path_b: Path) -> tuple[Picture, Picture]:
    left, right = decode(path_a), decode(path_b)
    if left.shape != right.shape:
        raise DatasetError(
            f"The two sides of a pair must have the same size, but {path_a} is {left.shape[1]} x {left.shape[0]} and "
            f"{path_b} is {right.shape[1]} x {right.shape[0]} pixels. 'zorse data pair' resizes them."
        )
    return left, right


def _index(number: int, n: int, shuffle: bool, seed: int, stream: int) -> int:
    epoch, position = divmod(number, n)
    return int(_permutation(seed, stream, epoch, n)[position]) if shuffle else position


@lru_cache(maxsize=8)
def _permutation(seed: int, stream: int, epoch: int, n: int) -> NDArray[np.int64]:
    return _rng(seed, stream, epoch).permutation(n)


def _rng(seed: int, stream: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream, number])


def _sample(real_a: Picture, real_b: Picture, path_a: Path, path_b: Path) -> Sample:
    return Sample(A=_tensor(real_a), B=_tensor(real_b), path_A=str(path_a), path_B=str(path_b))


def _tensor(picture: Picture) -> Tensor:
    channels_first = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
    return channels_first.to(torch.float32).div_(127.5).sub_(1)
