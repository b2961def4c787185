"""What a pretrained network sees in pictures: the features that KID compares."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from zorse.imaging.io import read_picture, to_uint8
from zorse.networks.efficientnet import N_FEATURES, EfficientNetTrunk

FEATURE_SIZE = 224
"""Side, in pixels, that every picture is resized to before the network sees it."""
BATCH_SIZE = 16


def extract_features(
    pictures: Iterable[Path | NDArray[np.uint8]],
    trunk: EfficientNetTrunk,
    on_progress: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Features of pictures, one row each: (N, 1280).

    Each picture is resized as a whole to 224 x 224 pixels with Pillow's bicubic filter, which smooths when it shrinks.

    Args:
        pictures: files, or arrays (H, W, 3) in [0, 255]; they may come from a generator.
        trunk: from `load_efficientnet`.
        on_progress: called after each batch with the number of pictures done so far.

    Raises:
        ImageError: a file that cannot be read as a picture.
    """
    rows: list[NDArray[np.float32]] = []
    done = 0
    for batch in _batches(pictures):
        with torch.inference_mode():
            rows.append(trunk(torch.from_numpy(batch)).numpy())
        done += len(batch)
        if on_progress is not None:
            on_progress(done)
    return np.concatenate(rows) if rows else np.empty((0, N_FEATURES), np.float32)


def _batches(pictures: Iterable[Path | NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
    """(n, 3, 224, 224) in [-1, 1], n <= BATCH_SIZE."""
    batch: list[NDArray[np.float32]] = []
    for picture in pictures:
        batch.append(_prepared(picture))
        if len(batch) == BATCH_SIZE:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def _prepared(picture: Path | NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture as the network takes it: (3, 224, 224) in [-1, 1]."""
    rgb = picture if isinstance(picture, np.ndarray) else to_uint8(read_picture(picture).rgb)
    resized = Image.fromarray(rgb).resize((FEATURE_SIZE, FEATURE_SIZE), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float32).transpose(2, 0, 1) / 127.5 - 1
