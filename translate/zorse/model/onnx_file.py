"""What an ONNX file holds, and a part of its graph as a model of its own.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto for the numbers of the fields.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from zorse.model.protobuf import Field, Part, encode, encode_integer, encode_text, fields, inside, text

MODEL_OPSET, MODEL_GRAPH, MODEL_METADATA = 8, 7, 14
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO = 1, 5, 11, 12, 13
NODE_INPUT, NODE_OUTPUT, NODE_OP, NODE_ATTRIBUTE = 1, 2, 4, 5
TENSOR_NAME = 8
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR = 1
_TENSOR_TYPE_ELEMENT, _TENSOR_TYPE_SHAPE = 1, 2
_SHAPE_DIMENSION = 1
_DIMENSION_VALUE, _DIMENSION_NAME = 1, 2

_ELEMENTS = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}


@dataclass(frozen=True)
class Value:
    """An input or output of a graph."""

    name: str
    element: str
    """Type of its numbers: "float32", "uint8", ..."""
    shape: tuple[int | str, ...]
    """Numbers where the graph fixes them, names (perhaps empty) where it does not."""

    def __str__(self) -> str:
        return f"{self.name} {self.element} ({', '.join(str(side) or '?' for side in self.shape)})"


class Node(NamedTuple):
    """One operation of a graph."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[Part, ...]
    whole: Part
    """As a field of the graph."""


@dataclass(frozen=True)
class OnnxFile:
    """The content of an ONNX file and what it says of itself."""

    content: bytes
    metadata: dict[str, str]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    tensors: frozenset[str]
    """The names of all that its nodes compute."""

    def between(self, source: Value, result: Value) -> bytes:
        """A model that computes one of the graph's tensors from another, with the metadata of the whole.

        Args:
            source: becomes the only input.
            result: becomes the only output; it depends on nothing else than `source` and constants.
        """
        return with_graph(self.content, _part(graph_of(self.content), source, result))


def parse_onnx(content: bytes) -> OnnxFile:
    """Looks through the content of an ONNX file.

    Raises:
        ValueError: it is no ONNX model, or damaged.
    """
    graph = list(fields(graph_of(content)))
    if not graph:
        raise ValueError("it holds no graph")
    entries = [field.value for field in fields(content) if field.number == MODEL_METADATA]
    constants = {text(field.value, TENSOR_NAME) for field in graph if field.number == GRAPH_INITIALIZER}
    inputs = [_value(field.value) for field in graph if field.number == GRAPH_INPUT]
    return OnnxFile(
        content,
        {text(entry, _ENTRY_KEY): text(entry, _ENTRY_VALUE) for entry in entries},
        tuple(value for value in inputs if value.name not in constants),  # old files list constants as inputs, too
        tuple(_value(field.value) for field in graph if field.number == GRAPH_OUTPUT),
        frozenset(name for node in nodes(graph) for name in node.outputs),
    )


def graph_of(content: bytes) -> Part:
    """The graph in the content of an ONNX file; empty where there is none."""
    parts = [field.value for field in fields(content) if field.number == MODEL_GRAPH]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def with_graph(content: bytes, graph: Iterable[Part]) -> bytes:
    """The content of an ONNX file with another graph."""
    others = (field.whole for field in fields(content) if field.number != MODEL_GRAPH)
    return b"".join([*others, *encode(MODEL_GRAPH, graph)])


def nodes(graph: Iterable[Field]) -> Iterator[Node]:
    """The nodes among a graph's fields, in the order in which they compute."""
    for field in graph:
        if field.number == GRAPH_NODE:
            yield _node(field)


def _node(field: Field) -> Node:
    parts: dict[int, list[memoryview]] = {}
    for part in fields(field.value):
        parts.setdefault(part.number, []).append(part.value)
    op, inputs, outputs = (
        tuple(str(value, "utf-8") for value in parts.get(number, ())) for number in (NODE_OP, NODE_INPUT, NODE_OUTPUT)
    )
    return Node("".join(op), inputs, outputs, tuple(parts.get(NODE_ATTRIBUTE, ())), field.whole)


def _value(message: Part) -> Value:
    tensor = inside(inside(message, _VALUE_TYPE), _TYPE_TENSOR)
    element = next((field.amount for field in fields(tensor) if field.number == _TENSOR_TYPE_ELEMENT), 0)
    shape = fields(inside(tensor, _TENSOR_TYPE_SHAPE))
    return Value(
        text(message, _VALUE_NAME),
        _ELEMENTS.get(element, f"of element type {element}"),
        tuple(_side(field.value) for field in shape if field.number == _SHAPE_DIMENSION),
    )


def _side(dimension: Part) -> int | str:
    fixed = (field.amount for field in fields(dimension) if field.number == _DIMENSION_VALUE)
    return next(fixed, text(dimension, _DIMENSION_NAME))


def _part(graph: Part, source: Value, result: Value) -> list[Part]:
    """The fields of a graph that is what of another lies between two of its tensors."""
    parts = list(fields(graph))
    wanted, needed = {result.name}, []
    for node in reversed(list(nodes(parts))):
        if not wanted.isdisjoint(node.outputs) and source.name not in node.outputs:
            wanted.update(node.inputs)
            needed.append(node.whole)
    replaced = (GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO)
    constants = (field for field in parts if field.number == GRAPH_INITIALIZER)
    return [
        *reversed(needed),
        *(field.whole for field in parts if field.number not in replaced),
        *(field.whole for field in constants if text(field.value, TENSOR_NAME) in wanted),
        *encode(GRAPH_INPUT, _described(source)),
        *encode(GRAPH_OUTPUT, _described(result)),
    ]


def _described(value: Value) -> list[Part]:
    element = next(number for number, name in _ELEMENTS.items() if name == value.element)
    shape = [part for side in value.shape for part in encode(_SHAPE_DIMENSION, _described_side(side))]
    tensor = [encode_integer(_TENSOR_TYPE_ELEMENT, element), *encode(_TENSOR_TYPE_SHAPE, shape)]
    return [*encode_text(_VALUE_NAME, value.name), *encode(_VALUE_TYPE, encode(_TYPE_TENSOR, tensor))]


def _described_side(side: int | str) -> list[Part]:
    return [encode_integer(_DIMENSION_VALUE, side)] if isinstance(side, int) else encode_text(_DIMENSION_NAME, side)
