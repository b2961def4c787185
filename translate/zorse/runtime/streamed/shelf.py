"""Kept maps: in memory, or in a temporary file of which nothing is left however the process ends."""

import mmap
import os
import shutil
import tempfile
from typing import IO

import numpy as np

from zorse.errors import ImageError
from zorse.imaging.tensor import Tensor
from zorse.runtime.streamed.geometry import Window
from zorse.system.memory import format_memory

Shape = tuple[int, int, int]
"""Channels, height and width."""


class KeptMap:
    """A map of shape (C, H, W) that is written and read in windows.

    Args:
        shape: of the map.
        spilled: whether it is kept in a temporary file instead of memory.

    Raises:
        ImageError: the temporary file finds no room.
    """

    def __init__(self, shape: Shape, *, spilled: bool) -> None:
        channels, height, width = shape
        self._file = _Spill(channels * height * width * 4) if spilled else None
        # Rows outermost: the rows of a tile lie together.
        in_rows = (height, channels, width)
        self._rows: Tensor = (
            np.empty(in_rows, np.float32)
            if self._file is None
            else np.frombuffer(self._file.memory, np.float32).reshape(in_rows)
        )

    def read(self, window: Window) -> Tensor:
        """A copy of a window, (1, C, h, w)."""
        part = self._rows[slice(*window.rows), :, slice(*window.columns)]
        tile: Tensor = np.ascontiguousarray(part.transpose(1, 0, 2)[None])
        self._settle()
        return tile

    def write(self, window: Window, tile: Tensor) -> None:
        """Puts a (1, C, h, w) tile to its place."""
        self._rows[slice(*window.rows), :, slice(*window.columns)] = tile[0].transpose(1, 0, 2)
        self._settle()

    def _settle(self) -> None:
        if self._file is not None:
            self._file.leave_memory()


class _Spill:
    """A nameless temporary file, mapped into memory."""

    def __init__(self, size: int) -> None:
        # On POSIX the file has no name from the start; Windows deletes it when the last handle closes.
        try:
            with tempfile.TemporaryFile(prefix="zorse-", dir=_folder()) as file:
                _reserve(file, size)
                self.memory = mmap.mmap(file.fileno(), size)
        except OSError as error:
            raise ImageError(
                f"A temporary file of {format_memory(size)} is needed in {_folder()}, which has no room for "
                f"it ({error.strerror or error}). Free some space, set the environment variable TMPDIR to a folder on "
                "another disk, allow more memory (--max-memory), or work at a smaller size (--size)."
            ) from error

    def leave_memory(self) -> None:
        """Leaves what was touched to the system's file cache: it no longer counts as this process's memory."""
        if hasattr(self.memory, "madvise") and hasattr(mmap, "MADV_DONTNEED"):
            self.memory.madvise(mmap.MADV_DONTNEED)


def _folder() -> str:
    """The chosen folder for temporary files; else /var/tmp where there is one, since /tmp is often kept in memory."""
    is_chosen = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return "/var/tmp" if not is_chosen and os.access("/var/tmp", os.W_OK) else tempfile.gettempdir()


def _reserve(file: IO[bytes], size: int) -> None:
    """Makes the file that long and sure of its place: a full disk behind mapped memory would kill the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    if shutil.disk_usage(_folder()).free < size:
        raise OSError("the disk is full")
    file.truncate(size)
