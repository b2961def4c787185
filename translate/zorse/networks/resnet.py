"""The ResNet generator of CycleGAN: c7s1-64, d128, d256, R256 x n, u128, u64, c7s1-3."""

from torch import Tensor, nn

from zorse.model.architecture import ResnetConfig
from zorse.networks.layers import Blur, needs_bias, norm_layer
from zorse.networks.recompute import Recomputable, Residual
from zorse.networks.winograd import Conv3x3

TAPPED_BLOCKS = (0, 4)
"""Residual blocks whose output CUT compares, where the network has so many."""


class ResidualBlock(Residual):
    """x + F(x) with two 3x3 convolutions; shape (N, C, H, W) is kept."""

    def __init__(self, channels: int, config: ResnetConfig) -> None:
        bias = needs_bias(config.norm)
        # The identities are where the published layers pad. The convolutions do it here, and keep their weights' names.
        layers: list[nn.Module] = [
            nn.Identity(),
            Conv3x3(channels, channels, bias, border="reflect"),
            norm_layer(config.norm, channels),
            nn.ReLU(inplace=True),
        ]
        if config.dropout:
            layers.append(nn.Dropout(0.5))
        layers += [
            nn.Identity(),
            Conv3x3(channels, channels, bias, border="reflect"),
            norm_layer(config.norm, channels),
        ]
        super().__init__(nn.Sequential(*layers))


def downsampling(config: ResnetConfig, channels: int) -> list[nn.Module]:
    """Halves the resolution and doubles the channels."""
    bias, double = needs_bias(config.norm), 2 * channels
    activation = [norm_layer(config.norm, double), nn.ReLU()]
    if config.downsampling == "strided":
        return [nn.Conv2d(channels, double, 3, stride=2, padding=1, bias=bias), *activation]
    return [Conv3x3(channels, double, bias, border="zeros"), *activation, Blur()]


def upsampling(config: ResnetConfig, channels: int) -> list[nn.Module]:
    """Doubles the resolution and halves the channels.

    `transposed` is the published layer, whose uneven overlap can draw a checkerboard; `resize` repeats pixels and then
    convolves (Odena et al. 2016, Deconvolution and Checkerboard Artifacts); `bilinear` is what CUT's antialiased
    upsampling computes (a transposed convolution with the fixed filter 1-3-3-1), and then convolves.
    """
    bias = needs_bias(config.norm)
    half = channels // 2
    match config.upsampling:
        case "transposed":
            return [nn.ConvTranspose2d(channels, half, 3, stride=2, padding=1, output_padding=1, bias=bias)]
        case "resize":
            larger = nn.Upsample(scale_factor=2, mode="nearest")
            return [larger, nn.ReflectionPad2d(1), Conv3x3(channels, half, bias)]
        case "bilinear":
            larger = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
            return [larger, Conv3x3(channels, half, bias, border="zeros")]


class ResnetGenerator(Recomputable):
    """Translates (N, in_channels, H, W) to (N, out_channels, H, W), both in [-1, 1]; H and W multiples of 4.

    What CUT compares are the features of its encoder: the picture itself, both downsampling convolutions, the first
    and the fifth residual block (Park et al. 2020, section 4).

    Source: Zhu et al. 2017, appendix 7.2; Johnson et al. 2016.
    """

    def __init__(self, config: ResnetConfig) -> None:
        super().__init__()
        bias = needs_bias(config.norm)
        channels = config.base_channels
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(config.in_channels, channels, 7, bias=bias),
            norm_layer(config.norm, channels),
            nn.ReLU(),
        ]
        taps: dict[int, int] = {}  # Index of a layer that `encode` shows -> its channels.
        for _ in range(2):
            taps[len(layers)] = 2 * channels
            layers += downsampling(config, channels)
            channels *= 2
        taps |= {len(layers) + block: channels for block in TAPPED_BLOCKS if block < config.n_blocks}
        self.taps = tuple(taps)
        self.encoded_channels = (config.in_channels, *taps.values())
        self.first_block, self.after_blocks = len(layers), len(layers) + config.n_blocks
        self.encoder_layers = tuple(f"layers.{index}" for index in range(self.first_block))
        layers += [ResidualBlock(channels, config) for _ in range(config.n_blocks)]
        for _ in range(2):
            layers += [*upsampling(config, channels), norm_layer(config.norm, channels // 2), nn.ReLU(inplace=True)]
            channels //= 2
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(channels, config.out_channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1]."""
        x = self.passing(self.layers[: self.first_block], image)
        for block in self.layers[self.first_block : self.after_blocks]:
            x = block(x)
        return self.passing(self.layers[self.after_blocks :], x)

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) in [-1, 1] -> the features that CUT compares, `encoded_channels` of them."""
        maps = [image]
        x = image
        for index, layer in enumerate(self.layers[: self.taps[-1] + 1]):
            x = layer(x)
            if index in self.taps:
                maps.append(x)
        return maps
