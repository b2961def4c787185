"""Readers of pictures that others have written: functions that are named by the ends of the files' names.

A reader takes a path and gives sRGB pixels, upright: an array of uint8 or uint16 and of shape (H, W, C), with 1 channel
(grey), 3 (RGB) or 4 (RGBA).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zorse.errors import ImageError
from zorse.imaging.picture import Picture
from zorse.system.import_paths import found_at, told

Reader = Callable[[Path], NDArray[Any]]
Readers = Mapping[str, tuple[str, Reader]]
"""By the end of a file's name, with its dot and in small letters: the reader's import path, and the reader."""

# Of the process and not of a thread: pictures are decoded by many threads.
_in_use: dict[str, tuple[str, Reader]] = {}


@contextmanager
def reading_with(paths: Mapping[str, str]) -> Iterator[None]:
    """Inside, in all threads, files with these ends are pictures, and are read by these functions.

    Args:
        paths: import paths of readers, by the ends of files' names: {".dcm": "mypackage.read:read_dicom"}.

    Raises:
        ConfigError: the user has not allowed its package, it cannot be imported, or it is no function.
    """
    before = dict(_in_use)
    use({suffix: (path, found_at(path)) for suffix, path in paths.items()})
    try:
        yield
    finally:
        _in_use.clear()
        _in_use.update(before)


def readers_in_use() -> Readers:
    """For another process, which calls `use` with it."""
    return dict(_in_use)


def use(readers: Readers) -> None:
    """From now on read with these, too."""
    _in_use.update(readers)


def has_reader(path: Path) -> bool:
    """Whether a file is a picture to one of the readers in use, by its name."""
    return path.suffix.lower() in _in_use


def read_custom(path: Path) -> Picture:
    """What the reader in use gives for a file that it is for.

    Raises:
        ImageError: it fails, or gives something else than pixels.
    """
    name, reader = _in_use[path.suffix.lower()]
    try:
        pixels = reader(path)
    except Exception as error:  # Whatever it does.
        raise ImageError(f"{path} could not be read by {name}: {told(error)}.") from error
    if not (isinstance(pixels, np.ndarray) and _is_picture(pixels)):
        came = f"{pixels.dtype} of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise ImageError(
            f"{path} could not be read by {name}: pixels were wanted as an array of uint8 or uint16 and of shape "
            f"(H, W, 1), (H, W, 3) or (H, W, 4), but {came} came."
        )
    rgb = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[:, :, :3]
    return Picture(np.ascontiguousarray(rgb), pixels[:, :, 3].copy() if pixels.shape[2] == 4 else None)


def _is_picture(pixels: NDArray[Any]) -> bool:
    return (
        pixels.dtype in (np.uint8, np.uint16)
        and pixels.ndim == 3
        and pixels.shape[2] in (1, 3, 4)
        and 0 not in pixels.shape
    )
