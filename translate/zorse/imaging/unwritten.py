"""Pixels that a decoder never wrote: what then stands there is whatever the memory held before, another picture, say.

A decoder of a damaged file may give back a buffer that it filled only in part, and say nothing. So risky files are
decoded twice, each time with new memory filled with another byte: where the two differ, nothing was written.
"""

import ctypes
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from PIL import Image

from zorse.imaging.deep import Deep

_M_PERTURB = -6
"""Of glibc's malloc.h: new memory is filled with the complement of the low byte of the option's value."""

_FILLS = (0x5A, 0xC3)

_BAND = 2**22
"""Bytes at a time."""

one_decoder = threading.Lock()
"""Held while a file is decoded twice: what new memory is filled with is the whole process's."""


def digest(image: Image.Image | None, deep: Deep | None) -> bytes:
    """Of decoded pixels.

    Args:
        image: decoded by Pillow; None where it was not.
        deep: those that were decoded in full depth beside it.
    """
    sha = hashlib.sha256()
    if image is not None:
        sha.update(f"{image.mode}{image.size}".encode())
        rows = max(1, _BAND // (4 * image.width))
        for top in range(0, image.height, rows):
            sha.update(image.crop((0, top, image.width, min(top + rows, image.height))).tobytes())
    for pixels in deep or ():
        if pixels is not None:
            sha.update(np.ascontiguousarray(pixels).data)
    return sha.digest()


@contextmanager
def filled_memory(which: int) -> Iterator[None]:
    """New memory holds one of two bytes.

    Where that cannot be had (not Linux with glibc), memory that was just used so is the likeliest to be given out.

    Args:
        which: 0 or 1.
    """
    fill = _FILLS[which]
    set_option = _mallopt()
    if set_option is None:
        for size in range(6, 24):
            bytes([fill]) * 2**size  # taken, filled and given back: the decoder may get it next
        yield
        return
    set_option(_M_PERTURB, fill)
    try:
        yield
    finally:
        set_option(_M_PERTURB, 0)


@cache
def _mallopt() -> Callable[[int, int], int] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    is_glibc = hasattr(libc, "gnu_get_libc_version")  # others have the function, and no such option
    return libc.mallopt if is_glibc else None
