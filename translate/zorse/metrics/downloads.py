"""Weights that libraries fetch from the internet when they are first used, and what to say when they cannot."""

import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import torch

from zorse.errors import WeightsError

PATIENCE = 30.0
"""Seconds without a byte after which a download has failed."""


@contextmanager
def fetching(what: str, url: str, size: str) -> Iterator[None]:
    """Inside, a library may download weights to PyTorch's cache; a failure becomes an error for the user.

    Args:
        what: that needs them, as a noun: "FID".
        url: where they come from.
        size: for people: "95 MB".

    Raises:
        WeightsError: they are not in the cache and cannot be had, or are damaged there.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    except (OSError, HTTPException, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        file = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
        damaged = f"The file {file} is damaged ({_reason(error)}). Delete it."
        problem = damaged if file.is_file() else f"The download failed ({_reason(error)})."
        raise WeightsError(
            f"{what} needs weights ({size}) that are fetched once from {url}. {problem} Try again where the internet "
            f"can be reached, or fetch the file elsewhere and put it at {file}."
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip("<>.") if lines else type(error).__name__
