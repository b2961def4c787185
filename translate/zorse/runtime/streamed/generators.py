"""The programs of Zorse's generators: what `zorse.networks` builds as modules, in operations.

The names of weights and the constants are those of the modules; tests hold both against each other.
"""

from collections.abc import Container
from typing import Literal

from zorse.errors import ConfigError, IncompatibleWeights
from zorse.model.architecture import CompactConfig, CustomGeneratorConfig, ResnetConfig, UnetConfig
from zorse.model.architecture import Norm as NormKind
from zorse.model.card import ModelCard
from zorse.runtime.streamed.program import (
    Activation,
    Add,
    Border,
    Box,
    Concat,
    Conv,
    ConvTranspose,
    DepthToSpace,
    Enlarge,
    Norm,
    Op,
    Picture,
    Program,
    Recolour,
    SpaceToDepth,
)

_BLOCK, _DILATIONS, _HEADROOM = 4, (1, 2, 4), 0.9  # zorse.networks.compact
_WIDEST = 8  # zorse.networks.unet


def generator_program(card: ModelCard, weights: Container[str]) -> Program:
    """The operations of a generator.

    Args:
        card: names the architecture and how it normalises.
        weights: names of the weights that there are. A convolution whose bias is not among them has none; a BatchNorm
            whose running statistics are not among them has become part of the convolution before it.

    Raises:
        IncompatibleWeights: weights that the architecture needs are missing.
        ConfigError: it is a network of somebody else.
    """
    generator = _Builder(card, weights)
    match card.architecture:
        case ResnetConfig() as config:
            _resnet(generator, config)
        case UnetConfig() as config:
            _unet(generator, config)
        case CompactConfig() as config:
            _compact(generator, config)
        case CustomGeneratorConfig(kind=kind):
            raise ConfigError(
                f"The model {card.name!r} is a network of somebody else ({kind}), which cannot be computed in tiles. "
                "Leave --tiling out; pictures that need too much memory in one pass can be made smaller with --size."
            )
    return tuple(generator.ops)


def estimated_program(card: ModelCard) -> Program:
    """The operations of a generator, or for one of somebody else those of a heavy usual one: for costs."""
    if isinstance(card.architecture, CustomGeneratorConfig):
        card = card.model_copy(update={"architecture": ResnetConfig()})
    return generator_program(card, _AllNames())


class _AllNames:
    """Contains every name: for estimates, weights need not be read."""

    def __contains__(self, name: object) -> bool:
        return True


def _resnet(g: "_Builder", config: ResnetConfig) -> None:
    layer, channels = 1, config.base_channels
    x = g.conv(g.picture(config.in_channels), f"layers.{layer}", channels, 7, padding=3, border="reflect")
    x = g.relu(g.norm(x, f"layers.{layer + 1}", config.norm))
    layer += 3
    for down in range(2):
        channels *= 2
        blurs, last = config.downsampling == "blur", down == 1
        x = g.conv(x, f"layers.{layer}", channels, 3, stride=1 if blurs else 2, padding=1, keep=last and not blurs)
        x = g.relu(g.norm(x, f"layers.{layer + 1}", config.norm))
        if blurs:
            x = g.box(g.box(x, 2, padding=(1, 1), border="reflect"), 2, stride=2, keep=last)
        layer += 4 if blurs else 3
    for _ in range(config.n_blocks):
        body, second = f"layers.{layer}.body", 6 if config.dropout else 5
        y = g.conv(x, f"{body}.1", channels, 3, padding=1, border="reflect", keep=True)
        y = g.relu(g.norm(y, f"{body}.2", config.norm))
        y = g.conv(y, f"{body}.{second}", channels, 3, padding=1, border="reflect", keep=True)
        x = g.add(x, g.norm(y, f"{body}.{second + 1}", config.norm))
        layer += 1
    for _ in range(2):
        channels //= 2
        match config.upsampling:
            case "transposed":
                x = g.conv_transpose(x, f"layers.{layer}", channels, 3, output_padding=1)
            case "resize":
                layer += 2
                x = g.conv(g.enlarge(x, "nearest"), f"layers.{layer}", channels, 3, padding=1, border="reflect")
            case "bilinear":
                layer += 1
                x = g.conv(g.enlarge(x, "bilinear"), f"layers.{layer}", channels, 3, padding=1)
        x = g.relu(g.norm(x, f"layers.{layer + 1}", config.norm))
        layer += 3
    x = g.conv(x, f"layers.{layer + 1}", config.out_channels, 7, padding=3, border="reflect")
    g.activation(x, "tanh")


def _unet(g: "_Builder", config: UnetConfig) -> None:
    innermost = config.depth - 1
    widths = [config.base_channels * min(2**level, _WIDEST) for level in range(config.depth)]
    x = g.conv(g.picture(config.in_channels), "downs.0.layers.0", widths[0], 4, stride=2, padding=1)
    skips = [x]
    for level in range(1, config.depth):
        x = g.activation(x, "leaky")
        x = g.conv(x, f"downs.{level}.layers.1", widths[level], 4, stride=2, padding=1, keep=True)
        if level < innermost:
            x = g.norm(x, f"downs.{level}.layers.2", config.norm)
            skips.append(x)
    for up, level in enumerate(range(innermost, 0, -1)):
        x = g.conv_transpose(g.relu(x), f"ups.{up}.layers.1", widths[level - 1], 4, keep=True)
        x = g.concat(skips.pop(), g.norm(x, f"ups.{up}.layers.2", config.norm))
    x = g.conv_transpose(g.relu(x), "to_image.1", config.out_channels, 4)
    g.activation(x, "tanh")


def _compact(g: "_Builder", config: CompactConfig) -> None:
    channels = config.base_channels
    picture = g.picture(config.in_channels)
    x = g.conv(g.space_to_depth(picture, _BLOCK), "stem.1", channels, 3, padding=1, keep=True)
    x = g.relu(g.norm(x, "stem.2", config.norm))
    for block in range(config.n_blocks):
        body, dilation = f"blocks.{block}.body", _DILATIONS[block % len(_DILATIONS)]
        y = g.conv(x, f"{body}.0", channels, 3, padding=dilation, dilation=dilation, keep=True)
        y = g.relu(g.norm(y, f"{body}.1", config.norm))
        y = g.conv(y, f"{body}.3", channels, 3, padding=1, keep=True)
        x = g.add(x, g.norm(y, f"{body}.4", config.norm))
    x = g.conv(x, "to_pixels.0", config.finish_channels * _BLOCK**2, 1)
    x = g.box(g.depth_to_space(x, _BLOCK), _BLOCK, padding=((_BLOCK - 1) // 2, _BLOCK // 2), border="edge")
    x = g.conv(g.concat(x, picture), "finish.0", config.finish_channels, 3, padding=1)
    x = g.conv(g.activation(x, "leaky"), "finish.2", 1 + config.out_channels, 3, padding=1)
    g.append(Recolour((x, picture), config.out_channels, _HEADROOM))


class _Builder:
    """Appends operations; each method gives the index of its own."""

    def __init__(self, card: ModelCard, weights: Container[str]) -> None:
        self.ops: list[Op] = []
        self._card = card
        self._weights = weights

    def append(self, op: Op) -> int:
        self.ops.append(op)
        return len(self.ops) - 1

    def picture(self, channels: int) -> int:
        return self.append(Picture(channels))

    def conv(
        self,
        x: int,
        name: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: int = 0,
        border: Border = "zeros",
        keep: bool = False,
    ) -> int:
        weight, bias, inside = self._needed(f"{name}.weight"), self._optional(f"{name}.bias"), self._channels(x)
        return self.append(
            Conv((x,), channels, inside, weight, bias, kernel, stride, dilation, padding, border, keep=keep)
        )

    def conv_transpose(
        self, x: int, name: str, channels: int, kernel: int, *, output_padding: int = 0, keep: bool = False
    ) -> int:
        weight, bias, inside = self._needed(f"{name}.weight"), self._optional(f"{name}.bias"), self._channels(x)
        return self.append(
            ConvTranspose((x,), channels, inside, weight, bias, kernel, 1, output_padding=output_padding, keep=keep)
        )

    def norm(self, x: int, name: str, kind: NormKind) -> int:
        if kind == "none":
            return x
        if kind == "instance":
            return self.append(Norm((x,), self._channels(x)))
        of_picture = kind == "instance_affine" or self._card.norm_at_test == "picture"
        if not of_picture and f"{name}.running_mean" not in self._weights:
            return x
        running = None if of_picture else (f"{name}.running_mean", f"{name}.running_var")
        gain, offset = self._needed(f"{name}.weight"), self._needed(f"{name}.bias")
        return self.append(Norm((x,), self._channels(x), gain, offset, running))

    def relu(self, x: int) -> int:
        return self.activation(x, "relu")

    def activation(self, x: int, function: Literal["relu", "leaky", "tanh"]) -> int:
        return self.append(Activation((x,), self._channels(x), function))

    def add(self, x: int, y: int) -> int:
        return self.append(Add((x, y), self._channels(x), keep=True))

    def concat(self, x: int, y: int) -> int:
        return self.append(Concat((x, y), self._channels(x) + self._channels(y)))

    def box(
        self,
        x: int,
        size: int,
        *,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        border: Border = "edge",
        keep: bool = False,
    ) -> int:
        return self.append(Box((x,), self._channels(x), size, stride, padding, border, keep))

    def enlarge(self, x: int, interpolation: Literal["nearest", "bilinear"]) -> int:
        return self.append(Enlarge((x,), self._channels(x), interpolation))

    def space_to_depth(self, x: int, block: int) -> int:
        return self.append(SpaceToDepth((x,), self._channels(x) * block**2, block))

    def depth_to_space(self, x: int, block: int) -> int:
        return self.append(DepthToSpace((x,), self._channels(x) // block**2, block))

    def _channels(self, x: int) -> int:
        return self.ops[x].channels

    def _optional(self, name: str) -> str | None:
        return name if name in self._weights else None

    def _needed(self, name: str) -> str:
        if name not in self._weights:
            raise IncompatibleWeights(
                f"The model {self._card.name!r} has no weights {name!r}, which its {self._card.architecture.kind} "
                "network needs where a picture is too large for one pass. Export the model again with 'zorse export', "
                "or work at a smaller size (--size)."
            )
        return name
