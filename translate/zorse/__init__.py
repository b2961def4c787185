"""Zorse translates pictures between visual domains: horse and zebra, photo and painting, edges and photo.

    import zorse
    horse2zebra = zorse.load("horse2zebra")
    horse2zebra("horse.jpg").save("zebra.png")

Names are imported when they are first used (PEP 562), and none of them imports torch.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

# ONNX Runtime from 1.29 on reports its use to its makers, and marks the computer for it, unless this is set before it
# is imported. Who wants that sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from zorse.errors import (
        ConfigError,
        CustomCodeError,
        DatasetError,
        DeviceError,
        ExportError,
        ImageError,
        MissingExtraError,
        TrainingDivergedError,
        WeightsError,
        ZorseError,
    )
    from zorse.loading import load
    from zorse.model.card import ModelCard
    from zorse.model.registry import shipped_models
    from zorse.runtime.translator import Translator

    __version__: str

__all__ = [
    "ConfigError",
    "CustomCodeError",
    "DatasetError",
    "DeviceError",
    "ExportError",
    "ImageError",
    "MissingExtraError",
    "ModelCard",
    "TrainingDivergedError",
    "Translator",
    "WeightsError",
    "ZorseError",
    "__version__",
    "load",
    "shipped_models",
]

_HOMES = {
    "ModelCard": "zorse.model.card",
    "Translator": "zorse.runtime.translator",
    "load": "zorse.loading",
    "shipped_models": "zorse.model.registry",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return _version()
    if name not in __all__:
        raise AttributeError(f"module 'zorse' has no attribute {name!r}")
    value: object = vars(import_module(_HOMES.get(name, "zorse.errors")))[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("zorse")
    except PackageNotFoundError:  # run from a source checkout that is not installed
        return "0+source"
