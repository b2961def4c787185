"""What of Zorse works on this computer: one finding for each part, with advice where something is missing."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from zorse.errors import ZorseError
from zorse.model.registry import Entry, find_file, shipped_models, verify, weights_folder
from zorse.system.extras import FOR_FIGURES, MODULES, Extra, missing_modules


@dataclass(frozen=True)
class Finding:
    """One part of the installation."""

    part: str
    state: Literal["ok", "note", "broken"]
    """`note`: works, or is optional and missing."""
    found: str
    advice: str = ""


def diagnose() -> list[Finding]:
    """Looks at everything; imports torch if it is there, to ask it for GPUs."""
    return [
        Finding("Zorse", "ok", f"{_version('zorse') or 'source checkout'}, {Path(__file__).parent}"),
        Finding("Python", "ok", f"{platform.python_version()}, {platform.platform()}"),
        _processor(),
        _memory(),
        *_packages(),
        _onnx_runtime(),
        _gpu(),
        *_models(),
        _translation(),
        _page(),
        _videos(),
        *_training(),
    ]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> Finding:
    from zorse.runtime.devices import usable_cores

    cores, usable = os.cpu_count() or 1, usable_cores()
    limited = "" if usable == cores else f", of which this process may use {usable}"
    return Finding("processor", "ok", f"{cores} cores{limited}")


def _memory() -> Finding:
    from zorse.system.memory import available_memory, format_memory

    free = available_memory()
    found = f"{format_memory(free)} are free"
    if free < 10**9:
        return Finding("memory", "note", found, "Close other programs, and translate with --size native.")
    return Finding("memory", "ok", found)


def _packages() -> Iterator[Finding]:
    import cv2
    import numpy
    import PIL

    yield Finding("numpy", "ok", numpy.__version__)
    yield Finding("Pillow", "ok", PIL.__version__)
    yield Finding("OpenCV", "ok", cv2.__version__)


def _onnx_runtime() -> Finding:
    both = _version("onnxruntime") and _version("onnxruntime-gpu")
    try:
        import onnxruntime
    except ImportError as error:
        return Finding("ONNX Runtime", "broken", f"cannot be imported: {error}", "pip install --force-reinstall zorse")
    found = f"{onnxruntime.__version__}, built for {', '.join(onnxruntime.get_available_providers())}"
    if both:
        advice = "Two versions hide each other: pip uninstall onnxruntime onnxruntime-gpu, then install Zorse again."
        return Finding("ONNX Runtime", "note", f"{found}; onnxruntime and onnxruntime-gpu are both installed", advice)
    return Finding("ONNX Runtime", "ok", found)


def _gpu() -> Finding:
    """Whether models run on the GPU that is there, and if not, why: ONNX Runtime itself goes to the CPU silently."""
    from zorse.backends.onnx.backend import OnnxBackend
    from zorse.runtime.devices import cuda_devices

    count = cuda_devices()
    if count == 0:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = "" if hidden is None else f" (CUDA_VISIBLE_DEVICES is {hidden!r})"
        return Finding("GPU", "note", f"the NVIDIA driver shows none{why}; models run on the CPU{_other_devices()}")
    file = _first_file()
    if file is None:
        return Finding("GPU", "note", f"{count} found; without a model it is not known whether CUDA runs")
    try:
        backend = OnnxBackend(file, "cuda")
    except ZorseError as error:
        return Finding("GPU", "note", f"{count} found, but models run on the CPU", str(error))
    return Finding("GPU", "ok", f"{count} found; models run with {backend.provider}")


def _other_devices() -> str:
    """What else the installed ONNX Runtime offers."""
    import onnxruntime

    from zorse.runtime.devices import PROVIDERS

    built = onnxruntime.get_available_providers()
    others = [name for name, provider in PROVIDERS.items() if provider in built and name not in ("cpu", "cuda")]
    return f", or with --device {' or '.join(others)}" if others else ""


def _models() -> Iterator[Finding]:
    try:
        models = shipped_models()
    except ZorseError as error:
        yield Finding("models", "broken", str(error), "Install Zorse again.")
        return
    if not models:
        yield Finding("models", "note", f"none in {weights_folder()}", "Use your own: zorse translate -m FILE.onnx")
    for name, entry in models.items():
        yield _model(name, entry)


def _model(name: str, entry: Entry) -> Finding:
    part = f"model {name}"
    file = find_file(entry)
    if file is None and entry.url is not None:
        return Finding(part, "note", "not downloaded yet", f"zorse models download {name}")
    if file is None:
        return Finding(part, "broken", f"{weights_folder() / entry.file} is missing", "Install Zorse again.")
    try:
        verify(file, entry.sha256)
    except (ZorseError, OSError) as error:
        return Finding(part, "broken", str(error))
    return Finding(part, "ok", f"{file}, checksum right")


def _translation() -> Finding:
    """A real run of a real model, since an import alone proves little."""
    import numpy as np

    from zorse.loading import load

    file = _first_file()
    if file is None:
        return Finding("translating", "note", "not tried: there is no model")
    try:
        translator = load(file)
        translator(np.zeros((64, 64, 3), np.uint8), size="keep")
    except ZorseError as error:
        return Finding("translating", "broken", str(error))
    return Finding("translating", "ok", f"{file.name} ran on {translator.provider}")


def _first_file() -> Path | None:
    try:
        files = (find_file(entry) for entry in shipped_models().values())
        return next((file for file in files if file is not None), None)
    except ZorseError:
        return None


def _page() -> Finding:
    return _extra("page (zorse ui)", "app", MODULES["app"])


def _videos() -> Finding:
    return _extra("videos", "video", MODULES["video"])


def _extra(part: str, extra: Extra, modules: tuple[str, ...]) -> Finding:
    if missing := missing_modules(*modules):
        return Finding(part, "note", f"missing: {', '.join(missing)}", f"pip install 'zorse[{extra}]'")
    return Finding(part, "ok", f"all packages of the extra '{extra}' are installed")


def _training() -> Iterator[Finding]:
    yield _extra("training", "train", (*MODULES["train"], *FOR_FIGURES))
    yield _extra("export to ONNX", "export", MODULES["export"])
    if missing_modules("torch"):
        return
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("torch", "broken", f"cannot be imported: {error}", "pip install --force-reinstall torch")
        return
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    yield Finding(
        "torch", "ok", f"{torch.__version__}, {', '.join(gpus) or 'on the CPU'}, {torch.get_num_threads()} threads"
    )
