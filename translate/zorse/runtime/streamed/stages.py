"""A program cut into stages, and a stage brought down to one tile.

A stage ends with a map that is kept, or measured, or is the translation. It computes everything from the maps kept
before and the picture, so that what is not kept is computed again in each stage that needs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from zorse.runtime.streamed.geometry import Margin, Window, length, reach
from zorse.runtime.streamed.program import Add, Picture, Program, is_kept, is_measured

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
    margin: Margin
    """See `Reach`."""


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
    kept = {index for index, op in enumerate(program) if keep != "nothing" and is_kept(op)}
    if keep == "measured":
        kept |= measured
    if keep == "sums":
        kept = {index for index in kept if isinstance(program[index], Add)}
    # A sum is made on the way in the first stage that needs it: it would hardly be worth a run of its own.
    ends = [
        index
        for index, op in enumerate(program)
        if index in measured
        or (index in kept and (keep == "sums" or not isinstance(op, Add)))
        or index == len(program) - 1
    ]
    stages: list[Stage] = []
    done: set[int] = set()
    for end in ends:
        ops, sources = _upstream(program, end, done)
        keeps = tuple(
            index for index in ops if index in kept and index not in done and _needed_after(program, index, end)
        )
        stages.append(Stage(end, ops, sources, keeps, end in measured))
        done |= set(keeps)
    return tuple(stages)


def map_sizes(program: Program, height: int, width: int) -> tuple[Size, ...]:
    """Height and width of each operation's result for a picture of this size."""
    sizes: list[Size] = []
    for op in program:
        if isinstance(op, Picture):
            sizes.append((height, width))
        else:
            rows, columns = sizes[op.inputs[0]]
            sizes.append((length(op, rows), length(op, columns)))
    return tuple(sizes)


def work_on(program: Program, stage: Stage, sizes: Sequence[Size], tile: Window) -> Work:
    """What has to be computed for a tile of the stage's target."""
    windows = dict.fromkeys((*stage.keeps, stage.target), tile)
    wanted: dict[tuple[int, int], Window] = {}
    margins: dict[int, Margin] = {}
    for index in reversed(stage.ops):
        op = program[index]
        for source in dict.fromkeys(op.inputs):
            rows = reach(op, windows[index].rows, sizes[source][0])
            columns = reach(op, windows[index].columns, sizes[source][1])
            window = Window(rows.span, columns.span)
            wanted[index, source] = window
            windows[source] = windows[source].hull(window) if source in windows else window
            margins[index] = Margin(rows.before, rows.after, columns.before, columns.after)
    steps = tuple(
        Step(
            index,
            tuple(_within(wanted[index, source], windows[source]) for source in program[index].inputs),
            margins[index],
        )
        for index in stage.ops
    )
    results = tuple((index, _within(tile, windows[index])) for index in dict.fromkeys((*stage.keeps, stage.target)))
    return Work(Piece(stage.sources, steps, results), windows)


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
