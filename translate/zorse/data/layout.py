"""Where a data set keeps its pictures.

Folders are told by name: a split (`train`, `test`, ...) and a side (`A` and `B`, or pix2pixHD's `label` and `img`), in
one name (`trainA`, `train_label`), or one within the other. Upper and lower case, `-`, `_` and spaces do not count.
"""

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from zorse.data.config import UnpairedConfig
from zorse.errors import DatasetError
from zorse.imaging.io import READ_SUFFIXES, is_picture_name
from zorse.imaging.left_out import lines, list_folder

EVALUATION_NAMES = ("test", "val", "validation", "valid")
"""Folders that hold no pictures to train on."""

SIDES = (("A", "B"), ("label", "img"))
"""What the folders of the two sides are called."""


def check_folder(root: Path) -> None:
    """See that there is such a folder, and that it may be read.

    Raises:
        DatasetError: there is none, or it may not.
    """
    if not root.is_dir():
        came = "is a file" if root.is_file() else "does not exist"
        raise DatasetError(f"A folder with pictures was wanted, but {root} {came}. Check the path.")
    _entries(root)


def check_new(out: Path) -> None:
    """See that a set can be written to a folder.

    Raises:
        DatasetError: something is there already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out} exists and is not an empty folder. Choose another one: nothing is overwritten.")


def list_pictures(folder: Path) -> list[Path]:
    """All pictures in a folder and below it, sorted; hidden files and folders are left out.

    Raises:
        DatasetError: the folder holds none.
    """
    listing = list_folder(folder, pictures_only=True)
    missing = next((entry for entry in listing.unreachable if entry.is_folder), None)
    if missing is not None:
        raise DatasetError(f"{missing.source} belongs to the pictures, but {missing.reason}")
    if not listing.files:
        raise DatasetError(
            f"Pictures were wanted in {folder}, which holds {_contents(folder)}. Known are the file types "
            f"{', '.join(sorted(READ_SUFFIXES))}. {' '.join(lines(listing.unread))}".rstrip()
        )
    return listing.files


def left_out_of(folder: Path) -> list[str]:
    """What `list_pictures` leaves out of a folder, and why, for people to read."""
    return [f"Left out of {folder}: {line}" for line in list_folder(folder, pictures_only=True).told()]


def find_two_folders(config: UnpairedConfig, root: Path, split: str) -> tuple[Path, Path]:
    """Folders of domains A and B.

    Raises:
        DatasetError: there are no two such folders.
    """
    check_folder(root)
    if config.folder_a is not None and config.folder_b is not None:
        candidates = _explicit_candidates(root / config.folder_a, root / config.folder_b, split)
        looked_for = [f"{_below(a, root)} and {_below(b, root)}" for a, b in candidates]
    else:
        candidates, looked_for = _two_folder_candidates(root, split), [_two_folder_names(split)]
    for a, b in candidates:
        if a.is_dir() and b.is_dir():
            return a, b
    raise _missing(looked_for, root, split)


def find_pairs(root: Path, split: str) -> Path | tuple[Path, Path]:
    """The folder of AB files, or the two folders whose files are matched by name.

    Raises:
        DatasetError: there is neither.
    """
    check_folder(root)
    for a, b in _two_folder_candidates(root, split):
        if a.is_dir() and b.is_dir():
            return a, b
    one = _one_folder_candidates(root, split)
    for folder in one:
        if folder.is_dir() and (folder != root or _holds_pictures(root)):
            return folder
    raise _missing([*(_below(folder, root) for folder in one), _two_folder_names(split)], root, split)


def find_photos(root: Path, split: str) -> Path:
    """The folder of a split whose pictures all lie in one place, subfolders included.

    Raises:
        DatasetError: there is no such folder.
    """
    check_folder(root)
    candidates = _one_folder_candidates(root, split)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise _missing([_below(folder, root) for folder in candidates], root, split)


def _names(split: str) -> list[str]:
    """Folder names that may hold a split: test and validation pictures stand in for each other, never for training."""
    return ["train"] if split == "train" else [split, *(name for name in EVALUATION_NAMES if name != split)]


def _explicit_candidates(a: Path, b: Path, split: str) -> list[tuple[Path, Path]]:
    find_a, find_b = _finder(a), _finder(b)
    candidates = [(find_a(name), find_b(name)) for name in _names(split)]
    return [*candidates, (a, b)] if split == "train" else candidates


def _one_folder_candidates(root: Path, split: str) -> list[Path]:
    find = _finder(root)
    candidates = [find(name) for name in _names(split)]
    evaluation_only = any(find(name).is_dir() for name in EVALUATION_NAMES)
    return [*candidates, root] if split == "train" and not evaluation_only else candidates


def _two_folder_candidates(root: Path, split: str) -> list[tuple[Path, Path]]:
    """The first that are there count."""
    find = _finder(root)
    folders = [find(name) for name in _folder_names(root)]
    only_two = len(folders) == 2 and not any(_named_after_a_split(folder) for folder in folders)
    candidates: list[tuple[Path, Path]] = []
    for name in _names(split):
        for a, b in SIDES:
            candidates += [
                (find(f"{name}{a}"), find(f"{name}{b}")),
                (find(name, a), find(name, b)),
                (find(a, name), find(b, name)),
            ]
        if only_two:
            candidates.append((find(folders[0].name, name), find(folders[1].name, name)))
    if split == "train":
        whole = [(find(a), find(b)) for a, b in SIDES]
        if only_two:
            whole.append((folders[0], folders[1]))
        candidates += [pair for pair in whole if not any(_holds_evaluation(side) for side in pair)]
    return candidates


def _two_folder_names(split: str) -> str:
    """What `_two_folder_candidates` looks for, for people to read."""
    name = _names(split)[0]
    whole = "; A and B, or the only two folders" if split == "train" else ""
    return (
        f"{name}A and {name}B; {name}/A and {name}/B; A/{name} and B/{name}{whole} (label and img may stand for A and "
        "B; upper and lower case, '-' and '_' do not count)"
    )


def _finder(root: Path) -> Callable[..., Path]:
    """Finds folders below one by their names: that of just this name, or else the one whose name is the same but for
    case, `-`, `_` and spaces; where there is none, the path that it would have.

    Raises, when called:
        DatasetError: there are several of the latter.
    """

    @cache
    def by_name(folder: Path) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for name in _folder_names(folder):
            names.setdefault(_folded(name), []).append(name)
        return names

    def find(*names: str) -> Path:
        folder = root
        for name in names:
            alike = by_name(folder).get(_folded(name), [])
            if name not in alike and len(alike) > 1:
                raise DatasetError(
                    f"One folder {name} was wanted in {folder}, but {_some(alike)} could all be meant. Rename or "
                    "move those that are not."
                )
            folder /= name if name in alike or not alike else alike[0]
        return folder

    return find


def _folded(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.lower())


def _named_after_a_split(folder: Path) -> bool:
    """As train, testA and val_B are, but not trains."""
    sides = "|".join(side.lower() for pair in SIDES for side in pair)
    return re.fullmatch(rf"(train|{'|'.join(EVALUATION_NAMES)})({sides})?", _folded(folder.name)) is not None


def _holds_evaluation(folder: Path) -> bool:
    return any(_folded(name) in EVALUATION_NAMES for name in _folder_names(folder))


def _missing(looked_for: list[str], root: Path, split: str) -> DatasetError:
    return DatasetError(
        f"Pictures of the split {split!r} were wanted in {root}. Looked for the folder(s) {'; '.join(looked_for)}; "
        f"there is {_contents(root)}."
    )


def _folder_names(folder: Path) -> list[str]:
    """Of the folders in one, sorted, hidden ones left out; none where it is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error


def _holds_pictures(folder: Path) -> bool:
    """Directly, not in subfolders."""
    return any(is_picture_name(path) for path in _entries(folder))


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder."""
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: OSError) -> DatasetError:
    return DatasetError(f"The folder {folder} cannot be read ({error.strerror}). Check its permissions.")


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _contents(folder: Path) -> str:
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in _entries(folder))
    return _some(names) if names else "nothing"


def _some(names: list[str], most: int = 6) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
