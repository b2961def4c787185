"""Keeps decoders' own messages off the terminal; Zorse reports errors itself."""

import ctypes
import logging
import warnings

import PIL._imaging


def silence_pillow() -> None:
    """Keeps Pillow's warnings and log, and what libtiff prints of damaged files, off the terminal.

    Errors are raised as before. Other libraries' warnings and who listens to Pillow's log are left alone.
    """
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    try:
        # Pillow's module knows the functions of the libtiff that it is linked with.
        set_handler = ctypes.CDLL(PIL._imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):  # on Windows libtiff is a part of the module, and its functions have no names
        return
    set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
    set_handler(None)
