"""Which part of its input an operation needs for a part of its result.

All of it works on one axis at a time, in whole places of a map.
"""

from dataclasses import dataclass
from typing import NamedTuple

from zorse.runtime.streamed.program import Axis, Op, Operation, Reach, is_transposed


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
class Needed:
    """What is needed of the input, and what is then too little or too much at its two ends."""

    span: Span
    padding: tuple[int, int] = (0, 0)
    """Places to add before and after."""
    surplus: tuple[int, int] = (0, 0)
    """Places of the result to cut off before and after."""


def length(axis: Axis, reach: Reach, of_input: int) -> int:
    """Length of the result's axis for the length of the input's."""
    match reach:
        case "window":
            return (of_input + axis.before + axis.after - axis.width) // axis.stride + 1
        case "enlarged":
            return (of_input - 1) * axis.stride + axis.width - axis.before - axis.after
        case "place":
            return of_input


def needed(op: Op, axis: Axis, wanted: Span, size: int) -> Needed:
    """What an operation needs of its input, of which there are `size` places, for the places `wanted` of its result."""
    match op:
        case Operation(reach="window"):
            return _windowed(axis, wanted, size, op.mirrors)
        case Operation(reach="enlarged"):
            start = max(0, -((axis.width - 1 - axis.before - wanted.start) // axis.stride))
            stop = min(size, (wanted.stop - 1 + axis.before) // axis.stride + 1)
            first, end = start * axis.stride, stop * axis.stride
            if is_transposed(op):
                first, end = first - axis.before, end - axis.stride - axis.before + axis.width
            return Needed(Span(start, stop), surplus=(wanted.start - first, end - wanted.stop))
        case _:
            return Needed(wanted)


def _windowed(axis: Axis, wanted: Span, size: int, mirrors: bool) -> Needed:
    first = wanted.start * axis.stride - axis.before
    end = (wanted.stop - 1) * axis.stride - axis.before + axis.width
    skipped = 0
    # A part that shows little of the map, or nothing, is widened: there must be something to mirror or to repeat.
    while True:
        span = Span(max(0, first), min(size, end))
        padding = span.start - first, end - span.stop
        if span.length > (max(padding) if mirrors else 0) or span.length == size:
            break
        if end < size:
            end += 1
        else:
            first, skipped = first - axis.stride, skipped + 1
    computed = (end - first - axis.width) // axis.stride + 1
    return Needed(span, padding, (skipped, computed - skipped - wanted.length))
