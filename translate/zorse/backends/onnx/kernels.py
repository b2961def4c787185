"""Stages computed by ONNX Runtime: each piece becomes a small ONNX graph around the constants of the model's file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from zorse.imaging.tensor import Tensor
from zorse.model.onnx_graph import Array
from zorse.runtime.streamed.geometry import Margin
from zorse.runtime.streamed.kernels import Compute
from zorse.runtime.streamed.moments import Normalisation
from zorse.runtime.streamed.program import Norm, Operation, Program, is_handed_over
from zorse.runtime.streamed.reader import TiledNetwork
from zorse.runtime.streamed.stages import Piece, Step

_IR_VERSION = 8
_PADDED = frozenset({"AveragePool", "Conv", "MaxPool"})
"""Operators that pad by themselves."""


class Runs(Protocol):
    """See `zorse.backends.onnx.sessions.Session`."""

    def run(self, outputs: list[str], inputs: dict[str, Tensor]) -> list[Tensor]:
        """Computes tensors of a graph."""


@dataclass(frozen=True)
class OnnxKernels:
    """See `Kernels`."""

    network: TiledNetwork
    open_session: Callable[[bytes], Runs]
    """Makes a session of a small model on the device that is meant."""
    comfortable: int

    @property
    def program(self) -> Program:
        """The network's operations."""
        return self.network.program

    @property
    def weights(self) -> Mapping[str, Array]:
        """Its constants."""
        return self.network.constants

    @property
    def held(self) -> int:
        """The weights are a copy of those in the session of the whole network."""
        return sum(weights.nbytes for weights in self.weights.values())

    def compile(self, piece: Piece, norms: Mapping[int, Normalisation]) -> Compute:
        """A session for this piece."""
        graph = _Graph(self.network, norms)
        for step in piece.steps:
            graph.add(step)
        names = [graph.cropped(op, crop) for op, crop in piece.results]
        session = self.open_session(graph.model(piece.sources, names))
        inputs = [_name(source) for source in piece.sources]

        def compute(tiles: Sequence[Tensor]) -> list[Tensor]:
            return session.run(names, dict(zip(inputs, tiles, strict=True)) | graph.fed)

        return compute


@dataclass
class _Graph:
    """An ONNX graph in the making; the result of operation 7 is called `map7`."""

    network: TiledNetwork
    norms: Mapping[int, Normalisation]
    nodes: dict[str, NodeProto] = field(default_factory=dict)
    """By their results, in the order in which they compute."""
    constants: dict[str, Array] = field(default_factory=dict)
    fed: dict[str, Tensor] = field(default_factory=dict)
    """Weights that are inputs of the graph."""

    def add(self, step: Step) -> None:
        """Appends the nodes of an operation."""
        op, name = self.network.program[step.op], _name(step.op)
        inputs = [self.cropped(source, crop) for source, crop in zip(op.inputs, step.crops, strict=True)]
        if isinstance(op, Norm):
            self._normalise(self.norms[step.op], inputs[0], name)
        elif isinstance(op, Operation):
            result = f"{name}_uncut" if any(step.surplus) and op.kind != "ConvTranspose" else name
            self._operate(op, step, inputs, result)
            self._cut(result, step.surplus, name)

    def cropped(self, index: int, crop: Margin) -> str:
        """The name of an operation's result without its outermost places."""
        name = _name(index)
        return self._cut(name, crop, f"{name}_{'_'.join(map(str, crop))}") if any(crop) else name

    def model(self, sources: Sequence[int], results: Sequence[str]) -> bytes:
        """The finished graph as a model file's content."""
        initializers = [
            numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in self.constants.items()
        ]
        graph = helper.make_graph(
            list(self.nodes.values()),
            "piece",
            [
                *(self._value(_name(source), self.network.program[source].channels) for source in sources),
                *(helper.make_tensor_value_info(name, TensorProto.FLOAT, w.shape) for name, w in self.fed.items()),
            ],
            [self._value(name, self._result_channels(name)) for name in results],
            initializers,
        )
        # Sessions do not ask for the version of the format, but refuse one that is newer than they are.
        opsets = [helper.make_opsetid("", self.network.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        content: bytes = model.SerializeToString()
        return content

    def _operate(self, op: Operation, step: Step, inputs: list[str], result: str) -> None:
        attributes = op.attributes
        arguments = [inputs[given] if isinstance(given, int) else self._argument(op, given) for given in op.arguments]
        if op.kind in _PADDED:
            attributes += (_pads(step.padding),)
        elif op.kind == "ConvTranspose":
            attributes += (_pads(step.surplus),)
        elif op.kind == "Pad":
            if not any(step.padding):
                self._add("Identity", inputs, result)
                return
            top, left, bottom, right = _in_onnx_order(step.padding)
            pads = self._constant(f"{result}_pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
            arguments.insert(1, pads)
        elif op.kind == "Slice" and op.reach == "window":
            steps = [op.rows.stride, op.columns.stride]
            ends = self._constant("all", np.full(2, np.iinfo(np.int64).max))
            places = [self._constant("first", np.zeros(2, np.int64)), ends, self._sides()]
            arguments += [*places, self._constant(f"{result}_steps", np.array(steps))]
        self._add(op.kind, arguments, result, attributes)

    def _normalise(self, norm: Normalisation, source: str, name: str) -> None:
        mean = self._constant(f"{name}_mean", norm.mean[:, None, None])
        scale = self._constant(f"{name}_scale", norm.scale[:, None, None])
        self._add("Sub", [source, mean], f"{name}_centred")
        if norm.offset is None:
            self._add("Mul", [f"{name}_centred", scale], name)
            return
        offset = self._constant(f"{name}_offset", norm.offset[:, None, None])
        self._add("Mul", [f"{name}_centred", scale], f"{name}_scaled")
        self._add("Add", [f"{name}_scaled", offset], name)

    def _cut(self, source: str, crop: Margin, name: str) -> str:
        if name not in self.nodes:
            most = np.iinfo(np.int64).max
            starts = self._constant(f"{name}_starts", np.array([crop.top, crop.left]))
            ends = self._constant(f"{name}_ends", np.array([-crop.bottom or most, -crop.right or most]))
            self._add("Slice", [source, starts, ends, self._sides()], name)
        return name

    def _argument(self, op: Operation, name: str) -> str:
        """The name of one of the network's constants in the graph."""
        if not name:
            return ""
        value, own = self.network.constants[name], f"weight/{name}"
        if is_handed_over(op) and value.ndim > 1:
            self.fed[own] = value
            return own
        return self._constant(own, value)

    def _sides(self) -> str:
        return self._constant("height_width", np.array([2, 3]))

    def _constant(self, name: str, value: Array) -> str:
        self.constants[name] = value
        return name

    def _add(self, kind: str, inputs: list[str], output: str, attributes: Sequence[bytes] = ()) -> None:
        node = helper.make_node(kind, inputs, [output])
        node.attribute.extend(AttributeProto.FromString(each) for each in attributes)
        self.nodes[output] = node

    def _result_channels(self, name: str) -> int:
        return self.network.program[int(name.removeprefix("map").split("_")[0])].channels

    @staticmethod
    def _value(name: str, channels: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, None, None])


def _name(index: int) -> str:
    return f"map{index}"


def _in_onnx_order(margin: Margin) -> list[int]:
    return [margin.top, margin.left, margin.bottom, margin.right]


def _pads(margin: Margin) -> bytes:
    attribute: bytes = helper.make_attribute("pads", _in_onnx_order(margin)).SerializeToString()
    return attribute
