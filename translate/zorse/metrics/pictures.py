"""The test pictures of a data set: what a model gets, and what its results are held against."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from zorse.data.ab import check_sides, split_ab
from zorse.data.config import PairedConfig, UnpairedConfig
from zorse.data.decode import Picture, decode, resized
from zorse.data.labels import LabelSides, label_sides
from zorse.data.layout import find_pairs, find_photos, find_two_folders, left_out_of, list_pictures
from zorse.data.pairing import left_out_of_side, match
from zorse.errors import DatasetError
from zorse.imaging.edges import extract_edges
from zorse.imaging.tensor import resize
from zorse.model.card import Direction, ModelCard

Kind = Literal["unpaired", "paired", "edges"]

SPLIT = "test"

Item = TypeVar("Item")


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
    files: Sequence[tuple[Path, ...]]
    """What each example is read from."""
    read_example: Callable[[tuple[Path, ...]], Example]
    targets: Sequence[Path] = ()
    """Real pictures of the target domain; empty in paired sets, whose examples bring theirs."""
    remarks: Sequence[str] = ()
    """How files were matched and what was left out, for people to read."""
    preparation: str = ""
    """What `read_example` does with the files besides reading them."""

    @property
    def n_examples(self) -> int:
        """Pictures of the source domain."""
        return len(self.files)

    @property
    def n_targets(self) -> int:
        """Real pictures of the target domain, in all."""
        return self.n_examples if self.brings_truths else len(self.targets)

    @property
    def brings_truths(self) -> bool:
        """Whether each example has a true translation."""
        return self.kind != "unpaired"

    def examples(self) -> Iterator[Example]:
        """All sources, with their truths where there are some.

        Raises:
            DatasetError: a picture that cannot be used.
        """
        return map(self.read_example, self.files)

    def fingerprint(self) -> str:
        """Eight digits that tell the contents of these pictures, in their order, from all others.

        Raises:
            DatasetError: a file cannot be read.
        """
        digest = hashlib.sha256(self.preparation.encode())
        for side in (chain.from_iterable(self.files), self.targets):
            digest.update(b"|")
            for file in side:
                digest.update(_content_digest(file))
        return digest.hexdigest()[:8]

    def thinned(self, most: int) -> "EvaluationSet":
        """At most that many pictures of each domain, spread evenly over the set."""
        return replace(self, files=_spread(self.files, most), targets=_spread(self.targets, most))


def detect_kind(root: Path, card: ModelCard) -> Kind:
    """What the test pictures of a model are when nothing is known but their folder.

    Two folders are unpaired; one holds AB files or, for a model that takes drawings with strokes, photos to draw after,
    if the first one is not twice as wide as high.

    Raises:
        DatasetError: there are no test pictures.
    """
    place = find_pairs(root, SPLIT)
    if isinstance(place, tuple):
        return "unpaired"
    if not card.takes_strokes:
        return "paired"
    height, width = decode(list_pictures(place)[0]).shape[:2]
    return "paired" if abs(width - 2 * height) <= 1 else "edges"


def two_sets(sources: Path, targets: Path) -> EvaluationSet:
    """Two folders of pictures that have nothing to do with each other.

    Raises:
        DatasetError: one of them holds no pictures.
    """
    return EvaluationSet(
        kind="unpaired",
        source_name=_short(sources),
        target_name=_short(targets),
        files=[(file,) for file in list_pictures(sources)],
        read_example=lambda files: Example(decode(files[0])),
        targets=list_pictures(targets),
        remarks=[*left_out_of(sources), *left_out_of(targets)],
    )


def unpaired_set(root: Path, config: UnpairedConfig, direction: Direction, split: str = SPLIT) -> EvaluationSet:
    """The folders of both domains.

    Raises:
        DatasetError: there are no two such folders, or one holds no pictures.
    """
    folder_a, folder_b = find_two_folders(config, root, split)
    return two_sets(folder_a, folder_b) if direction == "AtoB" else two_sets(folder_b, folder_a)


def paired_set(
    root: Path, direction: Direction, split: str = SPLIT, *, config: PairedConfig | None = None
) -> EvaluationSet:
    """AB files, or two folders matched by file name as the settings say.

    Raises:
        DatasetError: there are none, or a file has no counterpart.
    """
    place, config = find_pairs(root, split), config or PairedConfig()
    if isinstance(place, tuple):
        pairs, endings = match(*place, config.ending_a, config.ending_b)
        labels = label_sides(config.nearest, *zip(*pairs, strict=True))

        def read(pair: tuple[Path, ...]) -> tuple[Picture, Picture]:
            return _two_files(pair[0], pair[1], labels, direction)

        remarks = [f"Pairs are matched by {endings.rule}."] if any(endings) else []
        for folder, ending in zip(place, endings, strict=True):
            remarks += left_out_of_side(folder, ending)
        return replace(_paired([_short(folder) for folder in place], pairs, read, direction), remarks=remarks)
    files = [(file,) for file in list_pictures(place)]
    sides = [f"{_short(place)} ({side} halves)" for side in ("left", "right")]
    halves = _paired(sides, files, lambda pair: split_ab(decode(pair[0]), pair[0]), direction)
    return replace(halves, remarks=left_out_of(place))


def edges_set(root: Path, size: int, split: str = SPLIT) -> EvaluationSet:
    """Photos and the lines found in them.

    Args:
        root: folder of the set.
        size: short side, in pixels, to which the photos are brought before lines are searched: the model's own.
        split: of the set.

    Raises:
        DatasetError: there are no test photos.
    """
    folder = find_photos(root, split)

    def read(files: tuple[Path, ...]) -> tuple[Picture, Picture]:
        photo = _resized(decode(files[0]), size)
        return np.repeat(extract_edges(photo)[:, :, None], 3, axis=2), photo

    edges = f"edges of {_short(folder)} at {size} px"
    files = [(file,) for file in list_pictures(folder)]
    pictures = _paired([edges, _short(folder)], files, read, "AtoB")
    return replace(pictures, kind="edges", preparation=f"edges {size}", remarks=left_out_of(folder))


def _paired(
    sides: Sequence[str],
    files: Sequence[tuple[Path, ...]],
    read: Callable[[tuple[Path, ...]], tuple[Picture, Picture]],
    direction: Direction,
) -> EvaluationSet:
    def read_example(pair: tuple[Path, ...]) -> Example:
        a, b = read(pair)
        return Example(a, b) if direction == "AtoB" else Example(b, a)

    source_name, target_name = sides if direction == "AtoB" else reversed(sides)
    return EvaluationSet("paired", source_name, target_name, files, read_example, preparation=direction)


def _two_files(path_a: Path, path_b: Path, labels: LabelSides, direction: Direction) -> tuple[Picture, Picture]:
    """Both sides, at the size of the one that is translated."""
    a, b = decode(path_a), decode(path_b)
    check_sides(a, b, path_a, path_b)
    if direction == "AtoB":
        return a, resized(b, *a.shape[:2], is_label_map=labels.b)
    return resized(a, *b.shape[:2], is_label_map=labels.a), b


def _resized(photo: Picture, size: int) -> Picture:
    height, width = photo.shape[:2]
    scale = size / min(height, width)
    return np.asarray(resize(photo, round(height * scale), round(width * scale)), np.uint8)


def _short(folder: Path) -> str:
    """The last two parts of the path: enough to recognise the set, and the same on every machine."""
    return "/".join(folder.resolve().parts[-2:])


def _spread(items: Sequence[Item], most: int) -> Sequence[Item]:
    if len(items) <= most:
        return items
    return [items[number * len(items) // most] for number in range(most)]


def _content_digest(file: Path) -> bytes:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").digest()
    except OSError as error:
        raise DatasetError(f"The picture {file} cannot be read ({error.strerror or error}). Check the file.") from error
