"""Zorse's compact generator: most of the work at quarter resolution, a change of the picture as the result."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zorse.model.architecture import CompactConfig
from zorse.networks.layers import norm_layer
from zorse.networks.recompute import Recomputable, Residual

STRIDE = 4
"""Side of the blocks of pixels that become one position of the working resolution."""
DILATIONS = (1, 2, 4)
"""Of the blocks' first convolutions, in turn: a wide view of the picture at no cost."""
HEADROOM = 0.9
"""Share of the tanh's range that the untouched picture fills. Below 1, black and white pixels keep a gradient."""


class DilatedBlock(Residual):
    """x + F(x) with two 3x3 convolutions, the first one dilated; shape (N, C, H, W) is kept."""

    def __init__(self, config: CompactConfig, dilation: int) -> None:
        channels = config.base_channels
        super().__init__(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation),
                norm_layer(config.norm, channels),
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1),
                norm_layer(config.norm, channels),
            )
        )


def box_filter(x: Tensor) -> Tensor:
    """Mean over STRIDE x STRIDE pixels around each pixel; shape (N, C, H, W) is kept.

    Every pattern that repeats with the period of depth-to-space, and that is all that a checkerboard is, has the same
    mean over each such window: the filter removes it whatever the weights are, and keeps everything slower.
    """
    before, after = (STRIDE - 1) // 2, STRIDE // 2
    return F.avg_pool2d(F.pad(x, (before, after, before, after), mode="replicate"), STRIDE, stride=1)


class CompactGenerator(Recomputable):
    """Translates (N, 3, H, W) to (N, 3, H, W), both in [-1, 1]; H and W multiples of 4.

    space-to-depth -> convolution -> residual blocks -> depth-to-space -> box filter -> light full-resolution finish.
    Before the tanh the picture is scaled by one number per pixel, and a change is added. A network that outputs zero
    changes nothing: what the translation does not need to touch stays as it is, at full detail. The scale lets it wipe
    out what must go, such as a zebra's stripes, which a sum alone would have to cancel pixel by pixel.
    """

    encoder_layers = ("stem",)

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        channels = config.base_channels
        self.out_channels = config.out_channels
        self.taps = tuple(sorted({0, (config.n_blocks - 1) // 2}))
        self.encoded_channels = (config.in_channels, channels, *(channels for _ in self.taps))
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(STRIDE),
            nn.Conv2d(config.in_channels * STRIDE**2, channels, 3, padding=1),
            norm_layer(config.norm, channels),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(
            *(DilatedBlock(config, DILATIONS[index % len(DILATIONS)]) for index in range(config.n_blocks))
        )
        self.to_pixels = nn.Sequential(
            nn.Conv2d(channels, config.finish_channels * STRIDE**2, 1), nn.PixelShuffle(STRIDE)
        )
        self.finish = nn.Sequential(
            nn.Conv2d(config.finish_channels + config.in_channels, config.finish_channels, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(config.finish_channels, 1 + config.out_channels, 3, padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 3, H, W) in [-1, 1]; up to 1 / HEADROOM beyond while training."""
        return self.passing(self._finished, self.blocks(self.stem(image)), image)

    def _finished(self, x: Tensor, image: Tensor) -> Tensor:
        """Features at quarter resolution, and the picture that they change -> the picture changed."""
        features = box_filter(self.to_pixels(x))
        scale, change = self.finish(torch.cat([features, image], dim=1)).split([1, self.out_channels], dim=1)
        # atanh brings the picture to where the tanh will take it back from; outside of [-1, 1] it has no value.
        picture = torch.atanh(HEADROOM * image.clamp(-1, 1))
        translated = torch.tanh((1 + scale) * picture + change) / HEADROOM
        # A clamp has no gradient where it bites: while training, the discriminator keeps the values in range instead.
        return translated if self.training else translated.clamp(-1, 1)

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> the features that CUT compares, `encoded_channels` of them.

        They are the picture itself, the stem's result, and those of the first and the middle block.
        """
        x = self.stem(image)
        maps = [image, x]
        for index, block in enumerate(self.blocks[: self.taps[-1] + 1]):
            x = block(x)
            if index in self.taps:
                maps.append(x)
        return maps
