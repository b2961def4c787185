"""One picture through a network: in one pass over the whole picture, or streamed in tiles."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from zorse.errors import ConfigError, ImageError, WeightsError
from zorse.imaging.picture import Pixels
from zorse.imaging.tensor import Tensor, crop, from_range, padded_places, resize, to_range, to_tensor
from zorse.model.card import ModelCard
from zorse.runtime.cost import PassCost, one_pass
from zorse.runtime.streamed.execute import Norms, Progress, Report, Write, stream
from zorse.runtime.streamed.geometry import Span, Window
from zorse.runtime.streamed.kernels import Kernels
from zorse.runtime.streamed.plan import UNUSED, TooLittleMemory, plan_exact, plan_settled
from zorse.system.memory import Returning, available_memory, format_memory

Backend = Callable[[Tensor], Tensor]
"""(N, 3, H, W) float32 in the card's `value_range` -> the same shape and range; H and W are multiples of the card's
`size_multiple`."""

Tiling = Literal["auto", "exact", "whole", "fast"]
"""`whole`: one pass. `exact`: streamed, with the same result. `auto`: one pass where the memory suffices, else exact.
`fast`: tiles with the statistics of a thumbnail; an approximation."""

MIN_SIDE = 16
"""Smaller pictures are padded to this side: networks mirror their inner maps, which needs more than one cell there."""

_SMALL = 2**17
"""Pixels up to which one pass is tried without asking what it takes, where nobody has set a limit."""
_SHARE = 2
"""One part in so many of the free memory is used where nothing else is said."""
_THUMBNAIL_AREA = 2**20
"""Most pixels of the thumbnail for `fast`."""
_THUMBNAIL_SHARE = 16
"""And one part in so many of the picture's."""


@runtime_checkable
class Streamable(Protocol):
    """A backend that can also compute a network piece by piece."""

    on_gpu: bool

    def kernels(self) -> Kernels:
        """What computes the pieces.

        Raises:
            ZorseError: this model cannot be computed so.
        """

    def one_pass(self, height: int, width: int) -> PassCost:
        """What computing it whole costs, see `zorse.runtime.cost`."""


@dataclass(frozen=True)
class Limits:
    """How a picture may be translated."""

    max_memory: int | None = None
    """Bytes for the translation of one picture, the picture and its translation included; None: half of what is free.
    """
    tiling: Tiling = "auto"
    report: Report | None = None
    """Is told how far a streamed picture is; what it raises stops the work."""


@dataclass(frozen=True)
class Seen:
    """The picture as the network sees it."""

    height: int
    width: int
    pixels: Callable[[Window], Pixels]
    """A window of it, (h, w, 3)."""

    def everything(self) -> Pixels:
        """All of it."""
        return self.pixels(whole_window(self.height, self.width))


def translate_seen(card: ModelCard, backend: Backend, seen: Seen, write: Write, limits: Limits, held: int) -> None:
    """Sends a picture through the network.

    Args:
        card: of the network.
        backend: computes it.
        seen: the picture.
        write: takes the translation in windows of (1, 3, h, w), each place once.
        limits: memory and tiling.
        held: bytes that the caller holds meanwhile for the picture and its translation.

    Raises:
        MemoryError: the memory does not suffice.
        ImageError: what may be used of the memory does not suffice.
        ConfigError: a tiling that this model cannot do.
        WeightsError: the network does not compute pictures.
    """
    allowed = held + available_memory() // _SHARE if limits.max_memory is None else limits.max_memory
    job = _Job(card, backend, _padded(seen, card.size_multiple), _checked(write, seen, card), limits, allowed, held)
    try:
        match limits.tiling:
            case "whole":
                job.whole()
            case "exact":
                job.exact(_kernels(card, backend))
            case "fast":
                job.fast(_kernels(card, backend))
            case "auto":
                job.whole_or_exact()
    except TooLittleMemory as error:
        raise _does_not_fit(seen, error.least + held, limits, allowed) from error


@dataclass(frozen=True)
class _Job:
    card: ModelCard
    backend: Backend
    seen: Seen
    """Padded to what the network takes."""
    write: Write
    limits: Limits
    allowed: int
    """Bytes that may be used."""
    held: int
    """Bytes of them that are."""

    @property
    def memory(self) -> int:
        return max(self.allowed - self.held, 0)

    def whole_or_exact(self) -> None:
        """One pass where it fits; what cannot be streamed goes in one pass wherever nobody has set a limit."""
        is_small = self.limits.max_memory is None and self.seen.height * self.seen.width <= _SMALL
        needed = 0 if is_small else one_pass(self.backend, self.seen.height, self.seen.width).memory
        if not isinstance(self.backend, Streamable):
            if self.limits.max_memory is not None and needed > self.memory:
                raise TooLittleMemory(needed)
            self.whole()
        elif needed <= self.memory or (self.backend.on_gpu and self.limits.max_memory is None):
            if not self._succeeds_whole():
                self.exact(self.backend.kernels())
        else:
            self.exact(self.backend.kernels())

    def _succeeds_whole(self) -> bool:
        """Tries one pass. What a failed one held is free when this returns, which it is not inside of the handler."""
        try:
            self.whole()
        except MemoryError:
            return False
        return True

    def whole(self) -> None:
        before = self._tensor(self.seen.everything())
        after = self.backend(before)
        self._check(after.shape)
        self.write(whole_window(self.seen.height, self.seen.width), after)

    def exact(self, kernels: Kernels) -> None:
        with self._beside(kernels) as memory:
            plan = plan_exact(kernels.program, self.seen.height, self.seen.width, memory, kernels.comfortable)
            self._check((1, plan.program[-1].channels, *plan.sizes[-1]))
            stream(plan, kernels, self._read, self.write, self._report(memory - plan.needed))

    def fast(self, kernels: Kernels) -> None:
        with self._beside(kernels) as memory:
            plan = plan_settled(kernels.program, self.seen.height, self.seen.width, memory, kernels.comfortable)
            self._check((1, plan.program[-1].channels, *plan.sizes[-1]))
            norms = self._thumbnail_norms(kernels, memory)
            stream(plan, kernels, self._read, self.write, self._report(memory - plan.needed), norms)

    def _check(self, shape: tuple[int, ...]) -> None:
        expected = (1, 3, self.seen.height, self.seen.width)
        if shape != expected:
            raise WeightsError(
                f"The model {self.card.name!r} turned a tensor of shape {expected} into {shape}; a picture of the same "
                "size was expected. Its card does not fit its weights: export it again."
            )

    @contextmanager
    def _beside(self, kernels: Kernels) -> Iterator[int]:
        """The memory that their weights leave. What is said to be too little counts them in."""
        try:
            yield max(self.memory - kernels.held, 0)
        except TooLittleMemory as error:
            raise TooLittleMemory(error.least + kernels.held) from error

    def _thumbnail_norms(self, kernels: Kernels, memory: int) -> Norms:
        """The normalisations that a small copy of the picture gets."""
        area = self.seen.height * self.seen.width
        scale = min(1.0, math.sqrt(min(_THUMBNAIL_AREA, max(area / _THUMBNAIL_SHARE, MIN_SIDE**2)) / area))
        height, width = (max(MIN_SIDE, round(side * scale)) for side in (self.seen.height, self.seen.width))
        pixels = resize(self.seen.everything(), height, width)
        small = _padded(Seen(height, width, lambda window: pixels[window.slices]), self.card.size_multiple)
        plan = plan_exact(kernels.program, small.height, small.width, memory, kernels.comfortable)
        return stream(plan, kernels, lambda window: self._tensor(small.pixels(window)), lambda _window, _tile: None)

    def _report(self, to_spare: int) -> Report:
        """After each tile: too much that is free goes back to the system, and the caller is told."""
        give_back = Returning(UNUSED + to_spare // 2)  # estimates may be a little off

        def report(progress: Progress) -> None:
            give_back()
            if self.limits.report is not None:
                self.limits.report(progress)

        return report

    def _read(self, window: Window) -> Tensor:
        return self._tensor(self.seen.pixels(window))

    def _tensor(self, pixels: Pixels) -> Tensor:
        return to_range(to_tensor(pixels), self.card.value_range)


def padded_side(side: int, multiple: int) -> int:
    """The side, in pixels, that a network gets of a picture with that side: a multiple, and not below `MIN_SIDE`."""
    return -(-max(side, MIN_SIDE) // multiple) * multiple


def whole_window(height: int, width: int) -> Window:
    """All of a map."""
    return Window(Span(0, height), Span(0, width))


def _kernels(card: ModelCard, backend: Backend) -> Kernels:
    if not isinstance(backend, Streamable):
        raise ConfigError(
            f"The model {card.name!r} runs in a backend of its own, which computes whole pictures only. Use the tiling "
            "'auto' or 'whole'."
        )
    return backend.kernels()


def _padded(seen: Seen, multiple: int) -> Seen:
    """The picture with both sides a multiple: mirrored at the right and at the bottom."""
    rows, columns = (padded_places(side, multiple, MIN_SIDE) for side in (seen.height, seen.width))

    def pixels(window: Window) -> Pixels:
        if window.rows.stop <= seen.height and window.columns.stop <= seen.width:
            return seen.pixels(window)
        down, across = rows[window.rows.start : window.rows.stop], columns[window.columns.start : window.columns.stop]
        inner = Window(Span(int(down.min()), int(down.max()) + 1), Span(int(across.min()), int(across.max()) + 1))
        return seen.pixels(inner)[down - inner.rows.start][:, across - inner.columns.start]

    return Seen(len(rows), len(columns), pixels)


def _checked(write: Write, seen: Seen, card: ModelCard) -> Write:
    """Passes on what lies inside the picture, in [-1, 1], and nothing but numbers."""

    def checked(window: Window, after: Tensor) -> None:
        rows, columns = (
            Span(span.start, min(span.stop, side)) for span, side in zip(window, (seen.height, seen.width), strict=True)
        )
        if rows.length <= 0 or columns.length <= 0:
            return
        inside = crop(after, rows.length, columns.length)
        if not np.isfinite(inside).all():
            raise WeightsError(
                f"The model {card.name!r} computed values that are not numbers (NaN or infinite). Its weights are "
                "broken, or its precision is too small for this picture: try its fp32 version."
            )
        write(Window(rows, columns), from_range(inside, card.value_range))

    return checked


def _does_not_fit(seen: Seen, least: int, limits: Limits, allowed: int) -> ImageError:
    has = "may be used" if limits.max_memory is not None else "may be used, half of what is free"
    return ImageError(
        f"Translating a picture at {seen.width}x{seen.height} takes at least {format_memory(least)} of memory, but "
        f"{format_memory(allowed)} {has}. Allow more (--max-memory {format_memory(least).replace(' ', '')}), close "
        "other programs, or work at a smaller size (--size)."
    )
