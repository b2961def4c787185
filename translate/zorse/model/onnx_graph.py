"""The graph of an ONNX model as nodes and constants, for who reads what it computes."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto, helper, numpy_helper

from zorse.model.onnx_file import GRAPH_INITIALIZER, GRAPH_NODE, MODEL_OPSET, TENSOR_NAME, graph_of
from zorse.model.protobuf import fields, text

Array = NDArray[Any]

_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE})
_PLAIN = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.UINT8})
"""Types whose values are stored as NumPy has them."""
_TENSOR_BYTES = 9
_LARGEST = 2**26
"""Numbers in a constant that is computed from others: a file of a few bytes must not fill the memory."""

# fmt: off
_BROADCAST = frozenset({
    "Abs", "Add", "And", "Ceil", "Div", "Equal", "Exp", "Floor", "Greater", "Less", "Log", "Max", "Min", "Mod", "Mul",
    "Neg", "Not", "Or", "Pow", "Reciprocal", "Round", "Sqrt", "Sub", "Where",
})
_REARRANGING = frozenset({
    "Concat", "DequantizeLinear", "Flatten", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
})
# fmt: on


@dataclass(frozen=True)
class Graph:
    """What lies between one tensor of a model and another."""

    nodes: tuple[NodeProto, ...]
    """In the order in which they compute."""
    constants: dict[str, Array]
    """By their names; those of float types in float32."""
    uses: Counter[str]
    """How often a tensor is used."""
    opset: int
    """Of ONNX's own operators."""

    @staticmethod
    def of(content: bytes, result: str) -> "Graph":
        """The part of a model that computes one of its tensors.

        Args:
            content: of an ONNX file.
            result: name of the tensor.

        Raises:
            ValueError: the content is no ONNX model.
        """
        # Field by field: the weights of a U-Net would be in memory once more inside of a message of the whole.
        graph = list(fields(graph_of(content)))
        try:
            stored = [NodeProto.FromString(bytes(each.value)) for each in graph if each.number == GRAPH_NODE]
            opsets = [
                OperatorSetIdProto.FromString(bytes(each.value))
                for each in fields(content)
                if each.number == MODEL_OPSET
            ]
            nodes = _needed(stored, result)
            uses = Counter([result, *(name for node in nodes for name in node.input)])
            constants = {
                name: _stored(each.value)
                for each in graph
                if each.number == GRAPH_INITIALIZER and (name := text(each.value, TENSOR_NAME)) in uses
            }
        except DecodeError as error:
            raise ValueError(str(error)) from error
        opset = max((each.version for each in opsets if each.domain in ("", "ai.onnx")), default=0)
        return Graph(nodes, constants, uses, opset)


def _needed(nodes: list[NodeProto], result: str) -> tuple[NodeProto, ...]:
    wanted, found = {result}, []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.output):
            wanted.update(node.input)
            found.append(node)
    return tuple(reversed(found))


def attribute(node: NodeProto, name: str, usual: Any = None) -> Any:
    """The value of a node's attribute; `usual` where it has none. Text is str, a tensor an array."""
    value = next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), usual)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return _values(value) if isinstance(value, TensorProto) else value


def stored_attributes(attributes: Iterable[AttributeProto]) -> tuple[bytes, ...]:
    """Attributes as they are stored in a file."""
    return tuple(each.SerializeToString() for each in attributes)


def is_float_cast(node: NodeProto) -> bool:
    """Whether it changes nothing but the precision, from one float type to another or from whole numbers."""
    return attribute(node, "to") in _FLOATS


def folded(node: NodeProto, inputs: Sequence[Array | None], opset: int) -> list[Array] | None:
    """What a node makes of constants; None where that is not known, or too large.

    Args:
        node: of any operator.
        inputs: its inputs; None for one that is left out.
        opset: of ONNX's own operators.
    """
    given = [values for values in inputs if values is not None]
    match node.op_type:
        case "Constant":
            return _constant(node)
        case "Identity":
            return given
        case "Cast":
            kind = helper.tensor_dtype_to_np_dtype(attribute(node, "to", TensorProto.FLOAT))
            return [given[0].astype(np.float32 if is_float_cast(node) else kind, copy=False)]
    try:
        if _size(node, given) > _LARGEST:
            return None
        names = [f"input{number}" if values is not None else "" for number, values in enumerate(inputs)]
        feeds = {name: values for name, values in zip(names, inputs, strict=True) if values is not None}
        results = _evaluated(node, names, opset, feeds)
    except Exception:  # of a strange file; onnx.reference names no exceptions
        return None
    return [each.astype(np.float32, copy=False) if each.dtype.kind == "f" else each for each in results]


def _evaluated(node: NodeProto, names: list[str], opset: int, feeds: dict[str, Array]) -> list[Array]:
    from onnx.reference import ReferenceEvaluator  # takes a while, and most graphs do not need it

    renamed = NodeProto()
    renamed.CopyFrom(node)
    renamed.input[:] = names
    outputs = [ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([renamed], "constant", [ValueInfoProto(name=name) for name in feeds], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(values) for values in ReferenceEvaluator(model).run(None, feeds)]


def _size(node: NodeProto, inputs: list[Array]) -> float:
    """How many numbers a node makes of constants; infinitely many where it is not among those that are computed."""
    kind = node.op_type
    if kind in _BROADCAST:
        return math.prod(np.broadcast_shapes(*(values.shape for values in inputs)))
    if kind in _REARRANGING:
        return sum(values.size for values in inputs)
    match kind:
        case "Gather":
            axis = attribute(node, "axis", 0)
            return float(inputs[0].size / max(inputs[0].shape[axis], 1) * inputs[1].size)
        case "ConstantOfShape":
            return math.prod(map(float, inputs[0]))
        case "Expand":
            return math.prod(np.broadcast_shapes(inputs[0].shape, tuple(map(int, inputs[1]))))
        case "Range":
            return abs(float(inputs[1] - inputs[0]) / float(inputs[2]))
    return math.inf


def _constant(node: NodeProto) -> list[Array] | None:
    (only,) = node.attribute or [AttributeProto()]
    value = attribute(node, only.name)
    if only.name == "value":
        return [value]
    kinds = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    return [np.array(value, kinds[only.name])] if only.name in kinds else None


def _stored(message: memoryview) -> Array:
    """The values of a tensor; those in float32 stay where they are, in the content of the file."""
    parts = list(fields(message))
    content = [each.value for each in parts if each.number == _TENSOR_BYTES]
    rest = TensorProto.FromString(b"".join(each.whole for each in parts if each.number != _TENSOR_BYTES))
    if len(content) != 1 or rest.data_type not in _PLAIN:
        return _values(TensorProto.FromString(bytes(message)))
    values: Array = np.frombuffer(content[0], helper.tensor_dtype_to_np_dtype(rest.data_type)).reshape(tuple(rest.dims))
    return values.astype(np.float32, copy=False) if rest.data_type in _FLOATS else values


def _values(tensor: TensorProto) -> Array:
    values: Array = numpy_helper.to_array(tensor)
    return values.astype(np.float32, copy=False) if tensor.data_type in _FLOATS else values
