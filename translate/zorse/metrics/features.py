"""What a pretrained network sees in pictures: the features that KID compares."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from zorse.data.decode import Picture, decode
from zorse.networks.efficientnet import N_FEATURES, EfficientNetTrunk

FEATURE_SIZE = 224
"""Side, in pixels, that every picture is resized to before the network sees it."""
BATCH_SIZE = 16


class FeatureCollector:
    """Takes pictures one at a time and keeps their features; the pictures themselves are forgotten.

    Each picture is resized as a whole to 224 x 224 pixels with Pillow's bicubic filter, which smooths when it shrinks.

    Args:
        trunk: from `load_efficientnet`.
    """

    def __init__(self, trunk: EfficientNetTrunk) -> None:
        self._trunk = trunk
        self._waiting: list[NDArray[np.float32]] = []
        self._rows: list[NDArray[np.float32]] = []

    def add(self, picture: Picture) -> None:
        """Take one picture: (H, W, 3) uint8."""
        resized = Image.fromarray(picture).resize((FEATURE_SIZE, FEATURE_SIZE), Image.Resampling.BICUBIC)
        self._waiting.append(np.asarray(resized, np.float32).transpose(2, 0, 1) / 127.5 - 1)
        if len(self._waiting) == BATCH_SIZE:
            self._look()

    def features(self) -> NDArray[np.float32]:
        """Features of all pictures so far, in their order: (N, 1280)."""
        if self._waiting:
            self._look()
        return np.concatenate(self._rows) if self._rows else np.empty((0, N_FEATURES), np.float32)

    def _look(self) -> None:
        with torch.inference_mode():
            self._rows.append(self._trunk(torch.from_numpy(np.stack(self._waiting))).numpy())
        self._waiting.clear()


def extract_features(pictures: Iterable[Path | Picture], trunk: EfficientNetTrunk) -> NDArray[np.float32]:
    """Features of pictures, one row each: (N, 1280).

    Args:
        pictures: files, or arrays (H, W, 3) uint8; they may come from a generator.
        trunk: from `load_efficientnet`.

    Raises:
        DatasetError: a file that cannot be used as a picture.
    """
    collector = FeatureCollector(trunk)
    for picture in pictures:
        collector.add(decode(picture) if isinstance(picture, Path) else picture)
    return collector.features()
