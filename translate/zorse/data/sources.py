"""The kinds of data sets: unpaired pictures, pairs, and photos with the lines found in them."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from zorse.data.ab import check_sides, split_ab
from zorse.data.chance import Chance, Purpose
from zorse.data.config import EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.decode import Picture, Read, decode, kept_in_memory, resized
from zorse.data.labels import LabelSides, label_sides
from zorse.data.layout import find_pairs, find_photos, find_two_folders, left_out_of, list_pictures
from zorse.data.pairing import Endings, left_out_of_side, match
from zorse.data.sample import Sample
from zorse.data.transforms import Cropper
from zorse.imaging.edges import extract_edges, random_edges
from zorse.imaging.strokes import random_strokes, with_strokes


class Unpaired:
    """Two lists, each gone through in an order of its own; an epoch is as long as the longer one."""

    def __init__(self, config: UnpairedConfig, root: Path, split: str, seed: int, *, in_memory: bool = False) -> None:
        folder_a, folder_b = find_two_folders(config, root, split)
        self._folders = (folder_a, folder_b)
        self._paths_a, self._paths_b = list_pictures(folder_a), list_pictures(folder_b)
        self._labels = label_sides(config.nearest, self._paths_a, self._paths_b)
        label_maps = _label_maps(self._labels, self._paths_a, self._paths_b)
        self._read = _reader([*self._paths_a, *self._paths_b], config.load_sizes[-1], in_memory, label_maps)
        self._chance = Chance(seed, shuffle=split == "train")
        self._cropper = Cropper(config, augment=split == "train")

    def __len__(self) -> int:
        return max(len(self._paths_a), len(self._paths_b))

    @property
    def n_pictures(self) -> int:
        """Of both sides."""
        return len(self._paths_a) + len(self._paths_b)

    @property
    def remarks(self) -> list[str]:
        """Both folders, and what was left out of them."""
        a, b = self._folders
        return [f"A is {a}, B is {b}.", *_said(self._labels), *left_out_of(a), *left_out_of(b)]

    def sample(self, number: int) -> Sample:
        """Pictures that have nothing to do with each other."""
        path_a = self._paths_a[self._chance.index(Purpose.ORDER_A, number, len(self._paths_a))]
        path_b = self._paths_b[self._chance.index(Purpose.ORDER_B, number, len(self._paths_b))]
        rng_a, rng_b = self._chance.rng(Purpose.CROP_A, number), self._chance.rng(Purpose.CROP_B, number)
        real_a = self._cropper.one(self._read(path_a), rng_a, is_label_map=self._labels.a)
        real_b = self._cropper.one(self._read(path_b), rng_b, is_label_map=self._labels.b)
        return Sample(A=real_a, B=real_b, path_A=str(path_a), path_B=str(path_b))


class Paired:
    """Pairs from AB files or from two folders."""

    def __init__(self, config: PairedConfig, root: Path, split: str, seed: int, *, in_memory: bool = False) -> None:
        self._place = find_pairs(root, split)
        self._endings = Endings()
        self._sources: Sequence[Path | tuple[Path, Path]]
        if isinstance(self._place, tuple):
            self._sources, self._endings = match(*self._place, config.ending_a, config.ending_b)
        else:
            self._sources = list_pictures(self._place)
        files_a, files_b, largest = _files(self._sources, config)
        self._labels = label_sides(config.nearest, files_a, files_b)
        label_maps = _label_maps(self._labels, files_a, files_b)
        self._read = _reader([*files_a, *files_b], largest, in_memory, label_maps)
        self._swap = config.direction == "BtoA"
        self._chance = Chance(seed, shuffle=split == "train")
        self._cropper = Cropper(config, split == "train", self._labels)

    def __len__(self) -> int:
        return len(self._sources)

    @property
    def n_pictures(self) -> int:
        """Pairs."""
        return len(self._sources)

    @property
    def remarks(self) -> list[str]:
        """How the sides were matched, and what was left out."""
        if not isinstance(self._place, tuple):
            return [*_said(self._labels), *left_out_of(self._place)]
        a, b = self._place
        return [
            f"A is {a}, B is {b}, matched by {self._endings.rule}.",
            *_said(self._labels),
            *(line for side in zip(self._place, self._endings, strict=True) for line in left_out_of_side(*side)),
        ]

    def sample(self, number: int) -> Sample:
        """A pair, both sides cut alike."""
        source = self._sources[self._chance.index(Purpose.ORDER_A, number, len(self._sources))]
        path_a, path_b = source if isinstance(source, tuple) else (source, source)
        if isinstance(source, tuple):
            left, right = self._two_files(path_a, path_b)
        else:
            left, right = split_ab(self._read(source), source)
        left, right = self._cropper.pair(left, right, self._chance.rng(Purpose.CROP_A, number))
        if self._swap:
            left, right, path_a, path_b = right, left, path_b, path_a
        return Sample(A=left, B=right, path_A=str(path_a), path_B=str(path_b))

    def _two_files(self, path_a: Path, path_b: Path) -> tuple[Picture, Picture]:
        left, right = self._read(path_a), self._read(path_b)
        check_sides(left, right, path_a, path_b)
        height, width = max(left.shape[:2], right.shape[:2])  # the larger size, so that nothing is lost before the crop
        return (
            resized(left, height, width, is_label_map=self._labels.a),
            resized(right, height, width, is_label_map=self._labels.b),
        )


class Edges:
    """Photos, and lines found in them: varied ones for training, always the same ones for evaluation."""

    def __init__(self, config: EdgesConfig, root: Path, split: str, seed: int, *, in_memory: bool = False) -> None:
        self._folder = find_photos(root, split)
        self._paths = list_pictures(self._folder)
        self._read = _reader(self._paths, config.load_sizes[-1], in_memory)
        self._train = split == "train"
        self._strokes = config.strokes
        self._chance = Chance(seed, shuffle=self._train)
        self._cropper = Cropper(config, augment=self._train)

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def n_pictures(self) -> int:
        """Photos."""
        return len(self._paths)

    @property
    def remarks(self) -> list[str]:
        """What was left out."""
        return left_out_of(self._folder)

    def sample(self, number: int) -> Sample:
        """A: the lines. B: the photo."""
        path = self._paths[self._chance.index(Purpose.ORDER_A, number, len(self._paths))]
        photo = self._cropper.one(self._read(path), self._chance.rng(Purpose.CROP_A, number))
        # Searched after the crop: lines then have the same width whatever size the photo had.
        drawing = (
            self._drawing(photo, number) if self._train else np.repeat(extract_edges(photo)[:, :, None], 3, axis=2)
        )
        return Sample(A=drawing, B=photo, path_A=str(path), path_B=str(path))

    def _drawing(self, photo: Picture, number: int) -> Picture:
        """Lines as one of many hands might draw them, in some of the drawings with strokes of colour."""
        rng = self._chance.rng(Purpose.EDGES, number)
        lines = random_edges(photo, rng)
        strokes = random_strokes(photo, rng) if rng.random() < self._strokes else np.full_like(photo, 255)
        return with_strokes(lines, strokes)


def _files(
    sources: Sequence[Path | tuple[Path, Path]], config: PairedConfig
) -> tuple[list[Path], list[Path], int | None]:
    """The files of side A and of side B, and the short side that is wanted of them."""
    if all(isinstance(source, tuple) for source in sources):
        files_a, files_b = zip(*(source for source in sources if isinstance(source, tuple)), strict=True)
        return list(files_a), list(files_b), config.load_sizes[-1]
    # An AB file is not shrunk: its short side may be either its height or half its width.
    both = [source for source in sources if isinstance(source, Path)]
    return both, both, None


def _label_maps(labels: LabelSides, files_a: Sequence[Path], files_b: Sequence[Path]) -> set[Path]:
    return {*(files_a if labels.a else ()), *(files_b if labels.b else ())}


def _said(labels: LabelSides) -> list[str]:
    return [labels.remark] if labels.remark else []


def _reader(paths: Sequence[Path], largest: int | None, in_memory: bool, label_maps: Collection[Path] = ()) -> Read:
    return kept_in_memory(paths, largest, label_maps) if in_memory else decode
