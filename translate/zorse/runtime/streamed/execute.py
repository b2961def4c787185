"""The run over stages and tiles."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zorse.imaging.tensor import Tensor
from zorse.runtime.streamed.geometry import Span, Window
from zorse.runtime.streamed.kernels import Compute, Kernels
from zorse.runtime.streamed.moments import Moments, Normalisation, pooled
from zorse.runtime.streamed.plan import Plan, stage_products, tiles_of
from zorse.runtime.streamed.program import Norm, is_measured
from zorse.runtime.streamed.shelf import KeptMap
from zorse.runtime.streamed.stages import Piece, Stage, Work, work_on

Read = Callable[[Window], Tensor]
"""A window of the picture -> (1, C, h, w) float32 in [-1, 1]."""
Write = Callable[[Window, Tensor], None]
"""Takes a window of the translation, each place once."""


@dataclass(frozen=True)
class Progress:
    """How far a picture is."""

    done: float
    """Share of the work, 0 to 1."""
    remaining: float
    """Seconds that the rest will take."""


Report = Callable[[Progress], None]
"""Is told after each tile. An exception that it raises ends the run; nothing is left behind."""
Norms = Mapping[int, Normalisation]
"""Normalisations by their operations."""


def stream(
    plan: Plan, kernels: Kernels, read: Read, write: Write, report: Report | None = None, norms: Norms | None = None
) -> Norms:
    """Sends a picture through a generator, tile by tile.

    Args:
        plan: tiles and places of kept maps, for this size of picture.
        kernels: compute.
        read: gives the picture.
        write: takes the translation.
        report: is told how far the run is.
        norms: normalisations that are not to be measured.

    Returns:
        The normalisations that were used.

    Raises:
        MemoryError: even the smallest tiles need more than there is.
        ImageError: a temporary file finds no room.
    """
    run = _Run(plan, kernels, read, write, _Clock(plan, report), norms)
    for number, stage in enumerate(plan.stages):
        run.do(number, stage)
    return run.norms


_PIECES = 3
"""Prepared pieces that are held at a time: enough for a row of tiles, at the left, in the middle and at the right."""


class _Run:
    def __init__(
        self, plan: Plan, kernels: Kernels, read: Read, write: Write, clock: "_Clock", norms: Norms | None
    ) -> None:
        self.norms = _running_norms(kernels) | dict(norms or {})
        self._plan, self._kernels, self._read, self._write, self._clock = plan, kernels, read, write, clock
        self._maps: dict[int, KeptMap] = {}  # by their buffer

    def do(self, number: int, stage: Stage) -> None:
        """Computes one stage."""
        plan = self._plan
        for index, buffer in enumerate(plan.buffers):
            if buffer.first == number:
                self._maps[index] = KeptMap(buffer.shape, spilled=index in plan.spilled)
        moments = Moments(plan.program[stage.target].channels)
        self._tiles(number, stage, moments)
        for index, op in enumerate(plan.program):
            if is_measured(op) and op.inputs[0] == stage.target:
                self.norms[index] = _normalisation(op, moments.mean, moments.variance, self._kernels.weights)
        for index, buffer in enumerate(plan.buffers):
            if buffer.last == number:
                del self._maps[index]

    def _tiles(self, number: int, stage: Stage, moments: Moments) -> None:
        plan = self._plan
        is_last = number == len(plan.stages) - 1
        tiles = list(tiles_of(plan.sizes[stage.target], plan.tiles[number]))
        pieces: dict[Piece, Compute] = {}
        unwritten: list[_Kept] = []
        while tiles:
            work = work_on(plan.program, stage, plan.sizes, tiles[0])
            unwritten = self._written(unwritten, self._first_row_still_read(stage, work))
            try:
                results = self._results(work, pieces)
            except MemoryError:
                pieces.clear()
                tiles = _halved(tiles)
                continue
            tile = tiles.pop(0)
            unwritten += [_Kept(op, tile, results[op]) for op in stage.keeps]
            if stage.measured:
                moments.add(results[stage.target])
            if is_last:
                self._write(tile, results[stage.target])
            self._clock.tick(number, tile)
        self._written(unwritten, None)

    def _results(self, work: Work, pieces: dict[Piece, Compute]) -> dict[int, Tensor]:
        piece = work.piece
        if piece not in pieces:
            if len(pieces) == _PIECES:
                del pieces[next(iter(pieces))]
            pieces[piece] = self._kernels.compile(piece, self.norms)
        computed = pieces[piece]([self._source(source, work.windows[source]) for source in piece.sources])
        return {op: result for (op, _), result in zip(piece.results, computed, strict=True)}

    def _source(self, op: int, window: Window) -> Tensor:
        buffer = self._plan.buffer_of.get(op)
        return self._read(window) if buffer is None else self._maps[buffer].read(window)

    def _first_row_still_read(self, stage: Stage, work: Work) -> int | None:
        """Of the maps that the stage both reads and replaces; None where there are none."""
        buffer_of = self._plan.buffer_of
        replaced = {buffer_of[op] for op in stage.keeps}
        return min((work.windows[op].rows.start for op in stage.sources if buffer_of.get(op) in replaced), default=None)

    def _written(self, kept: "list[_Kept]", row: int | None) -> "list[_Kept]":
        """Writes what lies above a row that is still read, or everything; gives the rest."""
        waiting = []
        for op, window, tile in kept:
            first, stop = window.rows
            middle = stop if row is None else min(max(row, first), stop)
            if middle > first:
                above = tile[:, :, : middle - first]
                self._maps[self._plan.buffer_of[op]].write(Window(Span(first, middle), window.columns), above)
            if middle < stop:
                below = np.ascontiguousarray(tile[:, :, middle - first :])  # what was written is free
                waiting.append(_Kept(op, Window(Span(middle, stop), window.columns), below))
        return waiting


class _Kept(NamedTuple):
    op: int
    window: Window
    tile: Tensor


class _Clock:
    """Tells how far the run is."""

    def __init__(self, plan: Plan, report: Report | None) -> None:
        self._report = report
        self._products = [stage_products(plan, number) for number in range(len(plan.stages))]
        areas = [height * width for height, width in (plan.sizes[stage.target] for stage in plan.stages)]
        self._total = sum(products * area for products, area in zip(self._products, areas, strict=True))
        self._done = 0.0
        self._start = time.perf_counter()

    def tick(self, stage: int, tile: Window) -> None:
        self._done += self._products[stage] * tile.area
        if self._report is not None:
            share = min(self._done / self._total, 1.0)
            self._report(Progress(share, (time.perf_counter() - self._start) * (1 - share) / share))


def _running_norms(kernels: Kernels) -> dict[int, Normalisation]:
    """The normalisations by running statistics."""
    weights = kernels.weights
    return {
        index: _normalisation(op, weights[mean].astype(np.float64), weights[variance].astype(np.float64), weights)
        for index, op in enumerate(kernels.program)
        if isinstance(op, Norm) and op.running is not None
        for mean, variance in [op.running]
    }


def _normalisation(
    op: Norm, mean: NDArray[np.float64], variance: NDArray[np.float64], weights: Mapping[str, Tensor]
) -> Normalisation:
    gain = None if op.gain is None else weights[op.gain]
    offset = None if op.offset is None else weights[op.offset]
    return Normalisation.of(*pooled(mean, variance, op.groups), op.eps, gain, offset)


def _halved(tiles: list[Window]) -> list[Window]:
    """The same places in tiles of half the size.

    Raises:
        MemoryError: they cannot be halved any more.
    """
    largest = max(tiles, key=lambda tile: tile.area)
    by_rows = largest.rows.length > 1
    if not by_rows and largest.columns.length == 1:
        raise MemoryError("the memory does not suffice for a single place of the picture")
    halves = [
        Window(rows, columns)
        for tile in tiles
        for rows in (_halves(tile.rows) if by_rows else [tile.rows])
        for columns in ([tile.columns] if by_rows else _halves(tile.columns))
    ]
    return sorted(halves, key=lambda tile: (tile.rows.start, tile.columns.start))


def _halves(span: Span) -> list[Span]:
    middle = (span.start + span.stop + 1) // 2
    return [half for half in (Span(span.start, middle), Span(middle, span.stop)) if half.length]
