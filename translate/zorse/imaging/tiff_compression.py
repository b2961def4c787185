"""Compressions of TIFFs: which of them are read here, and what they are called."""

import ctypes
from collections.abc import Callable
from functools import cache

import PIL._imaging
from PIL import TiffImagePlugin

_NAMES = {
    9: "JBIG",
    10: "JBIG",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG of raw photos",
    34925: "LZMA",
    34927: "WebP",
    34933: "PNG",
    34934: "JPEG XR",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}


def unread_compression(number: int) -> str | None:
    """What is wrong with a TIFF compressed so, in words that follow the file's name; None where it can be read.

    Args:
        number: TIFF's, of the compression.
    """
    is_configured = _is_configured()
    if number in TiffImagePlugin.COMPRESSION_INFO and (is_configured is None or is_configured(number)):
        return None
    name = _NAMES.get(number, f"compression {number}")
    return f"is a TIFF that holds {name}, which cannot be read here. Save it with LZW or deflate compression."


@cache
def _is_configured() -> Callable[[int], int] | None:
    """Tells of a compression whether libtiff was built with it; None where it cannot be asked."""
    try:
        # Pillow's module knows the functions of the libtiff that it is linked with.
        function = ctypes.CDLL(PIL._imaging.__file__).TIFFIsCODECConfigured
    except (AttributeError, OSError):  # on Windows its functions have no names
        return None
    function.argtypes, function.restype = [ctypes.c_uint16], ctypes.c_int
    return function
