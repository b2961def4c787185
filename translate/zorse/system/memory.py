"""Amounts of memory: how much is free, and how people write them."""

import ctypes
import os
import re
from contextlib import suppress
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
_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def parse_memory(text: str) -> int:
    """An amount as people write it, in bytes: "2GB", "800 MB", "1.5GiB", "2000000000".

    Raises:
        ConfigError: it is no such amount, or nothing.
    """
    match = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)\s*([kmgt]i?)?b?", text.strip().lower())
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


class Returning:
    """Gives freed memory back to the system whenever the process has grown, where the C library is glibc.

    It keeps freed blocks of up to 32 MB for itself. Where the sizes of blocks differ all the time, as those of tiles
    do, that comes to several times the memory in use.

    Args:
        growth: bytes that it may have grown by. Getting memory back from the system costs time: more is faster.
    """

    def __init__(self, growth: int) -> None:
        self._growth = growth
        self._resident = _resident()

    def __call__(self) -> None:
        """To be called often: it is cheap as long as the process has not grown."""
        self._resident = min(self._resident, _resident())
        if _resident() > self._resident + self._growth:
            give_back()
            self._resident = _resident()


def give_back() -> None:
    """Gives all memory that was freed back to the system, where the C library is glibc."""
    with suppress(AttributeError, OSError, TypeError):  # another system, or another C library
        ctypes.CDLL(None).malloc_trim(0)


def _resident() -> int:
    """Bytes that this process has in memory; 0 where the system cannot be asked."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


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
    """What the control groups that this process is in leave; a group without a limit leaves no number."""
    groups = [(folder, "memory.max", "memory.current", "inactive_file") for folder in _groups()]
    first_version = (_CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    free = []
    for folder, limit, usage, cache in (*groups, first_version):
        try:
            used = int((folder / usage).read_text()) - _reclaimable(folder / "memory.stat", cache)
            free.append(int((folder / limit).read_text()) - used)
        except (OSError, ValueError):
            continue
    return [max(amount, 0) for amount in free]


def _groups() -> list[Path]:
    """Folders of the control groups of version 2: this process's own first, what the container shows as root last."""
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
        own = Path(next(line[3:] for line in lines if line.startswith("0::")).lstrip("/"))
    except (OSError, StopIteration):
        own = Path()
    if ".." in own.parts:  # It lies outside of what the container shows.
        own = Path()
    return [_CGROUP / folder for folder in (own, *own.parents)]


def _reclaimable(statistics: Path, name: str) -> int:
    """Bytes of files that the system keeps in memory only because nobody has wanted it yet; they count as used."""
    try:
        lines = statistics.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[:1] == [name])
    except (OSError, StopIteration, ValueError, IndexError):
        return 0
