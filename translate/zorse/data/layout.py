"""Where a data set keeps its pictures."""

import re
from pathlib import Path

from zorse.data.config import UnpairedConfig
from zorse.errors import DatasetError
from zorse.imaging.io import READ_SUFFIXES, find_pictures, is_picture_name

EVALUATION_NAMES = ("test", "val", "validation", "valid")
"""Folders that hold no pictures to train on."""


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
    pictures = find_pictures(folder)
    if not pictures:
        raise DatasetError(
            f"Pictures were wanted in {folder}, which holds {_contents(folder)}. Known are the file types "
            f"{', '.join(sorted(READ_SUFFIXES))}."
        )
    return pictures


def find_two_folders(config: UnpairedConfig, root: Path, split: str) -> tuple[Path, Path]:
    """Folders of domains A and B.

    Raises:
        DatasetError: there are no two such folders.
    """
    if config.folder_a is not None and config.folder_b is not None:
        candidates = _explicit_candidates(root / config.folder_a, root / config.folder_b, split)
    else:
        candidates = _two_folder_candidates(root, split)
    return _first_that_exists(candidates, root, split)


def find_pairs(root: Path, split: str) -> Path | tuple[Path, Path]:
    """The folder of AB files, or the two folders whose files are matched by stem.

    Raises:
        DatasetError: there is neither.
    """
    check_folder(root)
    two = _two_folder_candidates(root, split)
    for a, b in two:
        if a.is_dir() and b.is_dir():
            return a, b
    one = _one_folder_candidates(root, split)
    for folder in one:
        if folder.is_dir() and (folder != root or _holds_pictures(root)):
            return folder
    looked_for = [_below(folder, root) for folder in one] + [f"{_below(a, root)} and {_below(b, root)}" for a, b in two]
    raise _missing(looked_for, root, split)


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


def index_by_stem(folder: Path) -> dict[str, Path]:
    """Pictures by their path below the folder, without the extension.

    Raises:
        DatasetError: there are none, or two share theirs.
    """
    by_stem: dict[str, Path] = {}
    for path in list_pictures(folder):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in by_stem:
            raise DatasetError(
                f"Pictures are told apart by file name without its extension, but {by_stem[stem]} and {path} share "
                "theirs. Remove one of them."
            )
        by_stem[stem] = path
    return by_stem


def match_stems(folder_a: Path, folder_b: Path) -> list[tuple[Path, Path]]:
    """Pairs of files with the same path below their folder, but for the extension.

    Raises:
        DatasetError: a file has no counterpart, or more than one.
    """
    by_stem_a, by_stem_b = index_by_stem(folder_a), index_by_stem(folder_b)
    lonely = sorted(by_stem_a.keys() ^ by_stem_b.keys())
    if lonely:
        raise DatasetError(
            f"Pairs were wanted from {folder_a} and {folder_b}, matched by file name without its extension, but "
            f"{len(lonely)} file(s) have no counterpart on the other side: {_some(lonely)}. Rename or remove them."
        )
    return [(by_stem_a[stem], by_stem_b[stem]) for stem in sorted(by_stem_a)]


def _names(split: str) -> list[str]:
    """Folder names that may hold a split: test and validation pictures stand in for each other, never for training."""
    return ["train"] if split == "train" else [split, *(name for name in EVALUATION_NAMES if name != split)]


def _explicit_candidates(a: Path, b: Path, split: str) -> list[tuple[Path, Path]]:
    candidates = [(a / name, b / name) for name in _names(split)]
    return [*candidates, (a, b)] if split == "train" else candidates


def _one_folder_candidates(root: Path, split: str) -> list[Path]:
    candidates = [root / name for name in _names(split)]
    evaluation_only = any((root / name).is_dir() for name in EVALUATION_NAMES)
    return [*candidates, root] if split == "train" and not evaluation_only else candidates


def _two_folder_candidates(root: Path, split: str) -> list[tuple[Path, Path]]:
    candidates: list[tuple[Path, Path]] = []
    for name in _names(split):
        candidates += [
            (root / f"{name}A", root / f"{name}B"),
            (root / name / "A", root / name / "B"),
            (root / "A" / name, root / "B" / name),
        ]
    if split == "train":
        candidates.append((root / "A", root / "B"))
        folders = _folders(root)
        if len(folders) == 2 and not any(_named_after_a_split(folder) for folder in folders):
            candidates.append((folders[0], folders[1]))
    return candidates


def _named_after_a_split(folder: Path) -> bool:
    """As train, testA and val_B are, but not trains."""
    return re.fullmatch(r"(train|test|val|valid|validation)[-_ ]?[ab]?", folder.name.lower()) is not None


def _first_that_exists(candidates: list[tuple[Path, Path]], root: Path, split: str) -> tuple[Path, Path]:
    check_folder(root)
    for a, b in candidates:
        if a.is_dir() and b.is_dir():
            return a, b
    raise _missing([f"{_below(a, root)} and {_below(b, root)}" for a, b in candidates], root, split)


def _missing(looked_for: list[str], root: Path, split: str) -> DatasetError:
    return DatasetError(
        f"Pictures of the split {split!r} were wanted in {root}. Looked for the folder(s) {'; '.join(looked_for)}; "
        f"there is {_contents(root)}."
    )


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(path for path in _entries(root) if path.is_dir() and not path.name.startswith("."))


def _holds_pictures(folder: Path) -> bool:
    """Directly, not in subfolders."""
    return any(is_picture_name(path) for path in _entries(folder))


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder."""
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DatasetError(f"The folder {folder} cannot be read ({error.strerror}). Check its permissions.") from error


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _contents(folder: Path) -> str:
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in _entries(folder))
    return _some(names) if names else "nothing"


def _some(names: list[str], most: int = 6) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
