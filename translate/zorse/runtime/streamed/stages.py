"""A program cut into stages, and a stage brought down to one tile.

A stage ends with a map that is kept, or measured, or is the translation. It computes everything from the maps kept
before and the picture, so that what is not kept is computed again in each stage that needs it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from zorse.runtime.streamed.geometry import Margin, Window, length, needed
from zorse.runtime.streamed.program import Axis, Op, Operation, Picture, Program, is_measured, is_transposed, products

Size = tuple[int, int]
"""Height and width of a map."""
Keep = Literal["measured", "costly", "sums", "nothing"]
"""Which maps are kept: also all whose statistics are taken, so that nothing is computed twice; those that would cost
much to compute again; of these only the sums, so that a stage is a whole residual block; or none, so that only the
picture is a source."""


@dataclass(frozen=True)
class Stage:
    """One run over all tiles of a map."""

    target: int
    """The operation whose result the tiles divide."""
    ops: tuple[int, ...]
    """What is computed, in order; the target is the last."""
    sources: tuple[int, ...]
    """Kept maps, or the picture, that it starts from."""
    keeps: tuple[int, ...]
    """Results that later stages start from."""
    measured: bool
    """Whether the statistics of the target are wanted."""


class Step(NamedTuple):
    """One operation on one tile."""

    op: int
    crops: tuple[Margin, ...]
    """What to cut off from each input before."""
    padding: Margin
    """What to add to the input, by the operation's own rule."""
    surplus: Margin
    """What to cut off from the result."""


class Piece(NamedTuple):
    """What is computed for one tile, apart from where it lies: equal for most tiles of a stage."""

    sources: tuple[int, ...]
    steps: tuple[Step, ...]
    results: tuple[tuple[int, Margin], ...]
    """Operations whose results are wanted, and what to cut off from them."""


class Work(NamedTuple):
    """A piece and where it lies."""

    piece: Piece
    windows: dict[int, Window]
    """Of the sources and of all results on the way."""


def cut(program: Program, keep: Keep) -> tuple[Stage, ...]:
    """The stages of a program, in order."""
    measured = {op.inputs[0] for op in program if is_measured(op)}
    costly, sums = (set[int](), set[int]()) if keep == "nothing" else _worth_keeping(program)
    kept = set(sums) if keep == "sums" else costly | sums
    if keep == "measured":
        kept |= measured
    # A sum is made on the way in the first stage that needs it: it would hardly be worth a run of its own.
    ends = measured | (kept if keep == "sums" else kept.difference(sums)) | {len(program) - 1}
    stages: list[Stage] = []
    done: set[int] = set()
    for end in sorted(ends):
        ops, sources = _upstream(program, end, done)
        keeps = tuple(
            index for index in ops if index in kept and index not in done and _needed_after(program, index, end)
        )
        stages.append(Stage(end, ops, sources, keeps, end in measured))
        done |= set(keeps)
    return tuple(stages)


_NOMINAL = 4096
"""Side of a picture at which maps are compared."""
_WORTH = 40
"""Multiplications that computing a value again must take for a map of one value for each pixel of the picture to be
kept; for larger maps, as many times more."""


def _worth_keeping(program: Program) -> tuple[set[int], set[int]]:
    """Maps that would cost much to compute again, for their size; and those that take the place of several of them."""
    sizes = map_sizes(program, _NOMINAL, _NOMINAL)
    values = [op.channels * math.prod(size) for op, size in zip(program, sizes, strict=True)]
    again = [0.0] * len(program)  # multiplications from what is kept to the whole map
    sources: list[frozenset[int]] = [frozenset()] * len(program)  # kept maps that it is computed from
    is_last = _followed_by_places_only(program)
    costly, sums = set[int](), set[int]()
    for index, op in enumerate(program):
        sources[index] = frozenset[int]().union(*(sources[source] for source in op.inputs))
        again[index] = sum(again[source] for source in {*op.inputs})
        if not op.inputs or is_last[index]:
            continue
        again[index] += products(op) * math.prod(sizes[op.inputs[0] if is_transposed(op) else index])
        is_sum = len(sources[index]) > 1 and values[index] < sum(values[source] for source in sources[index])
        if _is_place(op) and is_sum:
            sums.add(index)
        elif not _is_place(op) and again[index] * _NOMINAL**2 >= _WORTH * values[index] ** 2:
            costly.add(index)
        else:
            continue
        again[index], sources[index] = 0, frozenset({index})
    return costly, sums


def _is_place(op: Op) -> bool:
    return not isinstance(op, Operation) or op.reach == "place"


def _followed_by_places_only(program: Program) -> list[bool]:
    """Whether nothing but the translation is computed from a map, each place from the same place."""
    result = [True] * len(program)
    for index in reversed(range(len(program))):
        op = program[index]
        for source in op.inputs:
            result[source] &= _is_place(op) and not is_measured(op) and result[index]
    return result


def map_sizes(program: Program, height: int, width: int) -> tuple[Size, ...]:
    """Height and width of each operation's result for a picture of this size."""
    sizes: list[Size] = []
    for op in program:
        sizes.append(map_size(op, sizes[op.inputs[0]]) if op.inputs else (height, width))
    return tuple(sizes)


def map_size(op: Op, of_input: Size) -> Size:
    """Height and width of an operation's result for those of its input."""
    if not isinstance(op, Operation):
        return of_input
    return length(op.rows, op.reach, of_input[0]), length(op.columns, op.reach, of_input[1])


def work_on(program: Program, stage: Stage, sizes: Sequence[Size], tile: Window) -> Work:
    """What has to be computed for a tile of the stage's target."""
    windows = dict.fromkeys((*stage.keeps, stage.target), tile)
    wanted: dict[int, Window] = {}
    steps: list[Step] = []
    for index in reversed(stage.ops):
        op, (rows, columns) = program[index], windows[index]
        axes = (op.rows, op.columns) if isinstance(op, Operation) else (Axis(), Axis())
        height, width = sizes[op.inputs[0]]
        down, across = needed(op, axes[0], rows, height), needed(op, axes[1], columns, width)
        wanted[index] = Window(down.span, across.span)
        for source in op.inputs:
            windows[source] = windows[source].hull(wanted[index]) if source in windows else wanted[index]
        margins = Margin(*down.padding, *across.padding), Margin(*down.surplus, *across.surplus)
        steps.append(Step(index, (), *margins))
    cropped = (
        step._replace(crops=tuple(_within(wanted[step.op], windows[source]) for source in program[step.op].inputs))
        for step in reversed(steps)
    )
    results = tuple((index, _within(tile, windows[index])) for index in dict.fromkeys((*stage.keeps, stage.target)))
    return Work(Piece(stage.sources, tuple(cropped), results), windows)


def _upstream(program: Program, end: int, done: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The operations between an end and what is there already."""
    ops, sources, open_ends = {end}, set[int](), [end]
    while open_ends:
        for index in program[open_ends.pop()].inputs:
            if index in done or isinstance(program[index], Picture):
                sources.add(index)
            elif index not in ops:
                ops.add(index)
                open_ends.append(index)
    return tuple(sorted(ops)), tuple(sorted(sources))


def _needed_after(program: Program, index: int, end: int) -> bool:
    """Whether a later stage starts from this map: the end of its own stage always, a sum if something else needs it."""
    return index == end or any(index in op.inputs for op in program[end + 1 :])


def _within(part: Window, whole: Window) -> Margin:
    return Margin(
        part.rows.start - whole.rows.start,
        whole.rows.stop - part.rows.stop,
        part.columns.start - whole.columns.start,
        whole.columns.stop - part.columns.stop,
    )
