"""A generator as a flat list of operations on maps, without weights and without a framework.

An operation names the operations whose results it takes by their index in the list; its own result has `channels`
channels. Weights are named as in the network's state, and belong to whoever computes.
"""

from dataclasses import dataclass
from typing import Literal, TypeGuard

Border = Literal["zeros", "reflect", "edge"]
"""What lies beyond a map's border."""


@dataclass(frozen=True)
class Picture:
    """The picture itself: always the first operation."""

    channels: int
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Conv:
    """Square convolution, padded alike on all sides."""

    inputs: tuple[int]
    channels: int
    in_channels: int
    weight: str
    bias: str | None
    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0
    border: Border = "zeros"
    keep: bool = False


@dataclass(frozen=True)
class ConvTranspose:
    """Square transposed convolution that doubles the resolution."""

    inputs: tuple[int]
    channels: int
    in_channels: int
    weight: str
    bias: str | None
    kernel: int
    padding: int
    output_padding: int = 0
    stride: int = 2
    keep: bool = False


@dataclass(frozen=True)
class Box:
    """Mean over `size` x `size` places."""

    inputs: tuple[int]
    channels: int
    size: int
    stride: int
    padding: tuple[int, int]
    """Above and left; below and right."""
    border: Border = "edge"
    keep: bool = False


@dataclass(frozen=True)
class Enlarge:
    """Doubles the resolution."""

    inputs: tuple[int]
    channels: int
    interpolation: Literal["nearest", "bilinear"]


@dataclass(frozen=True)
class SpaceToDepth:
    """`block` x `block` places become channels, those of one channel side by side."""

    inputs: tuple[int]
    channels: int
    block: int


@dataclass(frozen=True)
class DepthToSpace:
    """The inverse of `SpaceToDepth`."""

    inputs: tuple[int]
    channels: int
    block: int


@dataclass(frozen=True)
class Norm:
    """(x - mean) / sqrt(variance + eps) for each channel, then gain and offset where there are some.

    Mean and variance are those of the picture at hand, unless `running` names the stored ones.
    """

    inputs: tuple[int]
    channels: int
    gain: str | None = None
    offset: str | None = None
    running: tuple[str, str] | None = None
    """Mean and variance."""
    eps: float = 1e-5


@dataclass(frozen=True)
class Activation:
    """Works on each value alone."""

    inputs: tuple[int]
    channels: int
    function: Literal["relu", "leaky", "tanh"]


@dataclass(frozen=True)
class Add:
    """Sum of two maps."""

    inputs: tuple[int, int]
    channels: int
    keep: bool = False


@dataclass(frozen=True)
class Concat:
    """The channels of two maps one after the other."""

    inputs: tuple[int, int]
    channels: int


@dataclass(frozen=True)
class Recolour:
    """The compact generator's last step: a scale and a change for each pixel of the picture.

    clamp(tanh((1 + scale) * atanh(headroom * picture) + change) / headroom), see `zorse.networks.compact`.
    """

    inputs: tuple[int, int]
    """Scale and change as one map, then the picture."""
    channels: int
    headroom: float


Op = (
    Picture
    | Conv
    | ConvTranspose
    | Box
    | Enlarge
    | SpaceToDepth
    | DepthToSpace
    | Norm
    | Activation
    | Add
    | Concat
    | Recolour
)
Program = tuple[Op, ...]
"""In an order in which each operation comes after those that it takes; the last one is the translation."""

LEAKY_SLOPE = 0.2

_HEAVY = 4 * 2**20
"""Bytes of a convolution's weights from which on they are handed over with each tile."""


def is_kept(op: Op) -> bool:
    """Whether the result is worth keeping: computing it again would cost too much."""
    return isinstance(op, Conv | ConvTranspose | Box | Add) and op.keep


def is_measured(op: Op) -> TypeGuard[Norm]:
    """Whether the operation needs the statistics of its whole input."""
    return isinstance(op, Norm) and op.running is None


def weights_size(op: Op) -> int:
    """Bytes of a convolution's weights in float32; 0 for all other operations."""
    return op.channels * op.in_channels * op.kernel**2 * 4 if isinstance(op, Conv | ConvTranspose) else 0


def is_handed_over(op: Op) -> bool:
    """Whether ONNX Runtime gets the weights with each tile instead of as a part of the session.

    In the session they compute a tenth faster, but making it takes as long as computing thousands of places.
    Transposed convolutions gain nothing in the session.
    """
    return isinstance(op, ConvTranspose) or weights_size(op) >= _HEAVY


def products(op: Op) -> int:
    """Multiplications for each place of the result; for transposed convolutions, of each place of its input."""
    if isinstance(op, Conv | ConvTranspose):
        return op.channels * op.in_channels * op.kernel**2
    return 4 * op.channels
