"""Tensors out of the files that `torch.save` writes, and nothing else out of them."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import torch
from torch import Tensor

from zorse.errors import WeightsError

WRAPPERS = frozenset({"module", "_orig_mod"})
"""Parts of names that DataParallel and torch.compile put around a network."""


def load_data(path: Path) -> Any:
    """What `torch.save` wrote, on the CPU. Nothing but tensors and plain data is ever unpickled.

    Raises:
        OSError: it cannot be read.
        BadZipFile: it is damaged, if only by a bit. PyTorch writes checksums, but does not compare them.
        Exception: whatever other damage leads to in `torch.load`.
    """
    content = torch.load(path, map_location="cpu", weights_only=True)
    if is_zipfile(path):  # Before PyTorch 1.6 it was a plain pickle.
        with ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:
                raise BadZipFile(f"the checksum of {damaged} differs")
    return content


def read_content(path: Path) -> Mapping[str, Any]:
    """What is in a .pth, .pt or .ckpt file, old or new, on the CPU. Nothing but tensors and plain data is unpickled.

    Raises:
        WeightsError: missing, damaged, or in need of more than tensors and plain data.
    """
    try:
        content = load_data(path)
    except FileNotFoundError as error:
        raise WeightsError(f"There is no file {path}. Check the path.") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}). Check its permissions.") from error
    except Exception as error:  # torch.load raises whatever the content leads to.
        raise WeightsError(_refusal(path, str(error))) from error
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"{path} holds a {type(content).__name__}; a checkpoint is a dictionary of tensors. Save one with "
            "torch.save(network.state_dict(), FILE)."
        )
    return content


def is_own(content: Mapping[str, Any]) -> bool:
    """Whether it is a checkpoint of a training run of Zorse, of whatever version."""
    return {"config", "networks", "averages"} <= content.keys()


def _refusal(path: Path, reason: str) -> str:
    blocked = re.search(r"GLOBAL (\S+)", reason)
    if blocked or "TorchScript" in reason:
        found = f"an object of the kind {blocked[1]}" if blocked else "a TorchScript program"
        return (
            f"{path} holds more than tensors: {found}. Such a file can run any program while it is read, so nothing in "
            "it was loaded. In the program that wrote it, save the weights alone: torch.save(network.state_dict(), "
            "FILE)."
        )
    return (
        f"{path} is damaged or not a file of PyTorch: it cannot be read as a dictionary of tensors, and nothing in it "
        "was run. A copy or download that broke off? Get the file again."
    )


def flattened(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """All tensors of nested dictionaries, floating ones in 32 bits, by their names joined with dots.

    What DataParallel and torch.compile have put into the names is taken out again.
    """
    return {".".join(path): tensor for path, tensor in _tensors(content)}


def _tensors(content: Mapping[Any, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    for key, value in content.items():
        place = (*path, *(part for part in str(key).split(".") if part not in WRAPPERS))
        if isinstance(value, Mapping):
            yield from _tensors(value, place)
        elif isinstance(value, Tensor):
            tensor = value.detach()
            yield place, tensor.float() if tensor.is_floating_point() else tensor


def file_sha256(path: Path) -> str:
    """Of the whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
