"""The test pictures of a data set: what a model gets, and what its results are held against."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from zorse.data.ab import split_ab
from zorse.data.config import UnpairedConfig
from zorse.data.decode import Picture, decode
from zorse.data.layout import find_pairs, find_photos, find_two_folders, list_pictures, match_stems
from zorse.errors import DatasetError
from zorse.imaging.edges import extract_edges
from zorse.imaging.tensor import resize

Kind = Literal["unpaired", "paired", "edges"]
Direction = Literal["AtoB", "BtoA"]

SPLIT = "test"


@dataclass(frozen=True)
class Example:
    """A picture of the source domain and, in paired sets, its true translation of the same size."""

    source: Picture
    truth: Picture | None = None


@dataclass(frozen=True)
class EvaluationSet:
    """Test pictures, read one at a time."""

    kind: Kind
    source_name: str
    """Where the sources come from, for people to read: "horse2zebra/testA"."""
    target_name: str
    n_examples: int
    read_example: Callable[[int], Example]
    targets: Sequence[Path] = ()
    """Real pictures of the target domain; empty in paired sets, whose examples bring theirs."""

    @property
    def n_targets(self) -> int:
        """Real pictures of the target domain, in all."""
        return len(self.targets) if self.kind == "unpaired" else self.n_examples

    def examples(self) -> Iterator[Example]:
        """All sources, with their truths where there are some.

        Raises:
            DatasetError: a picture that cannot be used.
        """
        return (self.read_example(number) for number in range(self.n_examples))


def detect_kind(root: Path) -> Kind:
    """What the test pictures are when nothing is known but their folder: two folders are unpaired, one holds AB files.

    Raises:
        DatasetError: there are no test pictures.
    """
    return "unpaired" if isinstance(find_pairs(root, SPLIT), tuple) else "paired"


def two_sets(sources: Path, targets: Path) -> EvaluationSet:
    """Two folders of pictures that have nothing to do with each other.

    Raises:
        DatasetError: one of them holds no pictures.
    """
    source_files = list_pictures(sources)
    return EvaluationSet(
        kind="unpaired",
        source_name=_short(sources),
        target_name=_short(targets),
        n_examples=len(source_files),
        read_example=lambda number: Example(decode(source_files[number])),
        targets=list_pictures(targets),
    )


def unpaired_set(root: Path, config: UnpairedConfig, direction: Direction) -> EvaluationSet:
    """The test folders of both domains.

    Raises:
        DatasetError: there are no two such folders, or one holds no pictures.
    """
    folder_a, folder_b = find_two_folders(config, root, SPLIT)
    return two_sets(folder_a, folder_b) if direction == "AtoB" else two_sets(folder_b, folder_a)


def paired_set(root: Path, direction: Direction) -> EvaluationSet:
    """AB files, or two folders matched by file name.

    Raises:
        DatasetError: there are none, or a file has no counterpart.
    """
    place = find_pairs(root, SPLIT)
    if isinstance(place, tuple):
        pairs = match_stems(*place)
        sides = [_short(folder) for folder in place]
        return _paired(sides, len(pairs), lambda number: _two_files(*pairs[number]), direction)
    files = list_pictures(place)
    sides = [f"{_short(place)} ({side} halves)" for side in ("left", "right")]
    return _paired(sides, len(files), lambda number: split_ab(decode(files[number]), files[number]), direction)


def edges_set(root: Path, size: int) -> EvaluationSet:
    """Photos and the lines found in them.

    Args:
        root: folder of the set.
        size: short side, in pixels, to which the photos are brought before lines are searched: the model's own.

    Raises:
        DatasetError: there are no test photos.
    """
    folder = find_photos(root, SPLIT)
    files = list_pictures(folder)

    def read(number: int) -> tuple[Picture, Picture]:
        photo = _resized(decode(files[number]), size)
        return np.repeat(extract_edges(photo)[:, :, None], 3, axis=2), photo

    return _paired([f"edges of {_short(folder)} at {size} px", _short(folder)], len(files), read, "AtoB", kind="edges")


def _paired(
    sides: Sequence[str],
    n: int,
    read: Callable[[int], tuple[Picture, Picture]],
    direction: Direction,
    kind: Kind = "paired",
) -> EvaluationSet:
    def read_example(number: int) -> Example:
        a, b = read(number)
        return Example(a, b) if direction == "AtoB" else Example(b, a)

    source_name, target_name = sides if direction == "AtoB" else reversed(sides)
    return EvaluationSet(kind, source_name, target_name, n, read_example)


def _two_files(path_a: Path, path_b: Path) -> tuple[Picture, Picture]:
    a, b = decode(path_a), decode(path_b)
    if a.shape != b.shape:
        raise DatasetError(
            f"The two sides of a pair must have the same size, but {path_a} is {a.shape[1]} x {a.shape[0]} and "
            f"{path_b} is {b.shape[1]} x {b.shape[0]} pixels. 'zorse data pair' makes pairs of equal size."
        )
    return a, b


def _resized(photo: Picture, size: int) -> Picture:
    height, width = photo.shape[:2]
    scale = size / min(height, width)
    return np.asarray(resize(photo, round(height * scale), round(width * scale)), np.uint8)


def _short(folder: Path) -> str:
    """The last two parts of the path: enough to recognise the set, and the same on every machine."""
    return "/".join(folder.resolve().parts[-2:])
