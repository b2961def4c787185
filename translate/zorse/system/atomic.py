"""Files that are either complete or not there."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` when the block has ended well and all is on the disk.

    Missing folders are made. After an exception (a full disk, Ctrl-C) what stood at `path` before is untouched.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name: what a killed process left behind is replaced by the next one.
    part = path.with_name(_hidden(path.name))
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


_LONGEST = 255
"""Bytes of a file's name, on nearly all disks."""


def _hidden(name: str) -> str:
    """The unfinished file's name; a long one leaves no room for more."""
    hidden = f".{name}.part"
    return hidden if len(os.fsencode(hidden)) <= _LONGEST else f".{hashlib.sha256(os.fsencode(name)).hexdigest()}.part"
