"""Generators out of the .onnx files that `zorse export` wrote, to go on training them."""

import json
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from zorse.backends.torch.safetensors_file import blank_generator, first_difference
from zorse.errors import IncompatibleWeights, WeightsError
from zorse.model.card import ModelCard, read_card

RENAMED_KEY = "zorse.renamed_weights"
"""Key in a model file's metadata: a JSON object, from a weight's name in the network to its name in the file."""

_HALF = ".fp16"
"""End of the name of a weight that is stored in 16 bits."""


def load_onnx_generator(path: Path) -> tuple[nn.Module, ModelCard]:
    """Rebuilds the network that was exported, on the CPU, in 32 bits and in training mode.

    Weights that were rounded to 16 bits for the file stay rounded.

    Raises:
        WeightsError: missing, damaged, or not a model of Zorse.
        IncompatibleWeights: the file holds no longer what can be trained: the export has made BatchNorm part of other
            nodes, or weights are in 8 bits.
    """
    metadata, tensors = _read(path)
    card = read_card(metadata, str(path))
    network = blank_generator(card.architecture)
    expected = network.state_dict()
    weights = {name: tensor for name, tensor in tensors.items() if name in expected}
    weights |= _without_effect(expected, weights)
    difference = first_difference(expected, weights)
    if difference is not None:
        raise IncompatibleWeights(
            f"The {card.architecture.kind} network in {path} cannot be trained any more: {difference}, because the "
            "export has computed it into other values. Use the .safetensors file that the ONNX file was exported from."
        )
    network.load_state_dict(weights, assign=True)
    return network, card


def _without_effect(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Biases of convolutions that the export has left out, because all their values are zero."""
    return {
        name: torch.zeros(tensor.shape)
        for name, tensor in expected.items()
        if name not in found and name.endswith(".bias") and _is_kernel(found.get(f"{name.removesuffix('bias')}weight"))
    }


def _is_kernel(weight: Tensor | None) -> bool:
    return weight is not None and weight.ndim == 4


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata of an ONNX file, and its initializers by the names that they have in the network."""
    try:
        model = onnx.load(path)
    except Exception as error:  # Besides OSError, what protobuf raises for damage: it has no types to name it by.
        raise WeightsError(f"{path} cannot be read as an ONNX file ({error}). Get it again.") from error
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    # A copy: what onnx gives may be memory of its own that cannot be written to.
    tensors = {
        stored.name.removesuffix(_HALF): torch.from_numpy(onnx.numpy_helper.to_array(stored).copy())
        for stored in model.graph.initializer
    }
    weights = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    renamed: dict[str, str] = json.loads(metadata.get(RENAMED_KEY, "{}"))
    return metadata, weights | {name: weights[new].reshape(-1) for name, new in renamed.items() if new in weights}
