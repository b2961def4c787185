"""Amounts of memory: how much is free, and how people write them."""

import ctypes
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zorse.errors import ConfigError

UNKNOWN = 4 * 10**9
"""Bytes assumed to be free where the system cannot be asked."""

_UNITS = {
    "": 1,
    "b": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
# Options of glibc's mallopt: from which size on a block goes back to the system as soon as it is free, and how much is
# kept of the smaller ones.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_LARGEST_KEPT = 2**25
"""Where glibc gets by itself when it sees large blocks."""
_CGROUP = Path("/sys/fs/cgroup")


def parse_memory(text: str) -> int:
    """An amount as people write it, in bytes: "2GB", "800 MB", "1.5GiB", "2000000000".

    Raises:
        ConfigError: it is no such amount, or nothing.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", text.strip().lower())
    amount = int(float(match[1]) * _UNITS[match[2] or ""]) if match else 0
    if amount <= 0:
        raise ConfigError(f"{text!r} is not an amount of memory. Write it like 2GB, 800MB or 1.5GiB.")
    return amount


def format_memory(size: int) -> str:
    """Bytes as people read them, rounded up: "2.1 GB"."""
    if size < 10**9:
        return f"{-(-size // 10**6)} MB"
    return f"{-(-size // 10**8) / 10:.1f} GB"


def available_memory() -> int:
    """Bytes that this process can still take without pushing others out, within the limit of its container."""
    return min([_free_in_system(), *_free_in_containers()])


@contextmanager
def freed_at_once(memory: int) -> Iterator[None]:
    """Inside, large blocks that are freed go back to the system at once, where the C library is glibc.

    By itself it keeps blocks of up to 32 MB, and with sizes that differ from stage to stage twice what is needed.

    Args:
        memory: bytes that are to suffice. With more of them larger blocks are kept: new ones cost time.
    """
    try:
        set_option: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another system, or another C library
        yield
        return
    kept = min(max(memory // 64, 2**18), 2**23)
    set_option(_M_MMAP_THRESHOLD, kept)
    set_option(_M_TRIM_THRESHOLD, 4 * kept)
    try:
        yield
    finally:
        set_option(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        set_option(_M_TRIM_THRESHOLD, 2 * _LARGEST_KEPT)


def _free_in_system() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:  # macOS: all of the memory is known, not what others use of it
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):
        return UNKNOWN


def _free_in_containers() -> list[int]:
    """What the control groups above this process leave, innermost first; a group without a limit leaves no number."""
    free = []
    for limit, usage in (
        ("memory.max", "memory.current"),  # version 2
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),  # version 1
    ):
        try:
            free.append(int((_CGROUP / limit).read_text()) - int((_CGROUP / usage).read_text()))
        except (OSError, ValueError):
            continue
    return [max(amount, 0) for amount in free]
