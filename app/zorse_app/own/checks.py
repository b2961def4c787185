"""What an ONNX file of a stranger may hold: the operators of picture networks, and weights that are really in it."""

import math
from collections.abc import Iterator
from pathlib import Path

import onnx

from zorse.errors import WeightsError
from zorse.model.card import ModelCard
from zorse.model.model_file import Network, read_network
from zorse_app import texts

MOST_NODES = 20_000
MOST_BYTES = 300 * 10**6
"""Larger model files are refused: the published ResNet-9 takes 46 MB, the U-Net-256 218 MB."""

_MOST_CARD = 64 * 2**10
_LARGEST_SETTING = 1024
"""No number of an architecture (blocks, channels) is larger; programs and sizes are computed from them."""
_LARGEST_SIDE = 4096

# fmt: off
_OPERATORS = frozenset({
    "Abs", "Add", "And", "AveragePool", "BatchNormalization", "Cast", "CastLike", "Ceil", "Clip", "Concat",
    "Constant", "ConstantOfShape", "Conv", "ConvTranspose", "DepthToSpace", "DequantizeLinear", "Div", "Dropout",
    "DynamicQuantizeLinear", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "Gelu", "Gemm",
    "GlobalAveragePool", "GlobalMaxPool", "Greater", "GreaterOrEqual", "GroupNormalization", "HardSigmoid",
    "HardSwish", "Identity", "InstanceNormalization", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "Log",
    "MatMul", "Max", "MaxPool", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pad", "Pow",
    "QuantizeLinear", "Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare",
    "Relu", "Reshape", "Resize", "Round", "Selu", "Shape", "Sigmoid", "Sign", "Slice", "Softmax", "Softplus",
    "Softsign", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose", "Trilu",
    "Unsqueeze", "Upsample", "Where",
})
# fmt: on
"""No control flow (If, Loop, Scan), no sequences, strings, random numbers, nothing of other domains."""

_BYTES: dict[int, int] = {
    onnx.TensorProto.FLOAT: 4,
    onnx.TensorProto.UINT8: 1,
    onnx.TensorProto.INT8: 1,
    onnx.TensorProto.UINT16: 2,
    onnx.TensorProto.INT16: 2,
    onnx.TensorProto.INT32: 4,
    onnx.TensorProto.INT64: 8,
    onnx.TensorProto.BOOL: 1,
    onnx.TensorProto.FLOAT16: 2,
    onnx.TensorProto.DOUBLE: 8,
    onnx.TensorProto.BFLOAT16: 2,
}


def checked_network(file: Path) -> Network:
    """Reads a model file and refuses what no picture network needs. Nothing of it is run.

    Args:
        file: an .onnx file; errors call it by its name alone.

    Raises:
        WeightsError: not a Zorse model, or one that a page does not run.
    """
    if file.stat().st_size > MOST_BYTES:
        size, limit = file.stat().st_size / 10**6, MOST_BYTES // 10**6
        raise WeightsError(texts.OWN_FILE_TOO_LARGE.format(name=file.name, size=size, limit=limit))
    try:
        network = read_network(file)
        model = onnx.load_from_string(network.content)
    except WeightsError as error:
        raise WeightsError(str(error).replace(str(file), file.name)) from error
    except Exception as error:  # protobuf's own exceptions
        raise WeightsError(texts.OWN_DAMAGED.format(name=file.name)) from error
    _check_card(network.card, file.name)
    problem = next(_problems(model), None)
    if problem is not None:
        raise WeightsError(texts.OWN_REFUSED.format(name=file.name, problem=problem))
    return network


def _check_card(card: ModelCard, name: str) -> None:
    settings = [value for value in card.architecture.model_dump().values() if isinstance(value, int)]
    sizes = [card.native_size, card.size_multiple]
    if max(settings) > _LARGEST_SETTING or max(sizes) > _LARGEST_SIDE or len(card.model_dump_json()) > _MOST_CARD:
        raise WeightsError(texts.OWN_CARD_TOO_LARGE.format(name=name, size=max(settings + sizes)))


def _problems(model: onnx.ModelProto) -> Iterator[str]:
    if model.functions or model.training_info:
        yield texts.OWN_DEFINES_OPERATORS
    if len(model.graph.node) > MOST_NODES:
        yield texts.OWN_TOO_MANY_OPERATIONS.format(count=len(model.graph.node), limit=MOST_NODES)
    if model.graph.sparse_initializer:
        yield texts.OWN_SPARSE
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in _OPERATORS:
            operator = ".".join(filter(None, (node.domain, node.op_type)))
            yield texts.OWN_OPERATOR.format(operator=operator[:100])
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                yield texts.OWN_INNER_GRAPHS
            yield from _tensor_problems([attribute.t] if attribute.HasField("t") else list(attribute.tensors))
    yield from _tensor_problems(list(model.graph.initializer))


def _tensor_problems(tensors: list[onnx.TensorProto]) -> Iterator[str]:
    for tensor in tensors:
        name = tensor.name[:100]
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            yield texts.OWN_WEIGHTS_ELSEWHERE.format(name=name)
        elif tensor.data_type not in _BYTES:
            yield texts.OWN_WEIGHTS_KIND.format(name=name)
        elif any(side < 0 for side in tensor.dims):
            yield texts.OWN_WEIGHTS_SHAPE.format(name=name)
        elif tensor.HasField("raw_data"):
            if math.prod(tensor.dims) * _BYTES[tensor.data_type] != len(tensor.raw_data):
                yield texts.OWN_WEIGHTS_SIZE.format(name=name)
        elif math.prod(tensor.dims) > MOST_BYTES:
            yield texts.OWN_WEIGHTS_SIZE.format(name=name)
