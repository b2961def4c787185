"""What the process that holds a stranger's file may take of the system, and do in it: Linux and macOS only."""

import ctypes
import sys
from contextlib import suppress

_OPENING = 10
"""Seconds of processor time for everything up to the first pixel."""
_FILES = 64
"""That may be open at once."""
_FILE_SIZE = 2**35
"""Bytes of the longest video that may be written."""
_NO_NEW_PRIVILEGES = 38
"""Linux' PR_SET_NO_NEW_PRIVS: no program that this process could start gets more rights than it has."""


def confine(memory: int, seconds: int) -> None:
    """Takes from this process what it does not need.

    Args:
        memory: bytes that it may take.
        seconds: of processor time; until `begin_work` it may take a few only, and write no files.
    """
    import resource

    for kind, soft, hard in (
        (resource.RLIMIT_DATA, memory, memory),
        (resource.RLIMIT_CPU, min(_OPENING, seconds), seconds),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, _FILES, _FILES),
        (resource.RLIMIT_FSIZE, 0, _FILE_SIZE),
    ):
        with suppress(ValueError, OSError):  # a lower limit is in force
            resource.setrlimit(kind, (soft, hard))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def begin_work(*, writes_files: bool) -> None:
    """Allows the processor time that the whole file may take; what was opened has been found fit.

    Args:
        writes_files: whether this process may write to files.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    _, longest = resource.getrlimit(resource.RLIMIT_FSIZE)
    longest = longest if writes_files else 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))
