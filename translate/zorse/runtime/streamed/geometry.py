"""Which part of its input an operation needs for a part of its result.

All of it works on one axis at a time, in whole places of a map.
"""

from dataclasses import dataclass
from typing import NamedTuple

from zorse.runtime.streamed.program import Box, Conv, ConvTranspose, DepthToSpace, Enlarge, Op, SpaceToDepth


class Span(NamedTuple):
    """Places `start` to `stop - 1` of an axis."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of places."""
        return self.stop - self.start

    def hull(self, other: "Span") -> "Span":
        """The smallest span that holds both."""
        return Span(min(self.start, other.start), max(self.stop, other.stop))


class Window(NamedTuple):
    """A rectangle of a map."""

    rows: Span
    columns: Span

    @property
    def area(self) -> int:
        """Number of places."""
        return self.rows.length * self.columns.length

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing an array (H, W, ...)."""
        return slice(*self.rows), slice(*self.columns)

    def hull(self, other: "Window") -> "Window":
        """The smallest window that holds both."""
        return Window(self.rows.hull(other.rows), self.columns.hull(other.columns))


class Margin(NamedTuple):
    """Places on the four sides of a window: to add as padding, or to cut off."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


@dataclass(frozen=True)
class Reach:
    """What is needed of the input, and what is then too little or too much at its two ends."""

    span: Span
    before: int = 0
    """Places to pad before a windowed operation; places to cut off after one that enlarges."""
    after: int = 0


def length(op: Op, of_input: int) -> int:
    """Length of the result's axis for the length of the input's."""
    match op:
        case Conv():
            return (of_input + 2 * op.padding - op.dilation * (op.kernel - 1) - 1) // op.stride + 1
        case Box():
            return (of_input + sum(op.padding) - op.size) // op.stride + 1
        case ConvTranspose():
            return (of_input - 1) * op.stride - 2 * op.padding + op.kernel + op.output_padding
        case Enlarge():
            return 2 * of_input
        case SpaceToDepth():
            return of_input // op.block
        case DepthToSpace():
            return of_input * op.block
        case _:
            return of_input


def reach(op: Op, wanted: Span, size: int) -> Reach:
    """What an operation needs of its input, of which there are `size` places, for the places `wanted` of its result."""
    match op:
        case Conv():
            return _windowed(wanted, size, op.stride, op.padding, op.dilation * (op.kernel - 1) + 1)
        case Box():
            return _windowed(wanted, size, op.stride, op.padding[0], op.size)
        case ConvTranspose(kernel=kernel, stride=stride, padding=padding):
            start = max(0, -((kernel - 1 - padding - wanted.start) // stride))
            stop = min(size, (wanted.stop - 1 + padding) // stride + 1)
            first, end = start * stride - padding, (stop - 1) * stride - padding + kernel
            return Reach(Span(start, stop), wanted.start - first, end - wanted.stop)
        case Enlarge(interpolation="bilinear"):
            start, stop = max(0, (wanted.start - 1) // 2), min(size, (wanted.stop - 2) // 2 + 2)
            return Reach(Span(start, stop), wanted.start - 2 * start, 2 * stop - wanted.stop)
        case Enlarge():
            return _enlarged(wanted, 2)
        case DepthToSpace(block=block):
            return _enlarged(wanted, block)
        case SpaceToDepth(block=block):
            return Reach(Span(wanted.start * block, wanted.stop * block))
        case _:
            return Reach(wanted)


def _windowed(wanted: Span, size: int, stride: int, padding: int, width: int) -> Reach:
    first, end = wanted.start * stride - padding, (wanted.stop - 1) * stride - padding + width
    span = Span(max(0, first), min(size, end))
    return Reach(span, span.start - first, end - span.stop)


def _enlarged(wanted: Span, factor: int) -> Reach:
    start, stop = wanted.start // factor, -(-wanted.stop // factor)
    return Reach(Span(start, stop), wanted.start - start * factor, stop * factor - wanted.stop)
