"""16 bits in an ONNX graph: to store weights in, or to compute in."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HALF = ".fp16"
"""End of the name of what is in 16 bits."""

COMPUTED_IN_HALF = {
    "Conv": 3,
    "ConvTranspose": 3,
    "Relu": 1,
    "LeakyRelu": 1,
    "Pad": 1,
    "AveragePool": 1,
    "Resize": 1,
    "DepthToSpace": 1,
    "SpaceToDepth": 1,
    "Gather": 1,
    "Concat": 1_000_000,
}
"""Operators that are computed in 16 bits, and how many of their first inputs (at most) are: convolutions, whose
products GPUs add up in 32 bits, and what moves values. Normalisations and all other arithmetic stay in 32 bits, where
sums over a whole picture, and small differences of large numbers, are exact."""


def store_as_half(model: onnx.ModelProto) -> None:
    """Keeps each float32 weight whose values fit into 16 bits without loss as float16 and a Cast to float32.

    ONNX Runtime does the casts once, when it opens the file: it computes as fast as with float32 weights.
    """
    casts = []
    for initializer in model.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if initializer.data_type != TensorProto.FLOAT or values.size == 1:
            continue
        half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            name = initializer.name
            initializer.CopyFrom(numpy_helper.from_array(half, f"{name}{HALF}"))
            casts.append(helper.make_node("Cast", [f"{name}{HALF}"], [name], to=TensorProto.FLOAT))
    _replace_nodes(model, [*casts, *model.graph.node])


def compute_in_half(model: onnx.ModelProto) -> None:
    """Computes convolutions in 16 bits; input and output stay float32."""
    _replace_nodes(model, list(_Halving.of(model).nodes()))


def as_on_gpus(model: onnx.ModelProto) -> onnx.ModelProto:
    """What GPUs compute with a graph of `compute_in_half`, for CPUs: each result rounded to 16 bits.

    ONNX Runtime has no such operators for CPUs. It computes them in 32 bits, and leaves out the rounding on the way, so
    that values which are too large for 16 bits would not be noticed.
    """
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    _replace_nodes(rounded, list(_rounding(model.graph.node)))
    return rounded


def _rounding(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    enlarged: set[str] = set()
    for original in nodes:
        node = onnx.NodeProto()
        node.CopyFrom(original)
        if node.op_type not in COMPUTED_IN_HALF or not node.output[0].endswith(HALF):
            yield node
            continue
        for position, name in enumerate(node.input):
            if name.endswith(HALF):
                if name not in enlarged:
                    enlarged.add(name)
                    yield helper.make_node("Cast", [name], [f"{name}.enlarged"], to=TensorProto.FLOAT)
                node.input[position] = f"{name}.enlarged"
        result = node.output[0]
        node.output[0] = f"{result}.exact"
        yield node
        yield helper.make_node("Cast", [f"{result}.exact"], [result], to=TensorProto.FLOAT16)


@dataclass
class _Halving:
    """A graph on its way: each tensor is there in 16 bits, in 32, or in both, as its users need it."""

    model: onnx.ModelProto
    weights: dict[str, TensorProto]
    numbers: frozenset[str]
    """Tensors of float32, not of places or sizes."""
    halves: set[str] = field(default_factory=set)
    """Tensors that are there in 16 bits, by their names in 32."""
    floats: set[str] = field(default_factory=set)
    """Tensors of those that are there in 32 bits, too."""

    @classmethod
    def of(cls, model: onnx.ModelProto) -> "_Halving":
        weights = {each.name: each for each in model.graph.initializer if each.data_type == TensorProto.FLOAT}
        graph = onnx.shape_inference.infer_shapes(model).graph
        values = (*graph.input, *graph.value_info, *graph.output)
        numbers = {each.name for each in values if each.type.tensor_type.elem_type == TensorProto.FLOAT}
        return cls(model, weights, frozenset(numbers))

    def nodes(self) -> Iterator[onnx.NodeProto]:
        for original in list(self.model.graph.node):
            node = onnx.NodeProto()
            node.CopyFrom(original)
            halved = COMPUTED_IN_HALF.get(node.op_type, 0) if original.output[0] in self.numbers else 0
            for position, name in enumerate(node.input):
                if position < halved and name:
                    yield from self._halved(name)
                    node.input[position] = f"{name}{HALF}"
                else:
                    yield from self._whole(name)
            if halved:
                self.halves.add(node.output[0])
                node.output[0] += HALF
            yield node
        for output in self.model.graph.output:
            yield from self._whole(output.name)

    def _halved(self, name: str) -> Iterator[onnx.NodeProto]:
        """What makes a tensor be there in 16 bits."""
        if name in self.halves:
            return
        self.halves.add(name)
        if name in self.weights:
            values = numpy_helper.to_array(self.weights[name]).astype(np.float16)
            self.weights[name].CopyFrom(numpy_helper.from_array(values, f"{name}{HALF}"))
        else:
            self.floats.add(name)
            yield helper.make_node("Cast", [name], [f"{name}{HALF}"], to=TensorProto.FLOAT16)

    def _whole(self, name: str) -> Iterator[onnx.NodeProto]:
        """What makes a tensor be there in 32 bits."""
        if name in self.halves and name not in self.floats:
            self.floats.add(name)
            yield helper.make_node("Cast", [f"{name}{HALF}"], [name], to=TensorProto.FLOAT)


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    del model.graph.node[:]
    model.graph.node.extend(nodes)
