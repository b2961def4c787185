"""Which files a data set consists of, found exactly where training finds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from zorse.data.ab import split_ab
from zorse.data.config import DataConfig, EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.decode import decode
from zorse.data.doctor.likeness import correspondence
from zorse.data.doctor.look import Look, look_at
from zorse.data.layout import EVALUATION_NAMES, check_folder, find_pairs, find_photos, find_two_folders, list_pictures
from zorse.data.pairing import find_endings, name_in
from zorse.errors import DatasetError

T = TypeVar("T")
Split = Literal["train", "test"]
Domain = Literal["A", "B", "AB", "photos"]
"""`AB`: files that hold both sides of a pair. `photos`: those of a set whose edges are drawn while training."""

_SPLITS = ("train", *EVALUATION_NAMES)
_CORRESPOND = 2.0
"""Usual fit of the sides of pairs (see `correspondence`): 5 and more in known sets, 1 for the halves of photos."""
_GLANCE = 48
"""Pictures that are looked at to tell pairs from other sets."""


@dataclass(frozen=True)
class Place:
    """A folder of pictures of one split and domain."""

    folder: Path
    split: Split
    """Validation pictures count as test pictures: neither is trained on."""
    domain: Domain
    ending: str = ""
    """Of the names that count, which is cut off to match them; see `zorse.data.pairing`."""


@dataclass(frozen=True)
class PictureSet:
    """The folders of a set."""

    root: Path
    config: DataConfig
    places: tuple[Place, ...]

    def name(self, path: Path) -> str:
        """A path below the root in short, the root by its own name, others in full."""
        if path == self.root:
            return path.resolve().name
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()


def find_set(root: Path, config: DataConfig) -> PictureSet:
    """All splits of a set.

    Raises:
        DatasetError: there is neither a training nor a test set, or a folder of the training set is empty.
    """
    check_folder(root)
    found: dict[Path, Place] = {}
    missing: DatasetError | None = None
    for split in _SPLITS:
        try:
            places = _places(root, config, split)
        except DatasetError as error:
            missing = missing or error
            continue
        for place in places:
            found.setdefault(place.folder, place)
    if not found:
        raise missing or DatasetError(f"{root} holds no data set.")
    for place in found.values():
        if place.split == "train":
            list_pictures(place.folder)
    return PictureSet(root, config, tuple(found.values()))


def guess_config(root: Path, crop_size: int = 256) -> DataConfig:
    """What kind of set a folder holds: two folders whose pictures correspond name by name, or files whose halves do,
    are pairs; two other folders are unpaired; one other folder holds photos.

    Raises:
        DatasetError: there are no pictures.
    """
    check_folder(root)
    load_size = round(crop_size * 286 / 256)
    unpaired = UnpairedConfig(load_size=load_size, crop_size=crop_size)
    paired = PairedConfig(load_size=load_size, crop_size=crop_size)
    edges = EdgesConfig(load_size=load_size, crop_size=crop_size)
    for split in _SPLITS:
        try:
            folders = find_two_folders(unpaired, root, split)
        except DatasetError:
            continue
        return paired if _correspond(_some_matches(*folders)) else unpaired
    photos = _first_photos(root, edges)
    return paired if _correspond([(path, path) for path in _some(list_pictures(photos))]) else edges


def _places(root: Path, config: DataConfig, split: str) -> list[Place]:
    kind: Split = "train" if split == "train" else "test"
    match config:
        case UnpairedConfig():
            a, b = find_two_folders(config, root, split)
            return [Place(a, kind, "A"), Place(b, kind, "B")]
        case PairedConfig():
            pairs = find_pairs(root, split)
            if isinstance(pairs, tuple):
                endings = find_endings(*pairs, config.ending_a, config.ending_b)
                return [Place(pairs[0], kind, "A", endings.a), Place(pairs[1], kind, "B", endings.b)]
            return [Place(pairs, kind, "AB")]
        case EdgesConfig():
            return [Place(find_photos(root, split), kind, "photos")]


def _first_photos(root: Path, config: EdgesConfig) -> Path:
    try:
        return find_photos(root, "train")
    except DatasetError:
        return find_photos(root, "test")


def _some_matches(folder_a: Path, folder_b: Path) -> list[tuple[Path, Path]]:
    """Files that match, if that is so for half of the smaller folder or more."""
    side_a, side_b = (
        {name_in(folder, path, ending): path for path in list_pictures(folder)}
        for folder, ending in zip((folder_a, folder_b), find_endings(folder_a, folder_b), strict=True)
    )
    shared = sorted(side_a.keys() & side_b.keys())
    if 2 * len(shared) < min(len(side_a), len(side_b)):
        return []
    return [(side_a[stem], side_b[stem]) for stem in _some(shared)]


def _correspond(files: Sequence[tuple[Path, Path]]) -> bool:
    """Whether the sides show the same things in the same places."""
    pairs = [pair for a, b in files if (pair := _sides(a, b)) is not None]
    if len(pairs) < max(2, 0.8 * len(files)):
        return False
    scores = correspondence([a for a, _ in pairs], [b for _, b in pairs])
    return bool(np.median(scores) >= _CORRESPOND)


def _sides(path_a: Path, path_b: Path) -> tuple[Look, Look] | None:
    try:
        if path_a == path_b:
            left, right = split_ab(decode(path_a), path_a)
            return look_at(left), look_at(right)
        return look_at(decode(path_a)), look_at(decode(path_b))
    except DatasetError:
        return None


def _some(values: Sequence[T]) -> list[T]:
    """Up to `_GLANCE` of them, evenly spread."""
    step = max(1, len(values) // _GLANCE)
    return list(values[::step][:_GLANCE])
