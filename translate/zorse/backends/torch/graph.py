"""From a network to an ONNX graph: traced and cleaned.

Nothing here knows what the network is for: generators of samples, with latent and label inputs, are traced likewise.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import onnx
import torch
from torch import nn

from zorse.backends.torch.operators import TRANSLATIONS
from zorse.errors import ExportError
from zorse.model.card import ModelCard

OPSET = 18
"""ONNX Runtime 1.14 (2023) and later read it. Not a newer one: from opset 19 on, ONNX Runtime (1.31) has only a slow
AveragePool for CPUs, which made the compact generator a quarter slower."""
IR_VERSION = 8
"""The oldest file format that holds this opset."""

PICTURE_AXES = {0: "batch", 2: "height", 3: "width"}

_SCOPES_KEY = "pkg.torch.onnx.name_scopes"
"""Where PyTorch's exporter notes which modules a node comes from, outermost first, and last the operation's name."""


@dataclass(frozen=True)
class GraphInput:
    """One input of a graph."""

    name: str
    example: torch.Tensor
    """Of any values; its free axes are neither 0 nor 1 long, and of different lengths, which tracing takes as free."""
    axes: dict[int, str]
    """Free axes and their names."""


@dataclass(frozen=True)
class GraphOutput:
    """The output of a graph."""

    name: str
    axes: dict[int, str]
    """Free axes and their names, the same as an input's where they are as long."""


@dataclass(frozen=True)
class Traced:
    """A graph, and where in it the network's modules are."""

    model: onnx.ModelProto
    layers: dict[str, str]
    """A module's name in the network -> the tensor that is its result, in the order of computation."""


def generator_graph(network: nn.Module, card: ModelCard, source: str, result: str) -> Traced:
    """A generator as a graph from float32 (N, C, H, W) to (N, out, H, W), both in the card's range.

    Args:
        network: on the CPU, in evaluation mode.
        card: gives channels and size multiple.
        source: name of the input.
        result: name of the output.

    Raises:
        ExportError: PyTorch cannot express the network as ONNX.
    """
    multiple = card.size_multiple
    example = torch.zeros(2, card.architecture.in_channels, 2 * multiple, 3 * multiple)
    output = GraphOutput(result, PICTURE_AXES)
    return trace(network, [GraphInput(source, example, PICTURE_AXES)], output, card.name)


def trace(network: nn.Module, inputs: Sequence[GraphInput], output: GraphOutput, name: str) -> Traced:
    """Any network with one result as a graph.

    Args:
        network: on the CPU, in evaluation mode.
        inputs: in the order of the arguments of its `forward`.
        output: what its result is called.
        name: of the model, for people.

    Raises:
        ExportError: PyTorch cannot express the network as ONNX.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's own, about its insides
            program = torch.onnx.export(
                network,
                tuple(each.example for each in inputs),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[each.name for each in inputs],
                output_names=[output.name],
                dynamic_shapes=tuple(each.axes for each in inputs),
                custom_translation_table=TRANSLATIONS,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ExportError(f"PyTorch cannot express {name!r} as an ONNX graph: {reason}") from error
    if program is None:
        raise ExportError(f"PyTorch gave no ONNX graph for {name!r}.")
    model: onnx.ModelProto = program.model_proto
    layers = _layers(model)
    _strip(model)
    model.ir_version = IR_VERSION
    model.graph.name = name
    _name_axes(model, inputs, output)
    return Traced(model, layers)


def _layers(model: onnx.ModelProto) -> dict[str, str]:
    """The last tensor that each module computes; a module that calls others ends after them."""
    results: dict[str, str] = {}
    for node in model.graph.node:
        notes = {entry.key: entry.value for entry in node.metadata_props}
        for scope in _scopes(notes.get(_SCOPES_KEY, "[]")):
            results.pop(scope, None)  # the order is that in which modules end
            results[scope] = node.output[0]
    return results


def _scopes(text: str) -> list[str]:
    """Names of modules, innermost first, out of PyTorch's "['', 'blocks', 'blocks.0', 'relu']"."""
    scopes = [part.strip("' ") for part in text.strip("[]").split(",")]
    return scopes[-2::-1]


def _strip(model: onnx.ModelProto) -> None:
    """Removes what tracing noted for its own use, among it the paths of source files."""
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("value_info")


def _name_axes(model: onnx.ModelProto, inputs: Sequence[GraphInput], output: GraphOutput) -> None:
    """Tracing writes the output's sides as rounded expressions of the input's; for multiples they are the same."""
    named = {each.name: each.axes for each in inputs} | {output.name: output.axes}
    for value in (*model.graph.input, *model.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        for axis, name in named[value.name].items():
            dimensions[axis].dim_param = name
