"""One pass over a data set: small facts of every file."""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from zorse.data.ab import split_ab
from zorse.data.decode import has_usable_shape
from zorse.data.doctor.findings import Check
from zorse.data.doctor.look import Look, look_at
from zorse.data.doctor.sets import Domain, PictureSet, Place, Split
from zorse.errors import DatasetError, ImageError
from zorse.imaging.custom_readers import has_reader, read_custom
from zorse.imaging.io import find_pictures, on_white, open_pictures
from zorse.runtime.devices import usable_cores


@dataclass(frozen=True, eq=False)
class Facts:
    """One file."""

    path: Path
    place: Place
    problem: Check | None = None
    """Why training would stop at it."""
    detail: str = ""
    """The problem in words that follow the file's name."""
    mode: str = ""
    """Pillow's name of how the file stores colours: "RGB", "CMYK", ...; empty where it cannot be read."""
    orientation: int = 1
    """EXIF orientation 1..8; 1 is upright."""
    frames: int = 1
    """Pictures in the file; the first is read."""
    is_deep: bool = False
    """16 bits per channel."""
    is_transparent: bool = False
    """Some pixels let white through."""
    looks: tuple[Look, ...] = ()
    """The picture, or the left and the right half of an AB file; empty where there is a problem."""

    @property
    def stem(self) -> str:
        """By which the files of a pair are matched: the path below the folder, without the extension."""
        return self.path.relative_to(self.place.folder).with_suffix("").as_posix()


@dataclass(frozen=True, eq=False)
class Unit:
    """What training takes as one: a picture, or a pair in one or two files."""

    files: tuple[Facts, ...]
    looks: tuple[Look, ...]
    """One, or side A and side B."""

    @property
    def place(self) -> Place:
        """Of the first file."""
        return self.files[0].place

    @property
    def split(self) -> Split:
        """Training or test."""
        return self.place.split

    @property
    def domain(self) -> Domain:
        """`AB` for pairs, in one file or two."""
        return "AB" if len(self.looks) == 2 else self.place.domain


@dataclass(frozen=True, eq=False)
class Survey:
    """A data set and what is known of its files."""

    set: PictureSet
    facts: tuple[Facts, ...]
    skipped: tuple[Path, ...] = ()
    """Files in the set's folders that are no pictures by their names."""

    def name(self, facts: Facts) -> str:
        """The file's path below the set's folder."""
        return self.set.name(facts.path)

    def names(self, unit: Unit) -> tuple[str, ...]:
        """Of all files of a unit."""
        return tuple(self.name(facts) for facts in unit.files)

    def in_place(self, place: Place) -> Iterator[Facts]:
        """The files of one folder."""
        return (facts for facts in self.facts if facts.place == place)

    def by_stem(self, place: Place) -> dict[str, list[Facts]]:
        """The files of one side of pairs, by what they are matched with."""
        stems: dict[str, list[Facts]] = {}
        for facts in self.in_place(place):
            stems.setdefault(facts.stem, []).append(facts)
        return stems

    def sides(self) -> list[tuple[Place, Place]]:
        """The two folders of each split of a paired set; empty for all other sets, and for AB files."""
        if self.set.config.kind != "paired":
            return []
        return [(a, b) for a, b in pairwise(self.set.places) if (a.domain, b.domain) == ("A", "B")]

    def units(self) -> list[Unit]:
        """All usable pictures or pairs, in the order of their names."""
        folders = self.sides()
        sides = {place for pair in folders for place in pair}
        alone = [Unit((facts,), facts.looks) for facts in self.facts if facts.looks and facts.place not in sides]
        return alone + [
            Unit((a, b), (*a.looks, *b.looks))
            for place_a, place_b in folders
            for a, b in self.matches(place_a, place_b)
            if a.looks and b.looks
        ]

    def matches(self, place_a: Place, place_b: Place) -> Iterator[tuple[Facts, Facts]]:
        """Files of the same name in two folders."""
        side_a, side_b = self.by_stem(place_a), self.by_stem(place_b)
        for stem in sorted(side_a.keys() & side_b.keys()):
            if len(side_a[stem]) == len(side_b[stem]) == 1:
                yield side_a[stem][0], side_b[stem][0]

    def without(self, files: Collection[Path]) -> "Survey":
        """The set as if these files were not there."""
        return replace(self, facts=tuple(facts for facts in self.facts if facts.path not in files))


def survey(pictures: PictureSet, on_file: Callable[[int, int], None] = lambda done, total: None) -> Survey:
    """Read every file of a set.

    Args:
        pictures: what to read.
        on_file: told after each file how many are done, and how many there are.
    """
    files = [(path, place) for place in pictures.places for path in find_pictures(place.folder)]
    facts = []
    # Threads: decoders work outside of Python's lock.
    executor = ThreadPoolExecutor(max_workers=min(16, usable_cores()))
    try:
        for found in executor.map(lambda file: examine(*file), files):
            facts.append(found)
            on_file(len(facts), len(files))
    finally:
        executor.shutdown(cancel_futures=True)
    known = {path for path, _ in files}
    # Directly in the set's own folder lie licences and readmes.
    skipped = {
        path
        for place in pictures.places
        for path in _visible_files(place.folder)
        if path not in known and path.parent != pictures.root
    }
    return Survey(pictures, tuple(facts), tuple(sorted(skipped)))


def examine(path: Path, place: Place) -> Facts:
    """Read one file as training does, and measure it."""
    try:
        if has_reader(path):
            picture, mode, frames = read_custom(path), "RGB", 1
        else:
            with open_pictures(path) as file:
                picture, mode, frames = file.frame(0), file.mode, len(file)
    except ImageError as error:
        # "FILE is damaged and ... (...). Get the file again.": the report names file and remedy itself.
        what = str(error).replace(f"{path} ", "", 1).split(". ")[0].removeprefix("is ")
        return Facts(path, place, Check.UNREADABLE, what)
    size = f"{picture.width} x {picture.height} pixels"
    if not has_usable_shape(picture.width, picture.height):
        return Facts(path, place, Check.UNUSABLE_SHAPE, size)
    pixels = on_white(picture)
    try:
        sides = split_ab(pixels, path) if place.domain == "AB" else (pixels,)
    except DatasetError:
        return Facts(path, place, Check.NOT_A_PAIR, size)
    return Facts(
        path,
        place,
        mode=mode,
        orientation=picture.orientation,
        frames=frames,
        is_deep=picture.rgb.dtype.itemsize > 1,
        is_transparent=picture.alpha is not None and bool(picture.alpha.min() < np.iinfo(picture.alpha.dtype).max),
        looks=tuple(look_at(side) for side in sides),
    )


def _visible_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path
