"""Which files of two folders belong together: those of the same name.

The extension does not count, nor does an ending of all names of a side (`_leftImg8bit`, `_gtFine_color`): one that the
settings name, or, where no two names are equal, the one with which most files find their counterpart. An ending begins
with `-`, `_`, `.` or a space.
"""

import re
from collections.abc import Sequence
from itertools import product, takewhile
from pathlib import Path
from typing import NamedTuple

from zorse.data.layout import left_out_of, list_pictures
from zorse.errors import DatasetError


class Endings(NamedTuple):
    """What does not count at the end of the names of either side; "" where all of a name does."""

    a: str = ""
    b: str = ""

    @property
    def rule(self) -> str:
        """How files are matched, for people to read; it follows "matched by" or "told apart by"."""
        cut = [f"{ending!r} on side {side}" for side, ending in zip("AB", self, strict=True) if ending]
        return f"file name without its extension{' and without ' * bool(cut)}{' and '.join(cut)}"


class Matching(NamedTuple):
    """The pairs of two folders."""

    pairs: list[tuple[Path, Path]]
    endings: Endings


def match(folder_a: Path, folder_b: Path, ending_a: str | None = None, ending_b: str | None = None) -> Matching:
    """The pairs of two folders, in the order of their names.

    Args:
        folder_a: of side A.
        folder_b: of side B.
        ending_a: of the names of side A, to be cut off; files without it are left out. None: see `find_endings`.
        ending_b: likewise of side B.

    Raises:
        DatasetError: a folder is empty, or a file has no counterpart, or more than one.
    """
    endings = find_endings(folder_a, folder_b, ending_a, ending_b)
    side_a, side_b = index(folder_a, endings.a), index(folder_b, endings.b)
    lonely = [str(one.get(name)) for one, other in ((side_a, side_b), (side_b, side_a)) for name in one.keys() - other]
    if lonely:
        examples = ", ".join(sorted(lonely)[:4]) + (f" and {len(lonely) - 4} more" if len(lonely) > 4 else "")
        raise DatasetError(
            f"Pairs were wanted from {folder_a} and {folder_b}, matched by {endings.rule}, but {len(lonely)} file(s) "
            f"have no counterpart on the other side: {examples}. Rename or remove them, or name the endings that do "
            "not count with data.ending_a and data.ending_b."
        )
    return Matching([(side_a[name], side_b[name]) for name in sorted(side_a)], endings)


def find_endings(folder_a: Path, folder_b: Path, ending_a: str | None = None, ending_b: str | None = None) -> Endings:
    """The endings that are named, or those that all names of a side share, if without them more files match.

    Raises:
        DatasetError: a folder is empty.
    """
    if ending_a is not None or ending_b is not None:
        return Endings(ending_a or "", ending_b or "")
    names_a, names_b = ([name_in(folder, path) for path in list_pictures(folder)] for folder in (folder_a, folder_b))
    if not set(names_a).isdisjoint(names_b):
        return Endings()
    candidates = [Endings(a, b) for a, b in product(_shared_endings(names_a), _shared_endings(names_b))]
    return max(candidates, key=lambda endings: (_n_matches(names_a, names_b, endings), -len(endings.a + endings.b)))


def pictures_of_side(folder: Path, ending: str) -> list[Path]:
    """The pictures in a folder whose names end so, sorted.

    Raises:
        DatasetError: there are none.
    """
    pictures = list_pictures(folder)
    chosen = [path for path in pictures if path.stem.endswith(ending)]
    if not chosen:
        raise DatasetError(
            f"Pictures whose names end in {ending!r} before their extension were wanted in {folder}, which holds none "
            f"(but {pictures[0].name}, for example). Correct data.ending_a and data.ending_b."
        )
    return chosen


def left_out_of_side(folder: Path, ending: str) -> list[str]:
    """What `pictures_of_side` leaves out of a folder, and why, for people to read."""
    others = [path for path in list_pictures(folder) if not path.stem.endswith(ending)]
    told = left_out_of(folder)
    if others:
        names = ", ".join(path.name for path in others[:3]) + (", ..." if len(others) > 3 else "")
        told.insert(0, f"Left out of {folder}: {len(others)} whose names do not end in {ending!r} ({names}).")
    return told


def name_in(folder: Path, path: Path, ending: str = "") -> str:
    """By which a picture is matched: its path below the folder, without extension and ending."""
    return path.relative_to(folder).with_suffix("").as_posix().removesuffix(ending)


def index(folder: Path, ending: str = "") -> dict[str, Path]:
    """The pictures of a folder whose names end so, by name.

    Raises:
        DatasetError: there are none, or two share their name.
    """
    by_name: dict[str, Path] = {}
    for path in pictures_of_side(folder, ending):
        name = name_in(folder, path, ending)
        if name in by_name:
            raise DatasetError(
                f"Pictures are told apart by file name without its extension, but {by_name[name]} and {path} share "
                "theirs. Remove one of them."
            )
        by_name[name] = path
    return by_name


def _shared_endings(names: Sequence[str]) -> list[str]:
    """Endings that all names have, besides something that they end; "" is one of them."""
    backwards = [name[::-1] for name in names]
    equal = takewhile(lambda letters: letters[0] == letters[1], zip(min(backwards), max(backwards), strict=False))
    shared = "".join(letter for letter, _ in equal)[::-1]
    room = min(len(name.rpartition("/")[2]) for name in names) - 1
    shared = shared[max(0, len(shared) - room) :]
    return ["", *(shared[place.start() :] for place in re.finditer(r"[-_. ]", shared))]


def _n_matches(names_a: Sequence[str], names_b: Sequence[str], endings: Endings) -> int:
    return len({name.removesuffix(endings.a) for name in names_a} & {name.removesuffix(endings.b) for name in names_b})
