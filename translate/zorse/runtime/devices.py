"""Where and how a network is computed: the devices by their short names, threads and memory. Imports nothing heavy."""

import ctypes
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from zorse.errors import ConfigError

Device = Literal["auto", "cpu", "cuda", "directml", "coreml", "openvino"]
"""`auto`: CUDA where it runs, else the CPU. The last three where the installed ONNX Runtime was built for them."""

Arena = Literal["auto", "keep", "off"]
"""What becomes of the memory for a network's inner maps when a picture is done. `auto`: the next picture uses it; that
of a large picture goes back to the system. `keep`: the next picture uses it, whatever it takes. `off`: it goes back to
the system, map by map: least memory, and slower."""

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

PROVIDERS: dict[Device, str] = {
    "cpu": CPU,
    "cuda": CUDA,
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""What ONNX Runtime calls them."""

SOURCES: dict[Device, str] = {
    "cuda": "pip install 'onnxruntime-gpu[cuda,cudnn]'",
    "directml": "on Windows pip install onnxruntime-directml",
    "coreml": "on a Mac pip install onnxruntime",
    "openvino": "pip install onnxruntime-openvino",
}
"""How to get an ONNX Runtime that is built for each."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Setting:
    """How sessions are opened.

    Raises:
        ConfigError: a value makes no sense.
    """

    device: Device = "auto"
    threads: int | None = None
    """CPU threads for one picture; None for one per core."""
    arena: Arena = "auto"

    def __post_init__(self) -> None:
        if self.device not in get_args(Device):
            raise ConfigError(f"The device {self.device!r} is none of {', '.join(get_args(Device))}.")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"{self.threads} threads cannot compute anything. Give 1 or more, or None for all cores.")
        if self.arena not in get_args(Arena):
            raise ConfigError(f"The arena {self.arena!r} is none of {', '.join(get_args(Arena))}.")


def cuda_devices() -> int:
    """How many GPUs the NVIDIA driver shows; 0 without driver."""
    try:
        driver: Any = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int()
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except OSError:
        return 0
    return count.value


def usable_cores() -> int:
    """Cores that this process may use: what the system, its affinity and the quota of its container leave of them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no container, or one without a quota: "max"
        return cores
