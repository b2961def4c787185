"""The graph of an ONNX model, whose convolutions can be replaced by other nodes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zorse.imaging.tensor import Tensor
from zorse.model.onnx_file import (
    GRAPH_INITIALIZER,
    GRAPH_NODE,
    MODEL_OPSET,
    NODE_ATTRIBUTE,
    NODE_INPUT,
    NODE_OP,
    NODE_OUTPUT,
    TENSOR_NAME,
    Node,
    graph_of,
    nodes,
)
from zorse.model.protobuf import Part, encode, encode_integer, encode_text, fields, integers, text

Attribute = int | Sequence[int]

_ATTRIBUTE_NAME, _ATTRIBUTE_INTEGER, _ATTRIBUTE_TEXT, _ATTRIBUTE_INTEGERS, _ATTRIBUTE_TYPE = 1, 3, 4, 8, 20
_INTEGER_TYPE, _INTEGERS_TYPE = 2, 7
_TENSOR_SIDES, _TENSOR_ELEMENT, _TENSOR_BYTES = 1, 2, 9
_FLOAT32 = 1
_ELEMENTS = {"float32": _FLOAT32, "int64": 7}
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2

_LEAST_OPSET = 15
"""From it on, Shape gives a part of the shape."""


@dataclass(frozen=True)
class Convolution:
    """A Conv node with one group and constant float32 weights."""

    source: str
    weight: str
    bias: str | None
    result: str
    out_channels: int
    in_channels: int
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]
    """Rows of zeros above, columns to the left, rows below, columns to the right."""

    @property
    def is_dense(self) -> bool:
        """Whether it computes a result for each place, from places side by side."""
        return self.strides == (1, 1) and self.dilations == (1, 1)


class Graph:
    """A model's graph with replacements of its convolutions."""

    def __init__(self, content: bytes) -> None:
        self._fields = list(fields(graph_of(content)))
        self._nodes = list(nodes(self._fields))
        self._opset = _opset(content)
        self._replaced: dict[str, list[Part]] = {}
        """The nodes that take a node's place, by its result."""
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        """Names, by type, shape and content."""

    def convolutions(self) -> Iterator[Convolution]:
        """Those that can be replaced."""
        weights = self._weights() if self._opset >= _LEAST_OPSET else {}
        for node in self._nodes:
            convolution = _convolution(node, weights)
            if convolution is not None:
                yield convolution

    def replace(self, convolution: Convolution, nodes: "Nodes", result: str) -> None:
        """Lets nodes compute, as their tensor `result`, what the convolution computes."""
        self._replaced[convolution.result] = [*nodes.parts, *_node("Identity", [result], convolution.result, {})]

    def constant(self, values: Tensor | NDArray[np.int64]) -> str:
        """The name of a constant in the graph; equal ones are stored once."""
        key = (str(values.dtype), values.shape, values.tobytes())
        return self._constants.setdefault(key, f"zorse/constant/{len(self._constants)}")

    def fields(self) -> Iterator[Part]:
        """The graph as a message."""
        for node in self._nodes:
            yield from self._replaced.get("".join(node.outputs), [node.whole])
        yield from (field.whole for field in self._fields if field.number != GRAPH_NODE)
        for (element, shape, content), name in self._constants.items():
            yield from encode(GRAPH_INITIALIZER, _tensor(name, element, shape, content))

    def _weights(self) -> dict[str, list[int]]:
        """The shapes of float32 constants, by name; also of those that are stored in 16 bits, behind a cast."""
        constants = [field.value for field in self._fields if field.number == GRAPH_INITIALIZER]
        shapes = {text(value, TENSOR_NAME): integers(value, _TENSOR_SIDES) for value in constants}
        weights = {
            text(value, TENSOR_NAME): integers(value, _TENSOR_SIDES)
            for value in constants
            if integers(value, _TENSOR_ELEMENT) == [_FLOAT32]
        }
        for node in self._nodes:
            (source, *_), (result, *_) = node.inputs or ("",), node.outputs or ("",)
            if node.op == "Cast" and source in shapes and _attributes(node).get("to") == [_FLOAT32]:
                weights[result] = shapes[source]
        return weights


class Nodes:
    """New nodes, in the order in which they compute."""

    def __init__(self, graph: Graph, prefix: str) -> None:
        self.parts: list[Part] = []
        self._graph = graph
        self._prefix = prefix
        self._count = 0

    def add(self, op: str, *inputs: "str | Tensor | NDArray[np.int64]", **attributes: Attribute) -> str:
        """The name of what a new node computes; inputs are names, or values that become constants."""
        self._count += 1
        result = f"{self._prefix}/{self._count}"
        names = [value if isinstance(value, str) else self._graph.constant(value) for value in inputs]
        self.parts += _node(op, names, result, attributes)
        return result

    def cut(self, grown: str, convolution: Convolution) -> str:
        """What a convolution computes, out of what is larger below and to the right."""
        (top, left, bottom, right), (height, width) = convolution.pads, convolution.kernel
        sides = self.add("Shape", convolution.source, start=2)
        ends = self.add("Add", sides, np.array([top + bottom - height + 1, left + right - width + 1]))
        return self.add("Slice", grown, np.array([0, 0]), ends, np.array([2, 3]))


def _opset(content: bytes) -> int:
    for field in fields(content):
        if field.number == MODEL_OPSET and text(field.value, _OPSET_DOMAIN) in ("", "ai.onnx"):
            return sum(integers(field.value, _OPSET_VERSION))
    return 0


def _convolution(node: Node, weights: Mapping[str, list[int]]) -> Convolution | None:
    if node.op != "Conv" or len(node.inputs) < 2:
        return None
    source, weight, *bias = node.inputs
    shape = weights.get(weight, [])
    if len(shape) != 4:
        return None
    found = _attributes(node)
    if found.get("group", [1]) != [1] or _pads_itself(node):
        return None
    (down, across), (every, each) = found.get("strides", [1, 1]), found.get("dilations", [1, 1])
    top, left, bottom, right = found.get("pads", [0, 0, 0, 0])
    return Convolution(
        source,
        weight,
        next((name for name in bias if name), None),
        node.outputs[0],
        out_channels=shape[0],
        in_channels=shape[1],
        kernel=(shape[2], shape[3]),
        strides=(down, across),
        dilations=(every, each),
        pads=(top, left, bottom, right),
    )


def _pads_itself(node: Node) -> bool:
    """Whether the node adds zeros according to the size of its input."""
    ways = (text(value, _ATTRIBUTE_TEXT) for value in node.attributes if text(value, _ATTRIBUTE_NAME) == "auto_pad")
    return next(ways, "NOTSET") != "NOTSET"


def _attributes(node: Node) -> dict[str, list[int]]:
    """A node's attributes that are integers; of others, empty lists."""
    return {
        text(value, _ATTRIBUTE_NAME): integers(value, _ATTRIBUTE_INTEGER) or integers(value, _ATTRIBUTE_INTEGERS)
        for value in node.attributes
    }


def _node(op: str, inputs: Sequence[str], result: str, attributes: Mapping[str, Attribute]) -> list[Part]:
    parts = [part for name in inputs for part in encode_text(NODE_INPUT, name)]
    parts += [*encode_text(NODE_OUTPUT, result), *encode_text(NODE_OP, op)]
    for name, value in attributes.items():
        several = isinstance(value, Sequence)
        number = _ATTRIBUTE_INTEGERS if several else _ATTRIBUTE_INTEGER
        values = [encode_integer(number, each) for each in (value if isinstance(value, Sequence) else [value])]
        kind = encode_integer(_ATTRIBUTE_TYPE, _INTEGERS_TYPE if several else _INTEGER_TYPE)
        parts += encode(NODE_ATTRIBUTE, [*encode_text(_ATTRIBUTE_NAME, name), *values, kind])
    return encode(GRAPH_NODE, parts)


def _tensor(name: str, element: str, shape: tuple[int, ...], content: bytes) -> list[Part]:
    sides = [encode_integer(_TENSOR_SIDES, side) for side in shape]
    kind = encode_integer(_TENSOR_ELEMENT, _ELEMENTS[element])
    return [*sides, kind, *encode_text(TENSOR_NAME, name), *encode(_TENSOR_BYTES, [content])]
