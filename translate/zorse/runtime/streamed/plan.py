"""How a picture goes through a generator in a given memory: the size of the tiles, and which maps are kept where."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise, starmap

from zorse.runtime.streamed.geometry import Span, Window
from zorse.runtime.streamed.program import (
    Norm,
    Op,
    Operation,
    Program,
    is_handed_over,
    is_measured,
    is_transposed,
    products,
    weights_size,
)
from zorse.runtime.streamed.shelf import Shape
from zorse.runtime.streamed.stages import Keep, Size, Stage, Work, cut, map_sizes, work_on

LEAST_CHANNELS = 64
"""Of a convolution that is computed by Winograd's algorithm; with fewer, the direct one is about as fast."""

_FLOAT = 4
UNUSED = 32 * 2**20
"""Bytes that may lie about, free but not given back to the system."""
_OVERHEAD = UNUSED + 32 * 2**20
"""And bytes for sessions, and for what the system rounds up."""
_COPIES_OF_WEIGHTS = 16
"""Of one stage's weights: as a graph, as a file twice, and read while a session is made, and in each of three sessions
as computing wants them, which is four times as many for Winograd's algorithm."""
_COPIES_HANDED_OVER = 1
"""Of weights that are no part of the session: in the order that computing wants."""
_WHOLE = 1.4
"""Factor on what the sizes of maps add up to, for one pass over the whole picture: ONNX Runtime takes memory in pieces
of powers of two. See tests/benchmarks/one_pass.py."""
_ENLARGING = 1.3
"""Likewise on what a transposed convolution takes for itself in such a pass: the largest piece of all finds no gap."""
_IN_TILES = 2.4
"""The same for a tile: the first run of a session, which finds no memory that it has used before, leaves gaps."""
COMFORTABLE = 192 * 2**20
"""Bytes for a tile where there is no need to save: larger ones leave the processor's cache and gain nothing."""
LARGE = 2**30
"""Likewise on a GPU."""
_PARTS = (1, 6, 24, 96, 384)
"""Parts of that which are tried where memory is short."""
_EACH_TILE = 2**24
"""Multiplications that take as long as one tile beside its computing."""
_TRANSFER = 40
"""Multiplications that take as long as writing or reading one value of a kept map in memory."""
_SPILLED = 4
"""And so many times as long in a temporary file."""
_FLAT = 16
"""Rows below which a strip is rather made narrower: it would consist of halo."""
_SHALLOW, _NARROW = 8, 32
"""Rows and columns of the smallest tile: of a single row, it would consist of halo."""
_GRID = 4
"""Places of which tiles begin at a multiple."""


@dataclass(frozen=True)
class Buffer:
    """Room for kept maps of one shape, from its first stage to its last."""

    shape: Shape
    first: int
    last: int

    @property
    def size(self) -> int:
        """Bytes."""
        channels, height, width = self.shape
        return channels * height * width * _FLOAT


@dataclass(frozen=True)
class Plan:
    """Everything about a run that is decided before it starts."""

    program: Program
    sizes: tuple[Size, ...]
    stages: tuple[Stage, ...]
    tiles: tuple[Size, ...]
    """Largest height and width of each stage's tiles."""
    buffers: tuple[Buffer, ...]
    buffer_of: dict[int, int]
    """Kept map -> its buffer; a map may take over that of one which its own stage reads for the last time."""
    spilled: frozenset[int]
    """Buffers in temporary files."""
    needed: int
    """Bytes of memory that the run takes, estimated rather too high."""


class TooLittleMemory(MemoryError):
    """No plan fits.

    Args:
        least: bytes with which one would.
    """

    def __init__(self, least: int) -> None:
        super().__init__(f"{least} bytes are needed")
        self.least = least


def plan_exact(program: Program, height: int, width: int, memory: int, comfortable: int = COMFORTABLE) -> Plan:
    """A run that measures the picture's own statistics.

    Args:
        program: the generator.
        height: of the picture, a multiple of what the generator wants.
        width: likewise.
        memory: bytes that may be used beyond those of the picture and the translation.
        comfortable: bytes for a tile beyond which it gains nothing.

    Raises:
        TooLittleMemory: not even the smallest tiles fit.
    """
    plans = [_roomy_plan(program, height, width, memory, "costly", comfortable)]
    if cut(program, "measured") == cut(program, "costly"):
        return plans[0]
    with suppress(TooLittleMemory):
        everything_kept = _roomy_plan(program, height, width, memory, "measured", comfortable)
        if not everything_kept.spilled:  # large maps are computed again sooner than they are written to a disk
            plans.append(everything_kept)
    return min(plans, key=_cost)


def plan_settled(program: Program, height: int, width: int, memory: int, comfortable: int = COMFORTABLE) -> Plan:
    """A run with statistics that are known before, so that a stage may be longer than from one of them to the next.

    The fewer maps are kept, the less is written and read, and the more tiles overlap: the cheapest plan is taken.
    Tiles from the picture to the translation at once would overlap by so much that they cost two or three times more.

    Args:
        program: the generator.
        height: of the picture, a multiple of what the generator wants.
        width: likewise.
        memory: bytes that may be used beyond those of the picture and the translation.
        comfortable: bytes for a tile beyond which it gains nothing.

    Raises:
        TooLittleMemory: not even the smallest tiles fit.
    """
    settled = _settled(program)
    plans = [_roomy_plan(settled, height, width, memory, "costly", comfortable)]
    with suppress(TooLittleMemory):
        plans.append(_roomy_plan(settled, height, width, memory, "sums", comfortable))
    return min(plans, key=_cost)


def _roomy_plan(program: Program, height: int, width: int, memory: int, keep: Keep, comfortable: int) -> Plan:
    """The largest tiles beside which kept maps fit into memory and as much as a tile takes stays free.

    Without that, freed memory would have to go back to the system after each tile, which takes longer than the larger
    tile gains.
    """
    plans = []
    for room in (min(memory // 3, comfortable // part) for part in _PARTS):
        plan = _plan(program, height, width, memory, keep, room)
        if not plan.spilled and plan.needed + room <= memory:
            return plan
        plans.append(plan)
    plans.append(_plan(program, height, width, memory, keep, 0))
    return min(plans, key=lambda plan: (plan.needed > memory, _cost(plan)))


def _cost(plan: Plan) -> float:
    """Multiplications of all tiles, and as many as take the time of the tiles themselves and of the kept maps."""
    cost = 0.0
    for number, stage in enumerate(plan.stages):
        height, width = plan.sizes[stage.target]
        cost += stage_products(plan, number) * height * width
        cost += _EACH_TILE * sum(1 for _ in tiles_of((height, width), plan.tiles[number]))
        for op in (*stage.keeps, *stage.sources):
            if op in plan.buffer_of:
                height, width = plan.sizes[op]
                factor = _SPILLED if plan.buffer_of[op] in plan.spilled else 1
                cost += _TRANSFER * factor * plan.program[op].channels * height * width
    return cost


def _plan(program: Program, height: int, width: int, memory: int, keep: Keep, room: int) -> Plan:
    sizes = map_sizes(program, height, width)
    stages = cut(program, keep)
    overheads = [_OVERHEAD + _copies_of_weights(program, stage) for stage in stages]
    buffers, buffer_of = _lay_out(program, stages, sizes)

    def waiting(stage: Stage, tile: Size) -> int:
        return _waiting_size(program, stage, sizes, tile, buffer_of)

    smallest = [_smallest(sizes[stage.target]) for stage in stages]
    least = [_tile_size(program, stage, sizes, *tile) for stage, tile in zip(stages, smallest, strict=True)]
    needed = max(
        overhead + size + waiting(stage, tile)
        for stage, overhead, size, tile in zip(stages, overheads, least, smallest, strict=True)
    )
    if needed > memory:
        raise TooLittleMemory(needed)
    tiles = [
        _largest_tile(program, stage, sizes, max(tile, min(room, memory - overhead)))
        for stage, overhead, tile in zip(stages, overheads, least, strict=True)
    ]
    spent = [
        overhead + _tile_size(program, stage, sizes, *tile) + waiting(stage, tile)
        for stage, overhead, tile in zip(stages, overheads, tiles, strict=True)
    ]
    spilled = _spill(buffers, spent, memory)
    in_memory = [buffer for index, buffer in enumerate(buffers) if index not in spilled]
    peak = max(
        size + sum(buffer.size for buffer in in_memory if buffer.first <= number <= buffer.last)
        for number, size in enumerate(spent)
    )
    return Plan(program, sizes, stages, tuple(tiles), buffers, buffer_of, spilled, peak)


def whole_pass_size(program: Program, height: int, width: int) -> int:
    """Bytes that one pass of ONNX Runtime over the whole picture takes, estimated rather too high.

    Args:
        program: the generator.
        height: of the picture, a multiple of what the generator wants.
        width: likewise.
    """
    sizes = map_sizes(program, height, width)
    (everything,) = cut(_settled(program), "nothing")
    return int(_WHOLE * _maps_size(program, everything, sizes, height, width, _scratch_of_one_pass))


def tiles_of(size: Size, tile: Size) -> Iterator[Window]:
    """Divides a map into tiles of nearly equal size, row by row."""
    for rows in _spans(size[0], tile[0]):
        for columns in _spans(size[1], tile[1]):
            yield Window(rows, columns)


def stage_products(plan: Plan, stage: int) -> float:
    """Multiplications for one place of the stage's target: what its tiles cost in comparison."""
    height, width = plan.sizes[plan.stages[stage].target]
    rows, columns = plan.tiles[stage]
    work = _work_in_the_middle(plan.program, plan.stages[stage], plan.sizes, rows, columns)
    total = sum(_places(plan.program[op], work, op) * products(plan.program[op]) for op in plan.stages[stage].ops)
    return total / (min(rows, height) * min(columns, width))


def _waiting_size(
    program: Program, stage: Stage, sizes: tuple[Size, ...], tile: Size, buffer_of: dict[int, int]
) -> int:
    """Bytes of results that cannot be written yet: they take the place of maps of which later tiles read some rows."""
    replaced = {buffer_of[op] for op in stage.keeps}
    rows = 0
    for source in (op for op in stage.sources if buffer_of.get(op) in replaced):
        work = _work_in_the_middle(program, stage, sizes, *tile)
        reach = work.windows[stage.target].rows.start - work.windows[source].rows.start
        is_narrow = tile[1] < sizes[stage.target][1]
        rows = max(rows, reach + (tile[0] if is_narrow else 0))
    width = sizes[stage.target][1]
    return sum(program[op].channels for op in stage.keeps) * rows * width * _FLOAT


def _places(op: Op, work: Work, index: int) -> int:
    return work.windows[op.inputs[0] if is_transposed(op) else index].area


def _settled(program: Program) -> Program:
    """The program with all statistics known."""
    return tuple(replace(op, running=("", "")) if is_measured(op) else op for op in program)


def _smallest(size: Size) -> Size:
    return min(size[0], _SHALLOW), min(size[1], _NARROW)


def _largest_tile(program: Program, stage: Stage, sizes: tuple[Size, ...], room: int) -> Size:
    """Full strips where a few rows of them fit, else narrower ones; as many rows as fit."""
    height, width = sizes[stage.target]
    rows, columns = min(_FLAT, height), width
    while columns > _NARROW and _tile_size(program, stage, sizes, rows, columns) > room:
        columns = max(_NARROW, -(-columns // 2))
    fits, too_many = 1, height + 1
    while too_many - fits > 1:
        rows = (fits + too_many) // 2
        if _tile_size(program, stage, sizes, rows, columns) <= room:
            fits = rows
        else:
            too_many = rows
    return fits, columns


def _lay_out(
    program: Program, stages: tuple[Stage, ...], sizes: tuple[Size, ...]
) -> tuple[tuple[Buffer, ...], dict[int, int]]:
    last_use = {source: number for number, stage in enumerate(stages) for source in stage.sources}
    buffers: list[Buffer] = []
    buffer_of: dict[int, int] = {}
    for number, stage in enumerate(stages):
        dying = [buffer_of[op] for op in stage.sources if op in buffer_of and last_use[op] == number]
        for op in stage.keeps:
            shape = (program[op].channels, *sizes[op])
            inherited = next((index for index in dying if buffers[index].shape == shape), None)
            if inherited is None:
                buffer_of[op] = len(buffers)
                buffers.append(Buffer(shape, number, last_use[op]))
            else:
                dying.remove(inherited)
                buffer_of[op] = inherited
                buffers[inherited] = Buffer(shape, buffers[inherited].first, last_use[op])
    return tuple(buffers), buffer_of


def _spill(buffers: tuple[Buffer, ...], spent: list[int], memory: int) -> frozenset[int]:
    """The fewest bytes' worth of buffers, roughly, that have to leave the memory."""
    spilled: set[int] = set()
    for number, size in enumerate(spent):
        alive = [index for index, buffer in enumerate(buffers) if buffer.first <= number <= buffer.last]
        inside = sorted((index for index in alive if index not in spilled), key=lambda index: buffers[index].size)
        while inside and size + sum(buffers[index].size for index in inside) > memory:
            spilled.add(inside.pop())
    return frozenset(spilled)


def _copies_of_weights(program: Program, stage: Stage) -> int:
    """Bytes that a stage's weights take beside the program's own."""
    ops = [program[index] for index in stage.ops]
    return sum(weights_size(op) * (_COPIES_HANDED_OVER if is_handed_over(op) else _COPIES_OF_WEIGHTS) for op in ops)


def _work_in_the_middle(program: Program, stage: Stage, sizes: tuple[Size, ...], rows: int, columns: int) -> Work:
    height, width = sizes[stage.target]
    top, left = (height - min(rows, height)) // 2, (width - min(columns, width)) // 2
    tile = Window(Span(top, min(top + rows, height)), Span(left, min(left + columns, width)))
    return work_on(program, stage, sizes, tile)


def _tile_size(program: Program, stage: Stage, sizes: tuple[Size, ...], rows: int, columns: int) -> int:
    """Bytes that one tile of this size takes."""
    return int(_IN_TILES * _maps_size(program, stage, sizes, rows, columns, _scratch))


def _maps_size(
    program: Program,
    stage: Stage,
    sizes: tuple[Size, ...],
    rows: int,
    columns: int,
    scratch: Callable[[Op, int, int, int], int],
) -> int:
    """Bytes of all maps at the worst moment of one tile of this size."""
    work = _work_in_the_middle(program, stage, sizes, rows, columns)

    def size(index: int) -> int:
        return program[index].channels * work.windows[index].area * _FLOAT

    last_use = {source: index for index in stage.ops for source in program[index].inputs}
    live = sum(size(source) for source in stage.sources)
    worst = live
    for index in stage.ops:
        op = program[index]
        live += size(index)
        worst = max(worst, live + scratch(op, program[op.inputs[0]].channels, size(index), size(op.inputs[0])))
        live -= sum(size(source) for source in set(op.inputs) if last_use[source] == index)
    # Statistics take two copies of the target; results wait to be written.
    results = sum(size(index) for index in {*stage.keeps, stage.target})
    return max(worst, size(stage.target) * 2 + results) + results


def _scratch(op: Op, in_channels: int, result: int, source: int) -> int:
    """Bytes that an operation takes for itself.

    Args:
        op: the operation.
        in_channels: of its first input.
        result: bytes of its result.
        source: bytes of its first input.
    """
    match op:
        case Operation(kind="Conv") if _is_dense(op):  # Winograd's algorithm: 36 values for 16 places
            return 36 * (source + max(source, result)) // 16
        case Operation(kind="Conv"):
            return source + result  # padded, and in the order that computing wants
        case Operation(kind="ConvTranspose"):
            return source // in_channels * op.channels * op.rows.kernel * op.columns.kernel
        case Norm() | Operation(reach="enlarged"):
            return result
        case Operation(reach="window"):
            return source
        case _:
            return 0


def _scratch_of_one_pass(op: Op, in_channels: int, result: int, source: int) -> int:
    """The same for one pass, of which more is known."""
    match op:
        case Operation(kind="Conv") if min(op.channels, in_channels) < LEAST_CHANNELS:  # never by Winograd's algorithm
            return source + result
        case Operation(kind="ConvTranspose"):
            return int(_ENLARGING * _scratch(op, in_channels, result, source))
        case _:
            return _scratch(op, in_channels, result, source)


def _is_dense(op: Operation) -> bool:
    return all((axis.kernel, axis.stride, axis.dilation) == (3, 1, 1) for axis in (op.rows, op.columns))


def _spans(size: int, largest: int) -> Iterator[Span]:
    # Tiles that begin alike, for operations that halve and double, are computed by the same pieces.
    grid = _GRID if largest >= 4 * _GRID else 1
    count = 1 if size <= largest else -(-size // (largest - grid + 1))
    edges = [*(number * size // count // grid * grid for number in range(count)), size]
    return starmap(Span, pairwise(edges))
