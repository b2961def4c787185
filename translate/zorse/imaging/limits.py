"""Pillow's own limits, which are variables of the whole process: Zorse has its own, and checks them itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, PngImagePlugin

from zorse.imaging.png import MAX_TEXT

MOST_FRAMES = 10_000
"""Frames of an animation, or pages of a TIFF: each costs time, however small it is."""

_lock = threading.Lock()
_readers = 0
_usual: tuple[int | None, int, int] = (None, 0, 0)


@contextmanager
def own_limits() -> Iterator[None]:
    """Pillow reads and decodes pictures of any size, and texts up to `MAX_TEXT`; the last thread to leave resets it.

    Callers have checked the size, or read a header only.
    """
    global _readers, _usual
    with _lock:
        if _readers == 0:
            _usual = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
            Image.MAX_IMAGE_PIXELS = None
            PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0:
                Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = _usual
