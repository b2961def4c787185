"""Pictures decoded once and kept as 8-bit pixels, for runs that must not wait for disk or decoder."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from zorse.data.decode import Picture, decode
from zorse.imaging.tensor import resize

Read = Callable[[Path], Picture]


def kept_in_memory(paths: Sequence[Path], largest: int | None) -> Read:
    """Decodes all pictures now, with all cores; gives what reads them from then on.

    Processes that are forked afterwards share the pixels.

    Args:
        paths: of the pictures.
        largest: short side, in pixels, beyond which pictures are shrunk to it, because nobody will want more of them;
            smaller ones stay as they are. None keeps all as they are.

    Raises:
        DatasetError: a picture that cannot be used.
    """
    unique = list(dict.fromkeys(paths))

    def read(path: Path) -> Picture:
        picture = decode(path) if largest is None else _shrunk(decode(path), largest)
        picture.flags.writeable = False  # All crops are cut from the same pixels.
        return picture

    with ThreadPoolExecutor() as pool:
        pictures = dict(zip(unique, pool.map(read, unique), strict=True))
    return pictures.__getitem__


def _shrunk(picture: Picture, largest: int) -> Picture:
    height, width = picture.shape[:2]
    scale = largest / min(height, width)
    if scale >= 1:
        return np.ascontiguousarray(picture)
    return np.asarray(resize(picture, round(height * scale), round(width * scale)), np.uint8)
