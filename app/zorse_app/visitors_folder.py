"""The folder for what visitors send and get: private, and gone afterwards, also after a crash."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_PREFIX = "zorse-page-"
_MARK = "in-use"
"""An empty file in the folder, locked for as long as its server lives; a crash unlocks it."""


@contextmanager
def folder_for_visitors() -> Iterator[Path]:
    """A private folder, deleted afterwards; Gradio looks for it in the environment.

    Those that crashed servers left behind are deleted first.
    """
    remove_abandoned(Path(tempfile.gettempdir()))
    before = os.environ.get("GRADIO_TEMP_DIR")
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name,
        (Path(name) / _MARK).open("wb") as mark,
    ):
        _lock(mark)
        os.environ["GRADIO_TEMP_DIR"] = name
        try:
            yield Path(name)
        finally:
            del os.environ["GRADIO_TEMP_DIR"]
            if before is not None:
                os.environ["GRADIO_TEMP_DIR"] = before


def remove_abandoned(parent: Path) -> None:
    """Deletes what servers left behind that did not come to their end.

    Args:
        parent: the folder for temporary files, which other users may write to as well.
    """
    for folder in parent.glob(f"{_PREFIX}*"):
        if not folder.is_symlink() and folder.is_dir() and _is_ours(folder) and _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def _is_abandoned(folder: Path) -> bool:
    """A folder without a mark is just being made or just being deleted."""
    try:
        with (folder / _MARK).open("rb+") as mark:
            _lock(mark)
    except OSError:
        return False
    return True


def _lock(file: BinaryIO) -> None:
    """Raises OSError where another program holds the lock."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
