"""A network as a flat list of operations on maps, read from its graph (see `reader`), without a framework.

An operation names the operations whose results it takes by their index in the list; its own result has `channels`
channels. Constants are named, and belong to whoever computes.
"""

from dataclasses import dataclass
from typing import Literal, TypeGuard

Reach = Literal["place", "window", "enlarged"]
"""What a place of the result is computed from: the same place of all inputs; a window around it; or one or more places
of a smaller input."""


@dataclass(frozen=True)
class Axis:
    """How an operation goes along the rows, or the columns, of a map."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0
    """Of a window: places added at the beginning; below zero, left out. Of what enlarges: places of the result cut off.
    """
    after: int = 0
    """Likewise at the end."""

    @property
    def width(self) -> int:
        """Places that the kernel spans."""
        return self.dilation * (self.kernel - 1) + 1


@dataclass(frozen=True)
class Picture:
    """The picture itself: always the first operation."""

    channels: int
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One ONNX operator."""

    inputs: tuple[int, ...]
    channels: int
    kind: str
    """Name of the operator."""
    arguments: tuple[int | str, ...]
    """What the operator takes: positions in `inputs`, and names of constants; empty where one is left out."""
    attributes: tuple[bytes, ...] = ()
    """Of the operator, as ONNX stores them; without those that `rows` and `columns` say."""
    reach: Reach = "place"
    rows: Axis = Axis()
    columns: Axis = Axis()
    mirrors: bool = False
    """Whether places beyond the border show those inside, mirrored."""
    products: int = 0
    """Multiplications for each place of the result; for transposed convolutions, of each place of its input."""


@dataclass(frozen=True)
class Norm:
    """(x - mean) / sqrt(variance + eps), then gain and offset of each channel where there are some.

    Mean and variance are those of the picture at hand, unless `running` names the stored ones.
    """

    inputs: tuple[int]
    channels: int
    groups: int
    """So many equal groups of channels have a common mean and variance."""
    gain: str | None = None
    offset: str | None = None
    running: tuple[str, str] | None = None
    """Mean and variance."""
    eps: float = 1e-5


Op = Picture | Operation | Norm
Program = tuple[Op, ...]
"""In an order in which each operation comes after those that it takes; the last one is the translation."""

_HEAVY = 4 * 2**20
"""Bytes of a convolution's weights from which on they are handed over with each tile."""
_LITTLE = 4
"""Multiplications that take as long as anything that is no convolution takes for one value."""


def is_measured(op: Op) -> TypeGuard[Norm]:
    """Whether the operation needs the statistics of its whole input."""
    return isinstance(op, Norm) and op.running is None


def is_transposed(op: Op) -> bool:
    """Whether it is a transposed convolution."""
    return isinstance(op, Operation) and op.kind == "ConvTranspose"


def is_convolution(op: Op) -> TypeGuard[Operation]:
    """Whether it is a convolution of either kind."""
    return isinstance(op, Operation) and op.kind in ("Conv", "ConvTranspose")


def weights_size(op: Op) -> int:
    """Bytes of a convolution's weights in float32; 0 for all other operations."""
    return 4 * op.products if is_convolution(op) else 0


def is_handed_over(op: Op) -> bool:
    """Whether ONNX Runtime gets the weights with each tile instead of as a part of the session.

    In the session they compute a tenth faster, but making it takes as long as computing thousands of places.
    Transposed convolutions gain nothing in the session.
    """
    return is_transposed(op) or weights_size(op) >= _HEAVY


def products(op: Op) -> int:
    """Multiplications for each place of the result; for transposed convolutions, of each place of its input."""
    return op.products if is_convolution(op) else _LITTLE * op.channels
