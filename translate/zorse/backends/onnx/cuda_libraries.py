"""The libraries of CUDA and cuDNN that ONNX Runtime needs: found in NVIDIA's pip packages, loaded, or named as missing.

ONNX Runtime itself looks for them only where the system looks for libraries, and goes on with the CPU where one is
missing.
"""

import ctypes
import re
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Library:
    """A shared library that the CUDA provider is linked to."""

    file: str
    package: str
    """The pip package that brings it."""


def libraries(cuda: str) -> list[Library]:
    """What an ONNX Runtime for this version of CUDA ("12.8") needs, each after those that it needs itself."""
    major = int(re.split(r"\D", cuda, maxsplit=1)[0] or 12)
    suffix = "" if major >= 13 else f"-cu{major}"  # NVIDIA's packages for CUDA 13 have no number in their names
    fft = major - 1
    files = {
        "cudart": (f"libcudart.so.{major}", f"cudart64_{major}.dll", f"nvidia-cuda-runtime{suffix}"),
        "cublasLt": (f"libcublasLt.so.{major}", f"cublasLt64_{major}.dll", f"nvidia-cublas{suffix}"),
        "cublas": (f"libcublas.so.{major}", f"cublas64_{major}.dll", f"nvidia-cublas{suffix}"),
        "nvrtc": (f"libnvrtc.so.{major}", f"nvrtc64_{major}0_0.dll", f"nvidia-cuda-nvrtc{suffix}"),
        "curand": ("libcurand.so.10", "curand64_10.dll", f"nvidia-curand{suffix}"),
        "cufft": (f"libcufft.so.{fft}", f"cufft64_{fft}.dll", f"nvidia-cufft{suffix}"),
        "cudnn": ("libcudnn.so.9", "cudnn64_9.dll", f"nvidia-cudnn-cu{major}"),
    }
    return [Library(dll if sys.platform == "win32" else so, package) for so, dll, package in files.values()]


def preload(needed: list[Library]) -> list[Library]:
    """Loads libraries, so that ONNX Runtime finds them in this process; gives those that are nowhere."""
    folders = list(package_folders())
    return [library for library in needed if not any(map(_loads, _places(library, folders)))]


def package_folders() -> Iterator[Path]:
    """Where NVIDIA's pip packages keep their libraries."""
    roots = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    if site.ENABLE_USER_SITE:
        roots.add(site.getusersitepackages())
    for root in sorted(roots):
        for pattern in ("nvidia/*/lib", "nvidia/*/bin", "nvidia/*/bin/x86_64"):
            yield from sorted(Path(root).glob(pattern))


def advice(missing: list[Library]) -> str:
    """What to type to get them."""
    packages = dict.fromkeys(library.package for library in missing)
    return f"pip install {' '.join(packages)}"


def _places(library: Library, folders: list[Path]) -> Iterator[str]:
    for folder in folders:
        if (folder / library.file).is_file():
            yield str(folder / library.file)
    yield library.file  # wherever the system itself finds it


def _loads(file: str) -> bool:
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return True
