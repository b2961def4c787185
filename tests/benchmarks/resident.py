"""Memory of this process, from Linux."""

from pathlib import Path


def resident_mb(field: str) -> float:
    """`VmRSS`, what it holds, or `VmHWM`, the most that it ever held: not ru_maxrss, which it inherits."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))


def reset_peak() -> None:
    """From here on, `VmHWM` is the most since now: opening a model takes more than its session holds."""
    Path("/proc/self/clear_refs").write_text("5")
