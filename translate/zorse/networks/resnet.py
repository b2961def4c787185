"""The ResNet generator of CycleGAN: c7s1-64, d128, d256, R256 x n, u128, u64, c7s1-3."""

from torch import Tensor, nn

from zorse.architecture import ResnetConfig
from zorse.networks.layers import needs_bias, norm_layer


class ResidualBlock(nn.Module):
    """x + F(x) with two 3x3 convolutions; shape (N, C, H, W) is kept."""

    def __init__(self, channels: int, config: ResnetConfig) -> None:
        super().__init__()
        bias = needs_bias(config.norm)
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(config.norm, channels),
            nn.ReLU(),
        ]
        if config.dropout:
            layers.append(nn.Dropout(0.5))
        layers += [
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(config.norm, channels),
        ]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        out: Tensor = x + self.body(x)
        return out


def upsampling(config: ResnetConfig, channels: int) -> list[nn.Module]:
    """Doubles the resolution and halves the channels.

    `transposed` is the published layer, whose uneven overlap can draw a checkerboard; `resize` repeats pixels and then
    convolves (Odena et al. 2016, Deconvolution and Checkerboard Artifacts).
    """
    bias = needs_bias(config.norm)
    half = channels // 2
    if config.upsampling == "transposed":
        return [nn.ConvTranspose2d(channels, half, 3, stride=2, padding=1, output_padding=1, bias=bias)]
    return [nn.Upsample(scale_factor=2, mode="nearest"), nn.ReflectionPad2d(1), nn.Conv2d(channels, half, 3, bias=bias)]


class ResnetGenerator(nn.Module):
    """Translates (N, in_channels, H, W) to (N, out_channels, H, W), both in [-1, 1]; H and W multiples of 4.

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
        for _ in range(2):
            layers += [
                nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=bias),
                norm_layer(config.norm, 2 * channels),
                nn.ReLU(),
            ]
            channels *= 2
        layers += [ResidualBlock(channels, config) for _ in range(config.n_blocks)]
        for _ in range(2):
            layers += [*upsampling(config, channels), norm_layer(config.norm, channels // 2), nn.ReLU()]
            channels //= 2
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(channels, config.out_channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1]."""
        out: Tensor = self.layers(image)
        return out
