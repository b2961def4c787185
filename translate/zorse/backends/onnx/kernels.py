"""Stages computed by ONNX Runtime: each piece becomes a small ONNX graph around the weights of the model's file."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from zorse.backends.onnx.sessions import Session
from zorse.imaging.tensor import Tensor
from zorse.runtime.streamed.geometry import Margin
from zorse.runtime.streamed.kernels import Compute
from zorse.runtime.streamed.moments import Normalisation
from zorse.runtime.streamed.program import (
    LEAKY_SLOPE,
    Activation,
    Add,
    Box,
    Concat,
    Conv,
    ConvTranspose,
    DepthToSpace,
    Enlarge,
    Norm,
    Op,
    Picture,
    Program,
    Recolour,
    SpaceToDepth,
    is_handed_over,
)
from zorse.runtime.streamed.stages import Piece

RENAMED_KEY = "zorse.renamed_weights"
"""Key in a model file's metadata: a JSON object, from a weight's name in the network to its name in the file."""

OPSET = 18
IR_VERSION = 8


@dataclass(frozen=True)
class OnnxKernels:
    """See `Kernels`."""

    program: Program
    weights: Mapping[str, Tensor]
    open_session: Callable[[bytes], Session]
    """Makes a session of a small model on the device that is meant."""
    comfortable: int

    @property
    def held(self) -> int:
        """The weights are a copy of those in the session of the whole network."""
        return sum(weights.nbytes for weights in self.weights.values())

    def compile(self, piece: Piece, norms: Mapping[int, Normalisation]) -> Compute:
        """A session for this piece."""
        graph = _Graph(self.program, self.weights, norms)
        for step in piece.steps:
            graph.add(step.op, step.crops, step.margin)
        names = [graph.cropped(op, crop) for op, crop in piece.results]
        session = self.open_session(graph.model(piece.sources, names))
        inputs = [_name(source) for source in piece.sources]

        def compute(tiles: Sequence[Tensor]) -> list[Tensor]:
            return session.run(names, dict(zip(inputs, tiles, strict=True)) | graph.fed)

        return compute


@dataclass
class _Graph:
    """An ONNX graph in the making; the result of operation 7 is called `map7`."""

    program: Program
    weights: Mapping[str, Tensor]
    norms: Mapping[int, Normalisation]
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Tensor | np.ndarray[Any, Any]] = field(default_factory=dict)
    fed: dict[str, Tensor] = field(default_factory=dict)
    """Weights that are inputs of the graph."""

    def add(self, index: int, crops: tuple[Margin, ...], margin: Margin) -> None:
        """Appends the nodes of an operation."""
        op = self.program[index]
        inputs = [self.cropped(source, crop) for source, crop in zip(op.inputs, crops, strict=True)]
        self._write(op, index, inputs, margin)

    def cropped(self, index: int, crop: Margin) -> str:
        """The name of an operation's result without its outermost places."""
        return (
            self._cut(_name(index), crop, f"{_name(index)}_{'_'.join(map(str, crop))}") if any(crop) else _name(index)
        )

    def model(self, sources: Sequence[int], results: Sequence[str]) -> bytes:
        """The finished graph as a model file's content."""
        initializers = [
            numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in self.constants.items()
        ]
        graph = helper.make_graph(
            self.nodes,
            "piece",
            [
                *(self._value(_name(source), self.program[source].channels) for source in sources),
                *(helper.make_tensor_value_info(name, TensorProto.FLOAT, w.shape) for name, w in self.fed.items()),
            ],
            [self._value(name, self._result_channels(name)) for name in results],
            initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        content: bytes = model.SerializeToString()
        return content

    def _write(self, op: Op, index: int, inputs: list[str], margin: Margin) -> None:
        name = _name(index)
        match op:
            case Picture():
                pass
            case Conv():
                source, pads = self._padded(inputs[0], op.border, margin)
                self._node(
                    "Conv",
                    [source, *self._weights(op)],
                    name,
                    kernel_shape=[op.kernel] * 2,
                    strides=[op.stride] * 2,
                    dilations=[op.dilation] * 2,
                    pads=pads,
                )
            case ConvTranspose():
                self._node(
                    "ConvTranspose",
                    [inputs[0], *self._weights(op)],
                    name,
                    kernel_shape=[op.kernel] * 2,
                    strides=[op.stride] * 2,
                    pads=_onnx_pads(margin),
                )
            case Box():
                source, pads = self._padded(inputs[0], op.border, margin)
                shape, strides = [op.size] * 2, [op.stride] * 2
                self._node("AveragePool", [source], name, kernel_shape=shape, strides=strides, pads=pads)
            case Enlarge():
                scales = self._constant(f"{name}_scales", np.array([1, 1, 2, 2], np.float32))
                how = {"nearest": ("nearest", "asymmetric"), "bilinear": ("linear", "half_pixel")}[op.interpolation]
                self._enlarged(
                    "Resize",
                    [inputs[0], "", scales],
                    name,
                    margin,
                    mode=how[0],
                    coordinate_transformation_mode=how[1],
                    nearest_mode="floor",
                )
            case SpaceToDepth():
                inside = op.channels // op.block**2
                order = [place * inside + channel for channel in range(inside) for place in range(op.block**2)]
                places = self._constant(f"{name}_order", np.array(order))
                self._node("SpaceToDepth", inputs, f"{name}_blocks", blocksize=op.block)
                self._node("Gather", [f"{name}_blocks", places], name, axis=1)
            case DepthToSpace():
                self._enlarged("DepthToSpace", inputs, name, margin, blocksize=op.block, mode="CRD")
            case Norm():
                self._normalise(index, inputs[0])
            case Activation(function="leaky"):
                self._node("LeakyRelu", inputs, name, alpha=LEAKY_SLOPE)
            case Activation():
                self._node({"relu": "Relu", "tanh": "Tanh"}[op.function], inputs, name)
            case Add():
                self._node("Add", inputs, name)
            case Concat():
                self._node("Concat", inputs, name, axis=1)
            case Recolour():
                self._recolour(op, inputs, name)

    def _normalise(self, index: int, source: str) -> None:
        name, norm = _name(index), self.norms[index]
        mean = self._constant(f"{name}_mean", norm.mean[:, None, None])
        scale = self._constant(f"{name}_scale", norm.scale[:, None, None])
        self._node("Sub", [source, mean], f"{name}_centred")
        if norm.offset is None:
            self._node("Mul", [f"{name}_centred", scale], name)
            return
        offset = self._constant(f"{name}_offset", norm.offset[:, None, None])
        self._node("Mul", [f"{name}_centred", scale], f"{name}_scaled")
        self._node("Add", [f"{name}_scaled", offset], name)

    def _recolour(self, op: Recolour, inputs: list[str], name: str) -> None:
        def number(value: float) -> str:
            return self._constant(f"number_{value}", np.array(value, np.float32))

        def node(kind: str, sources: list[str], result: str, **attributes: Any) -> str:
            self._node(kind, sources, f"{name}_{result}", **attributes)
            return f"{name}_{result}"

        one, least, headroom = number(1.0), number(-1.0), number(op.headroom)
        parts = self._constant(f"{name}_parts", np.array([1, op.channels]))
        scale, change = f"{name}_scale", f"{name}_change"
        self.nodes.append(helper.make_node("Split", [inputs[0], parts], [scale, change], axis=1))
        picture = node("Mul", [node("Clip", [inputs[1], least, one], "clipped"), headroom], "picture")
        ratio = node("Div", [node("Add", [one, picture], "above"), node("Sub", [one, picture], "below")], "ratio")
        artanh = node("Mul", [node("Log", [ratio], "log"), number(0.5)], "artanh")
        scaled = node("Mul", [node("Add", [scale, one], "factor"), artanh], "scaled")
        squashed = node("Tanh", [node("Add", [scaled, change], "sum")], "squashed")
        self._node("Clip", [node("Div", [squashed, headroom], "whole"), least, one], name)

    def _enlarged(self, kind: str, inputs: list[str], name: str, margin: Margin, **attributes: Any) -> None:
        if not any(margin):
            self._node(kind, inputs, name, **attributes)
            return
        self._node(kind, inputs, f"{name}_uncut", **attributes)
        self._cut(f"{name}_uncut", margin, name)

    def _padded(self, source: str, border: str, margin: Margin) -> tuple[str, list[int]]:
        """The padded input, and what the operation itself is to pad with zeros."""
        if border == "zeros" or not any(margin):
            return source, _onnx_pads(margin)
        top, left, bottom, right = _onnx_pads(margin)
        name = f"{source}_padded_{'_'.join(map(str, margin))}_{border}"
        if all(name not in node.output for node in self.nodes):
            pads = self._constant(f"{name}_pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
            self._node("Pad", [source, pads], name, mode=border)
        return name, [0, 0, 0, 0]

    def _cut(self, source: str, crop: Margin, name: str) -> str:
        if all(name not in node.output for node in self.nodes):
            most = np.iinfo(np.int64).max
            starts = self._constant(f"{name}_starts", np.array([crop.top, crop.left]))
            ends = self._constant(f"{name}_ends", np.array([-crop.bottom or most, -crop.right or most]))
            axes = self._constant("height_width", np.array([2, 3]))
            self._node("Slice", [source, starts, ends, axes], name)
        return name

    def _weights(self, op: Conv | ConvTranspose) -> list[str]:
        """The names of weight and bias in the graph."""
        if is_handed_over(op):
            self.fed[op.weight] = self.weights[op.weight]
        else:
            self._constant(op.weight, self.weights[op.weight])
        return [op.weight] if op.bias is None else [op.weight, self._constant(op.bias, self.weights[op.bias])]

    def _constant(self, name: str, value: np.ndarray[Any, Any]) -> str:
        self.constants[name] = value
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _result_channels(self, name: str) -> int:
        return self.program[int(name.removeprefix("map").split("_")[0])].channels

    @staticmethod
    def _value(name: str, channels: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, None, None])


def _name(index: int) -> str:
    return f"map{index}"


def _onnx_pads(margin: Margin) -> list[int]:
    return [margin.top, margin.left, margin.bottom, margin.right]


def named_weights(model: onnx.ModelProto) -> dict[str, Tensor]:
    """The weights in a model, float32, by the names that they have in the network.

    Weights that the export has brought into another shape have a new name there; the file's metadata say which.
    """
    stored = {
        tensor.name.removesuffix(".fp16"): numpy_helper.to_array(tensor).astype(np.float32, copy=False)
        for tensor in model.graph.initializer
        if tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16)
    }
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    renamed: dict[str, str] = json.loads(metadata.get(RENAMED_KEY, "{}"))
    return stored | {name: stored[new].reshape(-1) for name, new in renamed.items() if new in stored}
