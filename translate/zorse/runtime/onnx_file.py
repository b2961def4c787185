"""What an ONNX file holds, and a part of its graph, without the package onnx, which takes long to import.

An ONNX file is one protocol-buffers message, a sequence of fields of which each has a number and a value; here fields
are found, left out and put together again, and what is inside those that stay is not looked at.

Source: onnx/onnx.proto for the numbers of the fields, https://protobuf.dev/programming-guides/encoding for their form.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO = 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_TENSOR_NAME = 8
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR = 1
_TENSOR_TYPE_ELEMENT, _TENSOR_TYPE_SHAPE = 1, 2
_SHAPE_DIMENSION = 1
_DIMENSION_VALUE, _DIMENSION_NAME = 1, 2

_NUMBER, _BYTES = 0, 2
"""Wire types: how a field's value is stored."""
_WIDTHS = {1: 8, 5: 4}
"""And those of fixed width, in bytes."""

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
        model = memoryview(self.content)
        graph = b"".join(field.value for field in _fields(model) if field.number == _MODEL_GRAPH)
        return b"".join(
            [
                *(field.whole for field in _fields(model) if field.number != _MODEL_GRAPH),
                *_message(_MODEL_GRAPH, _part(memoryview(graph), source, result)),
            ]
        )


def parse_onnx(content: bytes) -> OnnxFile:
    """Looks through the content of an ONNX file.

    Raises:
        ValueError: it is no ONNX model, or damaged.
    """
    metadata: dict[str, str] = {}
    graph: list[_Field] = []
    for field in _fields(memoryview(content)):
        if field.number == _MODEL_GRAPH:
            graph += _fields(field.value)
        elif field.number == _MODEL_METADATA:
            metadata[_text(field.value, _ENTRY_KEY)] = _text(field.value, _ENTRY_VALUE)
    if not graph:
        raise ValueError("it holds no graph")
    constants = {_text(field.value, _TENSOR_NAME) for field in graph if field.number == _GRAPH_INITIALIZER}
    inputs = [_value(field.value) for field in graph if field.number == _GRAPH_INPUT]
    return OnnxFile(
        content,
        metadata,
        tuple(value for value in inputs if value.name not in constants),  # old files list constants as inputs, too
        tuple(_value(field.value) for field in graph if field.number == _GRAPH_OUTPUT),
        frozenset(name for field in graph if field.number == _GRAPH_NODE for name in _texts(field.value, _NODE_OUTPUT)),
    )


class _Field(NamedTuple):
    number: int
    value: memoryview
    """Without its number and length."""
    whole: memoryview
    amount: int
    """Of a field that is a number; else 0."""


def _fields(message: memoryview) -> Iterator[_Field]:
    position, end = 0, len(message)
    while position < end:
        start = position
        key, position = _varint(message, position)
        wire, first, amount = key & 7, position, 0
        if wire == _NUMBER:
            amount, position = _varint(message, position)
        elif wire == _BYTES:
            length, first = _varint(message, position)
            position = first + length
        elif wire in _WIDTHS:
            position += _WIDTHS[wire]
        else:
            raise ValueError("it is not made of protocol-buffers fields")
        if position > end:
            raise ValueError("its end is missing")
        yield _Field(key >> 3, message[first:position], message[start:position], amount)


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number in groups of 7 bits, the lowest first; the eighth bit says that more follow. And where it ends."""
    result = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        position += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, position
        shift += 7
    raise ValueError("its end is missing")


def _texts(message: memoryview, number: int) -> Iterator[str]:
    return (str(field.value, "utf-8") for field in _fields(message) if field.number == number)


def _text(message: memoryview, number: int) -> str:
    return next(_texts(message, number), "")


def _inside(message: memoryview, number: int) -> memoryview:
    return next((field.value for field in _fields(message) if field.number == number), memoryview(b""))


def _value(message: memoryview) -> Value:
    tensor = _inside(_inside(message, _VALUE_TYPE), _TYPE_TENSOR)
    element = next((field.amount for field in _fields(tensor) if field.number == _TENSOR_TYPE_ELEMENT), 0)
    shape = _fields(_inside(tensor, _TENSOR_TYPE_SHAPE))
    return Value(
        _text(message, _VALUE_NAME),
        _ELEMENTS.get(element, f"of element type {element}"),
        tuple(_side(field.value) for field in shape if field.number == _SHAPE_DIMENSION),
    )


def _side(dimension: memoryview) -> int | str:
    fixed = (_signed(field.amount) for field in _fields(dimension) if field.number == _DIMENSION_VALUE)
    return next(fixed, _text(dimension, _DIMENSION_NAME))


def _signed(amount: int) -> int:
    return amount - (amount >> 63 << 64)


def _part(graph: memoryview, source: Value, result: Value) -> list[bytes | memoryview]:
    """The fields of a graph that is what of another lies between two of its tensors."""
    fields = list(_fields(graph))
    nodes = [field for field in fields if field.number == _GRAPH_NODE]
    wanted, kept = {result.name}, []
    for node in reversed(nodes):  # the nodes of a graph stand in the order in which they can be computed
        outputs = set(_texts(node.value, _NODE_OUTPUT))
        if outputs & wanted and source.name not in outputs:
            wanted.update(_texts(node.value, _NODE_INPUT))
            kept.append(node.whole)
    constants = [
        field.whole
        for field in fields
        if field.number == _GRAPH_INITIALIZER and _text(field.value, _TENSOR_NAME) in wanted
    ]
    replaced = (_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO)
    return [
        *reversed(kept),
        *(field.whole for field in fields if field.number not in replaced),
        *constants,
        *_message(_GRAPH_INPUT, _described(source)),
        *_message(_GRAPH_OUTPUT, _described(result)),
    ]


def _described(value: Value) -> list[bytes | memoryview]:
    number = next(number for number, name in _ELEMENTS.items() if name == value.element)
    sides: list[bytes | memoryview] = []
    for side in value.shape:
        field = (
            _encoded(_DIMENSION_VALUE << 3 | _NUMBER) + _encoded(side)
            if isinstance(side, int)
            else b"".join(_message(_DIMENSION_NAME, [side.encode()]))
        )
        sides += _message(_SHAPE_DIMENSION, [field])
    element = _encoded(_TENSOR_TYPE_ELEMENT << 3 | _NUMBER) + _encoded(number)
    tensor = [element, *_message(_TENSOR_TYPE_SHAPE, sides)]
    name = _message(_VALUE_NAME, [value.name.encode()])
    return [*name, *_message(_VALUE_TYPE, _message(_TYPE_TENSOR, tensor))]


def _message(number: int, parts: Iterable[bytes | memoryview]) -> list[bytes | memoryview]:
    """A field that holds other fields, or text; in parts, so that weights are copied once."""
    parts = list(parts)
    return [_encoded(number << 3 | _BYTES), _encoded(sum(map(len, parts))), *parts]


def _encoded(number: int) -> bytes:
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)
