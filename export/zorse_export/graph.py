"""From a network to an ONNX model: traced, cleaned, described, checked."""

import json
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from zorse.card import CARD_KEY, ModelCard
from zorse.errors import ExportError
from zorse.generator_file import Precision
from zorse.runtime.onnx import INPUT_NAME, OUTPUT_NAME
from zorse.runtime.streamed.onnx_kernels import RENAMED_KEY
from zorse_export.operators import TRANSLATIONS

OPSET = 18
"""ONNX Runtime 1.14 (2023) and later read it. Not a newer one: from opset 19 on, ONNX Runtime (1.31) has only a slow
AveragePool for CPUs, which made the compact generator a quarter slower."""
IR_VERSION = 8
"""The oldest file format that holds this opset."""


def onnx_model(network: nn.Module, card: ModelCard, precision: Precision) -> onnx.ModelProto:
    """The network as a complete ONNX model with the card in `metadata_props`.

    Args:
        network: on the CPU, in evaluation mode; (N, C, H, W) -> (N, out, H, W).
        card: gives channels and size multiple.
        precision: "fp16" stores each weight that is exactly a 16-bit value in 16 bits.

    Raises:
        ExportError: PyTorch cannot express the network as ONNX, or the graph is not valid.
    """
    model = _traced(network, card)
    _strip(model)
    _describe(model, card, _renamed_weights(model, network))
    if precision == "fp16":
        store_as_half(model)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"The ONNX graph of {card.name!r} is not valid: {error}. Please report this.") from error
    return model


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
            initializer.CopyFrom(numpy_helper.from_array(half, f"{name}.fp16"))
            casts.append(helper.make_node("Cast", [f"{name}.fp16"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _traced(network: nn.Module, card: ModelCard) -> onnx.ModelProto:
    multiple = card.size_multiple
    # Two different sides, and no dimension of 1: tracing takes such sizes as general ones.
    example = torch.zeros(2, card.architecture.in_channels, 2 * multiple, 3 * multiple)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's own, about its insides
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                dynamic_shapes=({0: "batch", 2: "height", 3: "width"},),
                custom_translation_table=TRANSLATIONS,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ExportError(f"PyTorch cannot express {card.name!r} as an ONNX graph: {reason}") from error
    if program is None:
        raise ExportError(f"PyTorch gave no ONNX graph for {card.name!r}.")
    model: onnx.ModelProto = program.model_proto
    return model


def _strip(model: onnx.ModelProto) -> None:
    """Removes what tracing noted for its own use, among it the paths of source files."""
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("value_info")


def _renamed_weights(model: onnx.ModelProto, network: nn.Module) -> dict[str, str]:
    """Weights that tracing has brought into another shape, by which they lost their name: its name in the file.

    They are the scales and shifts of normalisations. Pictures that are streamed need to find them.
    """
    stored = {initializer.name: numpy_helper.to_array(initializer) for initializer in model.graph.initializer}
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    unknown = {name: values.reshape(-1) for name, values in stored.items() if name not in weights}
    return {
        name: next(new for new, found in unknown.items() if np.array_equal(found, values))
        for name, values in weights.items()
        if name not in stored and any(np.array_equal(found, values) for found in unknown.values())
    }


def _describe(model: onnx.ModelProto, card: ModelCard, renamed: dict[str, str]) -> None:
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "zorse", card.zorse_version
    model.doc_string = f"{card.name}: {card.task}"
    model.graph.name = card.name
    # Tracing writes the output's sides as rounded expressions of the input's; for multiples they are the same.
    for value in (*model.graph.input, *model.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
            dimensions[axis].dim_param = name
    notes = {RENAMED_KEY: json.dumps(renamed)} if renamed else {}
    helper.set_model_props(model, {CARD_KEY: card.model_dump_json(), **notes})
