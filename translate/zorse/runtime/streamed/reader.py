"""A network's program, read from its ONNX graph.

The graph is followed node by node for a picture of a certain size. What comes out are operations that look at a part of
their input, in a way that does not depend on the size: read for two sizes, the program is the same. Normalisations may
be nodes of their own or written out, as exporters do: means, differences, squares, roots.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from zorse.errors import IncompatibleWeights
from zorse.model.model_file import Network
from zorse.model.onnx_graph import Array, Graph, attribute, folded, is_float_cast, stored_attributes
from zorse.runtime.streamed.program import Axis, Norm, Op, Operation, Picture, Program, Reach
from zorse.runtime.streamed.stages import Size, map_size

LEAST_OPSET, USUAL_OPSET = 9, 18
"""Older graphs are not read: their operators say in another way how shapes fit together. Pieces of graphs are written
for the usual one, or for that of a newer graph."""

_MOST_NODES = 4000
"""More would take long to read and to plan. The published generators have some hundreds."""
_LARGEST_VIEW = 2**25
"""Values of a map that may be followed through reshapes one by one."""

# fmt: off
_PLACES = frozenset({
    "Abs", "Add", "And", "Ceil", "Celu", "DequantizeLinear", "Div", "Elu", "Equal", "Erf", "Exp", "Floor",
    "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max",
    "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "QuantizeLinear", "Reciprocal", "Relu",
    "Round", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu",
    "Where", "Xor",
})
"""Operators that compute each place from the same place of their inputs."""
# fmt: on
_UNCHANGED = frozenset({"Identity", "Dropout"})
_VIEWING = frozenset({"Reshape", "Transpose", "Unsqueeze", "Squeeze", "Flatten"})


@dataclass(frozen=True)
class TiledNetwork:
    """A network that can be computed in tiles."""

    program: Program
    constants: dict[str, Array]
    opset: int


class Map(NamedTuple):
    """The result of an operation, (1, C, H, W)."""

    op: int


class View(NamedTuple):
    """The values of a map in another shape."""

    op: int
    places: NDArray[np.int32]
    """Which value of the map is where, counted from its first."""


class Statistic(NamedTuple):
    """A part of a normalisation that is written out."""

    of: Map | View
    groups: int
    what: Literal[
        "row means", "mean", "centred", "squares", "row variances", "variance", "raised", "deviation", "inverse"
    ]
    eps: float = 0.0


Value = Array | Map | View | Statistic | None


def read_tiled(network: Network) -> TiledNetwork:
    """Reads what a model file computes.

    Raises:
        IncompatibleWeights: an operator cannot be computed in tiles; the error names it and says what to do.
    """
    card = network.card
    try:
        graph = Graph.of(network.content, network.output)
    except ValueError as error:
        _refuse(card.name, "its file", f"is damaged or not an ONNX model ({error})")
    if len(graph.nodes) > _MOST_NODES:
        _refuse(card.name, "its graph", f"has {len(graph.nodes)} nodes; {_MOST_NODES} are followed")
    unit = -(-48 // card.size_multiple) * card.size_multiple
    first, second = (
        _Reader(graph, network.input, card.architecture.in_channels, size, card.name).read(network.output)
        for size in ((2 * unit, 3 * unit), (3 * unit, 2 * unit))
    )
    for one, other in zip(first.program, second.program, strict=True):
        if one != other:
            kind = one.kind if isinstance(one, Operation) else "a normalisation"
            _refuse(card.name, kind, "goes by the picture's size")
    for name, values in first.constants.items():
        if name not in graph.constants and not np.array_equal(values, second.constants[name]):
            _refuse(card.name, f"the constant {name!r}", "depends on the picture's size")
    return first


def _refuse(name: str, operator: str, why: str) -> NoReturn:
    raise IncompatibleWeights(
        f"The model {name!r} cannot be computed in tiles: {operator} {why}. Translate the picture in one pass "
        "(--tiling whole), which takes more memory, or at a smaller size (--size)."
    )


class _Reader:
    """Follows a graph for pictures of one size."""

    def __init__(self, graph: Graph, source: str, channels: int, size: Size, name: str) -> None:
        self.graph, self.name = graph, name
        self.ops: list[Op] = [Picture(channels)]
        self.sizes: list[Size] = [size]
        self.constants: dict[str, Array] = {}
        self._values: dict[str, Value] = {**graph.constants, "": None, source: Map(0)}

    def read(self, result: str) -> TiledNetwork:
        if not self.graph.opset >= LEAST_OPSET:
            _refuse(self.name, f"opset {self.graph.opset}", f"is older than {LEAST_OPSET}")
        for node in self.graph.nodes:
            if node.output[0] not in self._values:
                self._read(node)
        value = self._values.get(result)
        if not isinstance(value, Map):
            _refuse(self.name, f"its result {result!r}", "is no map of the picture's places")
        if value.op != len(self.ops) - 1:  # another output of a node, or something that is left over
            self.add("Identity", [value], self.ops[value.op].channels)
        return TiledNetwork(tuple(self.ops), self.constants, max(self.graph.opset, USUAL_OPSET))

    def _read(self, node: NodeProto) -> None:
        if node.domain not in ("", "ai.onnx"):
            self.refuse(node, "is not one of ONNX's own operators")
        inputs = [
            self._values[name] if name in self._values else self.refuse(node, "takes an input that is not there")
            for name in node.input
        ]
        for name, value in zip(node.output, self._results(node, inputs), strict=False):
            self._values[name] = value

    def _results(self, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
        kind = node.op_type
        arrays = [value for value in inputs if value is None or isinstance(value, np.ndarray)]
        if len(arrays) == len(inputs):
            return folded(node, arrays, self.graph.opset) or self.refuse(
                node, "is computed from constants in a way that is not known"
            )
        if any(isinstance(value, Statistic) for value in inputs):
            return [_statistic(self, node, inputs) or self.refuse(node, "looks at the whole picture at once")]
        if kind in _UNCHANGED or (kind == "Cast" and is_float_cast(node)):
            return inputs[:1]
        if kind in _RULES:
            return _RULES[kind](self, node, inputs)
        if kind in _PLACES or kind == "Cast":
            return [_places(self, node, inputs)]
        if kind in _VIEWING:
            return [_viewed(self, node, inputs)]
        return self.refuse(node, "looks at the whole picture at once, or is not known")

    def refuse(self, node: NodeProto, why: str) -> NoReturn:
        """Says that a node cannot be computed in tiles."""
        _refuse(self.name, f"the operator {node.op_type} ({node.output[0]})", why)

    def add(
        self,
        kind: str,
        arguments: Sequence[Map | str],
        channels: int,
        attributes: tuple[bytes, ...] = (),
        reach: Reach = "place",
        rows: Axis = Axis(),  # noqa: B008 (immutable)
        columns: Axis = Axis(),  # noqa: B008
        mirrors: bool = False,
        products: int = 0,
    ) -> Map:
        """Appends an operation."""
        inputs = tuple(value.op for value in arguments if isinstance(value, Map))
        positions = iter(range(len(inputs)))
        named = tuple(value if isinstance(value, str) else next(positions) for value in arguments)
        return self.append(
            Operation(inputs, channels, kind, named, attributes, reach, rows, columns, mirrors, products)
        )

    def append(self, op: Operation | Norm) -> Map:
        """Appends an operation that is complete."""
        self.ops.append(op)
        self.sizes.append(map_size(op, self.sizes[op.inputs[0]]))
        return Map(len(self.ops) - 1)

    def constant(self, values: Any, name: str) -> str:
        """Keeps a constant that an operation takes."""
        self.constants[name] = np.ascontiguousarray(values)
        return name

    def map_of(self, node: NodeProto, value: Value) -> tuple[Map, int, Size]:
        """A node's input, its channels and its size."""
        if not isinstance(value, Map):
            self.refuse(node, "takes something else than a map of the picture's places")
        return value, self.ops[value.op].channels, self.sizes[value.op]

    def array_of(self, node: NodeProto, value: Value) -> Array:
        """A node's constant input."""
        return value if isinstance(value, np.ndarray) else self.refuse(node, "takes weights that are computed")


def _given(reader: _Reader, node: NodeProto, inputs: list[Value], position: int, name: str) -> Any:
    """What is an input in newer versions of an operator, and an attribute in older ones."""
    value = inputs[position] if position < len(inputs) else None
    return attribute(node, name) if value is None else reader.array_of(node, value)


# What is computed place by place ------------------------------------------------------------------------------------


def _places(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Value:
    maps = [reader.map_of(node, value) for value in inputs if not isinstance(value, np.ndarray | None)]
    if len({size for *_, size in maps}) > 1:
        reader.refuse(node, "takes maps of different sizes")
    if node.op_type in ("Mul", "Add") and len(maps) == 1 and _joined_norm(reader, node, inputs):
        return maps[0][0]
    channels = [channels for _, channels, _ in maps]
    arguments: list[Map | str] = []
    for name, value in zip(node.input, inputs, strict=True):
        if isinstance(value, np.ndarray):
            channels.append(_channels_of_constant(reader, node, value))
            arguments.append(reader.constant(value, name))
        else:
            arguments.append(value if isinstance(value, Map) else "")
    return reader.add(node.op_type, arguments, max(channels), stored_attributes(node.attribute))


def _clip(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, _ = reader.map_of(node, inputs[0])
    ends = [_given(reader, node, inputs, position, name) for position, name in ((1, "min"), (2, "max"))]
    names = [
        "" if end is None else reader.constant(np.float32(end).reshape(()), f"{node.output[0]}/{role}")
        for role, end in zip(("min", "max"), ends, strict=True)
    ]
    return [reader.add("Clip", [source, *names], channels)]


def _channels_of_constant(reader: _Reader, node: NodeProto, values: Array) -> int:
    """Channels of what is the same at all places."""
    shape = (1,) * (4 - values.ndim) + values.shape
    if len(shape) > 4 or shape[0] != 1 or shape[2:] != (1, 1):
        reader.refuse(node, f"takes a constant of shape {values.shape}, for pictures of a fixed size")
    return int(shape[1])


def _joined_norm(reader: _Reader, node: NodeProto, inputs: list[Value]) -> bool:
    """Makes a factor, or a summand, of each channel a part of the normalisation before it."""
    (at,) = (position for position, value in enumerate(inputs) if isinstance(value, Map))
    index, values = inputs[at].op, reader.array_of(node, inputs[1 - at])  # type: ignore[union-attr]
    norm = reader.ops[index]
    if not isinstance(norm, Norm) or reader.graph.uses[node.input[at]] != 1 or norm.offset is not None:
        return False
    if values.dtype != np.float32 or _channels_of_constant(reader, node, values) not in (1, norm.channels):
        return False
    values = np.broadcast_to(values.reshape(-1), norm.channels)
    name = node.input[1 - at]
    if node.op_type == "Add":
        reader.ops[index] = replace(norm, offset=_constant_of_norm(reader, values, f"{name}/offset"))
    else:
        before = 1 if norm.gain is None else reader.constants[norm.gain]
        reader.ops[index] = replace(norm, gain=reader.constant(before * values, f"{name}/gain/{index}"))
    return True


def _channels(reader: _Reader, node: NodeProto, inputs: list[Value], indices: Array, kind: str = "Gather") -> Value:
    """Some channels of a map, in some order."""
    source, channels, _ = reader.map_of(node, inputs[0])
    if indices.ndim != 1 or not indices.size or not (-channels <= indices.min() and indices.max() < channels):
        reader.refuse(node, "takes channels that are not there")
    axis = stored_attributes([helper.make_attribute("axis", 1)])
    name = reader.constant(indices.astype(np.int64), f"{node.output[0]}/channels/{kind}/{indices[0]}")
    return reader.add("Gather", [source, name], len(indices), axis)


def _gather(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    if attribute(node, "axis", 0) not in (1, -3):
        reader.refuse(node, "takes some places of the picture only")
    return [_channels(reader, node, inputs, reader.array_of(node, inputs[1]))]


def _concat(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    if attribute(node, "axis") not in (1, -3):
        reader.refuse(node, "puts maps side by side")
    maps = [reader.map_of(node, value) for value in inputs]
    if len({size for *_, size in maps}) > 1:
        reader.refuse(node, "takes maps of different sizes")
    axis = stored_attributes([helper.make_attribute("axis", 1)])
    return [reader.add("Concat", [each for each, *_ in maps], sum(channels for _, channels, _ in maps), axis)]


def _split(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    if attribute(node, "axis", 0) not in (1, -3):
        reader.refuse(node, "divides the picture")
    source, channels, _ = reader.map_of(node, inputs[0])
    sizes = _given(reader, node, inputs, 1, "split")
    if sizes is None:
        each = -(-channels // len(node.output))
        sizes = [min(each, channels - each * number) for number in range(len(node.output))]
    stops = np.cumsum(sizes)
    return [
        _channel_range(reader, node, source, int(stop - size), int(stop))
        for size, stop in zip(sizes, stops, strict=True)
    ]


def _channel_range(reader: _Reader, node: NodeProto, source: Map, start: int, stop: int) -> Map:
    names = [
        reader.constant(np.array([value]), f"{node.output[0]}/{role}/{value}")
        for role, value in (("start", start), ("stop", stop), ("axis", 1))
    ]
    return reader.add("Slice", [source, *names], stop - start)


def _softmax(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, _ = reader.map_of(node, inputs[0])
    if reader.graph.opset < 13 or attribute(node, "axis", -1) not in (1, -3):
        reader.refuse(node, "looks at the whole picture at once")
    return [reader.add(node.op_type, [source], channels, stored_attributes(node.attribute))]


# Windows ------------------------------------------------------------------------------------------------------------


def _axes(reader: _Reader, node: NodeProto, kernel: Sequence[int], *, grows: bool = False) -> tuple[Axis, Axis]:
    """Kernel, strides, dilations and padding of both axes."""
    strides, dilations = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
    pads = list(attribute(node, "pads", [0, 0, 0, 0]))
    if not len(kernel) == len(strides) == len(dilations) == 2 or len(pads) != 4:
        reader.refuse(node, "does not work on rows and columns")
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        missing = [
            (size - 1) * dilation + 1 - stride
            for size, stride, dilation in zip(kernel, strides, dilations, strict=True)
        ]
        if min(missing) < 0 or (not grows and max(strides) > 1):
            reader.refuse(node, f"pads by itself ({auto}) according to the picture's size")
        less, more = [each // 2 for each in missing], [each - each // 2 for each in missing]
        pads = [*less, *more] if auto == "SAME_UPPER" else [*more, *less]
    rows, columns = (
        Axis(kernel[axis], strides[axis], dilations[axis], pads[axis], pads[axis + 2]) for axis in range(2)
    )
    return rows, columns


def _kept_attributes(node: NodeProto, *names: str) -> tuple[bytes, ...]:
    return stored_attributes(each for each in node.attribute if each.name in names)


def _conv(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, inside, _ = reader.map_of(node, inputs[0])
    weight = reader.array_of(node, inputs[1])
    if weight.ndim != 4:
        reader.refuse(node, "does not work on rows and columns")
    transposed, groups = node.op_type == "ConvTranspose", attribute(node, "group", 1)
    rows, columns = _axes(reader, node, weight.shape[2:], grows=transposed)
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    if inside != (weight.shape[0] if transposed else weight.shape[1] * groups):
        reader.refuse(node, f"has weights of shape {weight.shape} for {inside} channels")
    if transposed:
        rows, columns = _grown(reader, node, rows, columns)
    arguments: list[Map | str] = [source]
    for name, value in zip(node.input[1:], inputs[1:], strict=True):
        if value is not None:
            arguments.append(reader.constant(reader.array_of(node, value), name))
    kept = stored_attributes(
        helper.make_attribute(name, value)
        for name, value in {
            "kernel_shape": [rows.kernel, columns.kernel],
            "strides": [rows.stride, columns.stride],
            "dilations": [rows.dilation, columns.dilation],
            "group": groups,
        }.items()
    )
    reach: Reach = "enlarged" if transposed else "window"
    products = prod(weight.shape)
    return [reader.add(node.op_type, arguments, channels, kept, reach, rows, columns, products=products)]


def _grown(reader: _Reader, node: NodeProto, rows: Axis, columns: Axis) -> tuple[Axis, Axis]:
    """The axes of a transposed convolution with what it adds at the end."""
    if attribute(node, "output_shape") is not None:
        reader.refuse(node, "has a result of a fixed size")
    more = attribute(node, "output_padding", [0, 0])
    axes = [replace(axis, after=axis.after - added) for axis, added in zip((rows, columns), more, strict=True)]
    if min(axis.after for axis in axes) < 0:
        reader.refuse(node, f"adds {more} places that it does not compute (output_padding)")
    return axes[0], axes[1]


def _pool(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, _ = reader.map_of(node, inputs[0])
    if attribute(node, "ceil_mode", 0):
        reader.refuse(node, "rounds sizes up (ceil_mode)")
    rows, columns = _axes(reader, node, attribute(node, "kernel_shape"))
    kept = _kept_attributes(node, "kernel_shape", "strides", "dilations", "count_include_pad")
    return [reader.add(node.op_type, [source], channels, kept, "window", rows, columns)]


def _pad(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, _ = reader.map_of(node, inputs[0])
    pads = [int(each) for each in _given(reader, node, inputs, 1, "pads")]
    axes = _given(reader, node, inputs, 3, "axes")
    axes = list(range(len(pads) // 2)) if axes is None else [int(axis) % 4 for axis in axes]
    each = {axis: (pads[place], pads[place + len(axes)]) for place, axis in enumerate(axes)}
    mode = attribute(node, "mode", "constant")
    if any(each.pop(axis, (0, 0)) != (0, 0) for axis in (0, 1)) or mode not in ("constant", "reflect", "edge"):
        reader.refuse(node, f"pads channels, or in the mode {mode!r}")
    rows, columns = (Axis(1, 1, 1, *each.get(axis, (0, 0))) for axis in (2, 3))
    value = inputs[2] if len(inputs) > 2 else attribute(node, "value", None)
    arguments: list[Map | str] = [source]
    if mode == "constant" and value is not None:
        arguments.append(reader.constant(np.float32(value).reshape(()), f"{node.output[0]}/value"))  # type: ignore[arg-type]
    kept = stored_attributes([helper.make_attribute("mode", mode)])
    return [reader.add("Pad", arguments, channels, kept, "window", rows, columns, mirrors=mode == "reflect")]


def _slice(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, size = reader.map_of(node, inputs[0])
    starts, ends, axes, steps = (
        _given(reader, node, inputs, position, name)
        for position, name in enumerate(("starts", "ends", "axes", "steps"), start=1)
    )
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    parts = {
        int(axis) % 4: (slice(int(start), int(end), int(step)), int(step))
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    }
    if any(step < 1 for _, step in parts.values()) or 0 in parts:
        reader.refuse(node, "turns the picture over, or takes some pictures only")
    if 1 in parts:
        start, stop, step = parts[1][0].indices(channels)
        source = (
            _channel_range(reader, node, source, start, stop)
            if step == 1 and stop > start
            else _channels(reader, node, inputs, np.arange(start, stop, step))  # type: ignore[assignment]
        )
        channels = reader.ops[source.op].channels
    if not {2, 3} & parts.keys():
        return [source]
    rows, columns = (_sliced(parts.get(axis), side) for axis, side in zip((2, 3), size, strict=True))
    return [reader.add("Slice", [source], channels, (), "window", rows, columns)]


def _sliced(part: tuple[slice, int] | None, side: int) -> Axis:
    if part is None:
        return Axis()
    start, stop, step = part[0].indices(side)
    return Axis(1, step, 1, -start, stop - side)


def _depth_to_space(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, _ = reader.map_of(node, inputs[0])
    block = attribute(node, "blocksize")
    axis = Axis(block, block)
    return [
        reader.add(
            "DepthToSpace", [source], channels // block**2, stored_attributes(node.attribute), "enlarged", axis, axis
        )
    ]


def _space_to_depth(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, _ = reader.map_of(node, inputs[0])
    block = attribute(node, "blocksize")
    axis = Axis(block, block)
    return [
        reader.add(
            "SpaceToDepth", [source], channels * block**2, stored_attributes(node.attribute), "window", axis, axis
        )
    ]


# Resizes ------------------------------------------------------------------------------------------------------------


def _resize(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, size = reader.map_of(node, inputs[0])
    mode = attribute(node, "mode", "nearest")
    is_old = node.op_type == "Upsample" or reader.graph.opset < 11
    how = "asymmetric" if is_old else attribute(node, "coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if is_old else attribute(node, "nearest_mode", "round_prefer_floor")
    factors = _factors(reader, node, inputs, size, is_old)
    if (
        mode not in ("nearest", "linear", "cubic")
        or attribute(node, "antialias", 0)
        or attribute(node, "exclude_outside", 0)
    ):
        reader.refuse(node, f"enlarges in a way that is not known (mode {mode!r})")
    if how not in ("asymmetric", "half_pixel", "pytorch_half_pixel") or not _is_regular(mode, how, rounding, factors):
        reader.refuse(node, f"places pixels by the size of the picture, or between two ({how}, {rounding})")
    bigger = factors[0] >= 1
    rows, columns = (_enlarging(int(f), mode, how) if bigger else Axis(round(1 / f), round(1 / f)) for f in factors)
    scales = reader.constant(np.array([1, 1, *factors], np.float32), f"{node.output[0]}/scales")
    named = {"mode": mode, "coordinate_transformation_mode": how, "nearest_mode": rounding}
    named |= {"cubic_coeff_a": attribute(node, "cubic_coeff_a", -0.75)} if mode == "cubic" else {}
    kept = stored_attributes(helper.make_attribute(name, value) for name, value in named.items())
    reach: Reach = "enlarged" if bigger else "window"
    return [reader.add("Resize", [source, "", scales], channels, kept, reach, rows, columns)]


def _factors(reader: _Reader, node: NodeProto, inputs: list[Value], size: Size, is_old: bool) -> tuple[float, float]:
    """By how much height and width grow."""
    scales = _given(reader, node, inputs, 1 if is_old else 2, "scales")
    sizes = _given(reader, node, inputs, 3, "sizes")
    axes = [int(axis) % 4 for axis in attribute(node, "axes", range(4))]
    if scales is not None and len(scales):
        each = dict(zip(axes, map(float, scales), strict=True))
    else:
        sides = dict(enumerate((1, reader.ops[inputs[0].op].channels, *size)))  # type: ignore[union-attr]
        each = {
            axis: int(side) / sides[axis] for axis, side in zip(axes, sizes if sizes is not None else (), strict=True)
        }
    factors = each.get(2, 1.0), each.get(3, 1.0)
    whole = all(round(f) == f >= 1 for f in factors) or all(round(1 / f) * f == 1 for f in factors if f > 0)
    if not whole or min(factors) <= 0 or {each.get(0, 1.0), each.get(1, 1.0)} != {1.0}:
        reader.refuse(
            node, f"does not enlarge or reduce the picture by whole numbers, but by {factors[0]:g} x {factors[1]:g}"
        )
    return factors


def _is_regular(mode: str, how: str, rounding: str, factors: tuple[float, float]) -> bool:
    """Whether each block of places is made alike."""
    if mode == "nearest":
        exact = rounding in ("round_prefer_floor", "round_prefer_ceil") if how != "asymmetric" else rounding == "floor"
        return exact and (min(factors) >= 1 or how == "asymmetric")
    return min(factors) >= 1 or (
        mode == "linear" and all(round(1 / f) % 2 == 0 or f == 1 for f in factors) and how != "asymmetric"
    )


def _enlarging(factor: int, mode: str, how: str) -> Axis:
    """Which places of the result a place has a part in."""
    if factor == 1:
        return Axis()
    if mode == "nearest":
        return Axis(factor, factor)
    before = factor - 1 if how == "asymmetric" else factor // 2
    kernel = 2 * factor
    if mode == "cubic":
        before, kernel = before + factor, kernel + 2 * factor
    return Axis(kernel, factor, 1, before, kernel - factor - before)


# Normalisations -----------------------------------------------------------------------------------------------------


def _constant_of_norm(reader: _Reader, values: Array, name: str) -> str:
    return reader.constant(values.reshape(-1).astype(np.float32, copy=False), name)


def _norm(
    reader: _Reader,
    of: Map | View,
    groups: int,
    eps: float,
    gain: Array | None = None,
    offset: Array | None = None,
    name: str = "",
) -> Map | View:
    """Appends a normalisation; its result has the shape of what is normalised."""
    channels = reader.ops[of.op].channels
    names: list[str | None] = []
    for values, role, nothing in ((gain, "gain", 1), (offset, "offset", 0)):
        is_needed = values is not None and bool((values != nothing).any())
        names.append(
            _constant_of_norm(reader, np.repeat(values, channels // values.size), f"{name}/{role}")
            if values is not None and is_needed
            else None
        )
    result = reader.append(Norm((of.op,), channels, groups, names[0], names[1], eps=eps))
    return result if isinstance(of, Map) else View(result.op, of.places)


def _instance_norm(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source = inputs[0]
    groups = _groups(reader, source, range(2, 9))
    if groups is None or not isinstance(source, Map | View):
        reader.refuse(node, "normalises over parts of the picture")
    gain, offset = (reader.array_of(node, value) for value in inputs[1:3])
    eps = attribute(node, "epsilon", 1e-5)
    return [_norm(reader, source, groups, eps, gain, offset, node.output[0])]


def _group_norm(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, _ = reader.map_of(node, inputs[0])
    groups = attribute(node, "num_groups")
    gain, offset = (reader.array_of(node, value) for value in inputs[1:3])
    if channels % groups or gain.size not in (groups, channels) or offset.size != gain.size:
        reader.refuse(node, f"has {groups} groups of {channels} channels")
    return [_norm(reader, source, groups, attribute(node, "epsilon", 1e-5), gain, offset, node.output[0])]


def _batch_norm(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source, channels, _ = reader.map_of(node, inputs[0])
    if attribute(node, "training_mode", 0):
        reader.refuse(node, "is in training mode")
    gain, offset, mean, variance = (
        _constant_of_norm(reader, reader.array_of(node, value), name)
        for name, value in zip(node.input[1:5], inputs[1:5], strict=True)
    )
    eps = attribute(node, "epsilon", 1e-5)
    return [reader.append(Norm((source.op,), channels, channels, gain, offset, (mean, variance), eps))]


def _groups(reader: _Reader, value: Value, axes: Sequence[int]) -> int | None:
    """In how many groups of channels a mean over some axes divides a map; None where it divides places, too."""
    match value:
        case Map(op):
            shape = (1, reader.ops[op].channels, *reader.sizes[op])
        case View(op, places) if np.array_equal(places.reshape(-1), np.arange(places.size)):
            shape = places.shape
        case _:
            return None
    over = {axis for axis in axes if axis < len(shape)}
    first = min(over, default=0)
    if not 1 <= first <= 2 or over != set(range(first, len(shape))) or shape[0] != 1:
        return None
    return int(shape[1]) if first == 2 else 1


def _mean(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    source = inputs[0]
    axes = _axes_of_mean(reader, node, inputs)
    if axes == [1] and isinstance(source, Map):
        name = reader.constant(np.array([1]), f"{node.output[0]}/axes")
        return [reader.add("ReduceMean", [source, name], 1)]
    groups = _groups(reader, source, axes)
    if isinstance(source, Map) and axes == [3]:
        return [Statistic(source, reader.ops[source.op].channels, "row means")]
    if groups is None or not isinstance(source, Map | View):
        reader.refuse(node, "takes means over parts of the picture")
    return [Statistic(source, groups, "mean")]


def _axes_of_mean(reader: _Reader, node: NodeProto, inputs: list[Value]) -> list[int]:
    if node.op_type == "GlobalAveragePool":
        return [2, 3]
    axes = _given(reader, node, inputs, 1, "axes")
    if axes is None or not attribute(node, "keepdims", 1):
        reader.refuse(node, "looks at the whole picture at once")
    of = inputs[0].of if isinstance(inputs[0], Statistic) else inputs[0]
    dimensions = of.places.ndim if isinstance(of, View) else 4
    return sorted(int(axis) % dimensions for axis in axes)


def _statistic(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Value:
    """The next part of a normalisation that is written out; None where it is none."""
    kind = node.op_type
    if kind == "ReduceMean":
        return _mean_of_statistic(reader, node, inputs)
    if kind in ("Identity", "Cast"):
        return inputs[0]
    numbers = [float(value.reshape(())) for value in inputs if isinstance(value, np.ndarray) and value.size == 1]
    match kind, *inputs:
        case "Sub", (Map() | View()) as of, Statistic(what="mean") as mean if _is_same(of, mean.of):
            return mean._replace(what="centred")
        case "Mul", Statistic(what="centred") as one, Statistic(what="centred") as other if _is_same(one.of, other.of):
            return one._replace(what="squares")
        case "Pow", Statistic(what="centred") as one, np.ndarray() if numbers == [2]:
            return one._replace(what="squares")
        case ("Add", Statistic(what="variance") as one, np.ndarray()) | (
            "Add",
            np.ndarray(),
            Statistic(what="variance") as one,
        ) if numbers:
            return one._replace(what="raised", eps=numbers[0])
        case "Sqrt", Statistic(what="raised") as one:
            return one._replace(what="deviation")
        case "Pow", Statistic(what="raised") as one, np.ndarray() if numbers in ([0.5], [-0.5]):
            return one._replace(what="deviation" if numbers == [0.5] else "inverse")
        case "Reciprocal", Statistic(what="deviation") as one:
            return one._replace(what="inverse")
        case "Div", np.ndarray(), Statistic(what="deviation") as one if numbers == [1]:
            return one._replace(what="inverse")
        case ("Div", Statistic(what="centred") as one, Statistic(what="deviation") as other) | (
            "Mul",
            Statistic(what="centred") as one,
            Statistic(what="inverse") as other,
        ) if _is_same(one.of, other.of):
            return _norm(reader, one.of, one.groups, other.eps)
    return None


def _is_same(one: Map | View, other: Map | View) -> bool:
    return one is other or (isinstance(one, Map) and one == other)


def _mean_of_statistic(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Value:
    axes = _axes_of_mean(reader, node, inputs)
    match inputs[0]:
        case Statistic(what="row means") as one if axes == [2]:
            return one._replace(what="mean")
        case Statistic(what="row variances") as one if axes == [2]:
            return one._replace(what="variance")
        case Statistic(of=Map(), what="squares") as one if axes == [3]:
            return one._replace(what="row variances")
        case Statistic(what="squares") as one if _groups(reader, one.of, axes) == one.groups:
            return one._replace(what="variance")
    return None


# Reshapes -----------------------------------------------------------------------------------------------------------


def _shape(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Sequence[Value]:
    match inputs[0]:
        case Map(op):
            shape = np.array([1, reader.ops[op].channels, *reader.sizes[op]])
        case View(places=places):
            shape = np.array(places.shape)
        case _:
            reader.refuse(node, "takes the shape of something that is not known")
    return [shape[attribute(node, "start", 0) : attribute(node, "end", None)]]


def _viewed(reader: _Reader, node: NodeProto, inputs: list[Value]) -> Value:
    """The values of a map in another shape; a map again where that is one with its channels or blocks moved."""
    match inputs[0]:
        case Map(op) as value:
            shape = (1, reader.ops[op].channels, *reader.sizes[op])
            if prod(shape) > _LARGEST_VIEW:
                reader.refuse(node, "takes a map that is too large to be followed")
            places = np.arange(prod(shape), dtype=np.int32).reshape(shape)
        case View() as value:
            places = value.places
        case _:
            reader.refuse(node, "takes something else than a map of the picture's places")
    others = [reader.array_of(node, other) for other in inputs[1:]]
    moved = folded(node, [places, *others], reader.graph.opset)
    if moved is None:
        reader.refuse(node, "has a shape that does not fit")
    return _as_map(reader, node, value.op, moved[0]) or View(value.op, moved[0])


def _as_map(reader: _Reader, node: NodeProto, op: int, places: NDArray[np.int32]) -> Map | None:
    if places.ndim != 4 or places.shape[0] != 1:
        return None
    (height, width), (_, channels, high, wide) = reader.sizes[op], places.shape
    source = Map(op)
    if (high, wide) == (height, width):
        return _moved_channels(reader, node, source, places[0])
    block = height // high
    if block and (high * block, wide * block) == (height, width):
        return _blocks_to_channels(reader, node, source, places[0], block)
    block = high // height
    if block and (high, wide) == (height * block, width * block):
        # (C, h, b, w, b) -> (b, b, C, h, w), whose first three axes are channels in the order of DepthToSpace
        parts = places[0].reshape(channels, height, block, width, block).transpose(2, 4, 0, 1, 3)
        moved = _moved_channels(reader, node, source, parts.reshape(-1, height, width))
        return moved and reader.add(
            "DepthToSpace",
            [moved],
            channels,
            stored_attributes([helper.make_attribute("blocksize", block)]),
            "enlarged",
            Axis(block, block),
            Axis(block, block),
        )
    return None


def _moved_channels(reader: _Reader, node: NodeProto, source: Map, places: NDArray[np.int32]) -> Map | None:
    """(C, H, W): where each value comes from."""
    area = prod(places.shape[1:])
    order = places[:, 0, 0] // area
    if not np.array_equal(places.reshape(-1, area), order[:, None] * area + np.arange(area)):
        return None
    if np.array_equal(order, np.arange(reader.ops[source.op].channels)):
        return source
    return _channels(reader, node, [source], order, "moved")  # type: ignore[return-value]


def _blocks_to_channels(
    reader: _Reader, node: NodeProto, source: Map, places: NDArray[np.int32], block: int
) -> Map | None:
    channels, (height, width) = reader.ops[source.op].channels, reader.sizes[source.op]
    every = np.arange(channels * height * width, dtype=np.int32)
    parts = every.reshape(channels, height // block, block, width // block, block).transpose(2, 4, 0, 1, 3)
    parts = parts.reshape(-1, *places.shape[1:])  # the order of SpaceToDepth
    position = {int(first): number for number, first in enumerate(parts[:, 0, 0])}
    order = np.array([position.get(int(first), -1) for first in places[:, 0, 0]])
    if order.min() < 0 or not np.array_equal(parts[order], places):
        return None
    axis = Axis(block, block)
    kept = stored_attributes([helper.make_attribute("blocksize", block)])
    blocks = reader.add("SpaceToDepth", [source], channels * block**2, kept, "window", axis, axis)
    if np.array_equal(order, np.arange(len(order))):
        return blocks
    return _channels(reader, node, [blocks], order, "blocks")  # type: ignore[return-value]


_RULES: dict[str, Callable[[_Reader, NodeProto, list[Value]], Sequence[Value]]] = {
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "ConvTranspose": _conv,
    "DepthToSpace": _depth_to_space,
    "Gather": _gather,
    "GlobalAveragePool": _mean,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "MaxPool": _pool,
    "Pad": _pad,
    "ReduceMean": _mean,
    "Resize": _resize,
    "Shape": _shape,
    "Slice": _slice,
    "Softmax": _softmax,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Upsample": _resize,
}
