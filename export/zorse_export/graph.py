"""What becomes of a traced graph: checked, and described."""

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import nn

from zorse import __version__
from zorse.errors import ExportError


def check(model: onnx.ModelProto) -> None:
    """Holds a finished model against the ONNX specification, shapes included.

    Raises:
        ExportError: it is not valid, or needs operators that are not in the specification.
    """
    name = model.graph.name
    own = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in ("", "ai.onnx")})
    if own:
        raise ExportError(f"The graph of {name!r} needs operators beyond ONNX: {', '.join(own)}. Please report this.")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"The ONNX graph of {name!r} is not valid: {error}. Please report this.") from error


def renamed_weights(model: onnx.ModelProto, network: nn.Module) -> dict[str, str]:
    """Weights that tracing has brought into another shape, by which they lost their name: its name in the file.

    They are the scales and shifts of normalisations. Who trains the network on needs to find them.
    """
    stored = {initializer.name: numpy_helper.to_array(initializer) for initializer in model.graph.initializer}
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    unknown = {name: values.reshape(-1) for name, values in stored.items() if name not in weights}
    return {
        name: next(new for new, found in unknown.items() if np.array_equal(found, values))
        for name, values in weights.items()
        if name not in stored and any(np.array_equal(found, values) for found in unknown.values())
    }


def set_metadata(model: onnx.ModelProto, metadata: dict[str, str]) -> None:
    """Replaces a model's `metadata_props`, without entries that are empty, and says what made it."""
    model.producer_name, model.producer_version = "zorse", __version__
    del model.metadata_props[:]
    helper.set_model_props(model, {key: value for key, value in metadata.items() if value})
