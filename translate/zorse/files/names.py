"""File names that every system takes: a folder translated on Linux can go to a Windows disk as it is."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

_DEVICE = re.compile(r"(con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(?=\s*(\.|$))", flags=re.IGNORECASE)
"""What Windows takes for a device, with any extension."""

_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]')


def plain_name(name: str, otherwise: str = "model") -> str:
    """Letters, digits, "_", "-" and, not as the first, ".": neither hidden nor in another folder.

    Args:
        name: a card's.
        otherwise: taken where nothing of the name can be.
    """
    return re.sub(r"[^\w.-]+", "_", name).lstrip(".") or otherwise


def safe_path(path: Path) -> Path:
    """A relative path with each part changed as little as Windows needs: `aux.png` -> `aux_.png`, `a:b` -> `a_b`."""
    return Path(*(_safe_part(part) for part in path.parts))


def distinct(paths: Iterable[Path]) -> list[Path]:
    """Paths that differ more than in upper and lower case or in how accents are composed.

    Of those that do not, the first keeps its name, and the next becomes `name_2`. Equal paths stay equal.
    """
    paths = list(paths)
    owner: dict[str, Path] = {}
    changed: dict[Path, Path] = {}
    taken = {_folded(path) for path in paths}
    for path in paths:
        if owner.setdefault(_folded(path), path) == path or path in changed:
            continue
        number = 2
        while _folded(candidate := path.with_stem(f"{path.stem}_{number}")) in taken:
            number += 1
        taken.add(_folded(candidate))
        changed[path] = candidate
    return [changed.get(path, path) for path in paths]


def _safe_part(part: str) -> str:
    part = _FORBIDDEN.sub("_", part)
    part = re.sub(r"[. ]+$", lambda end: "_" * len(end[0]), part)
    return _DEVICE.sub(r"\1_", part, count=1) if _DEVICE.match(part) else part


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()
