"""Where a graph begins to differ from its network."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from zorse.imaging.tensor import Tensor
from zorse.model.card import ModelCard
from zorse.model.parity import ExportPrecision
from zorse_export.halves import HALF
from zorse_export.parity import BOUNDS, TOLERANCE, open_session

_RELATIVE: dict[ExportPrecision, float] = {
    precision: TOLERANCE if bounds.difference is not None else 10 ** (-(bounds.psnr or 0) / 20)
    for precision, bounds in BOUNDS.items()
}
"""Largest difference of a layer's values, as a share of the largest of them (root mean square where PSNR judges)."""


def first_difference(
    core: onnx.ModelProto,
    layers: dict[str, str],
    network: nn.Module,
    card: ModelCard,
    precision: ExportPrecision,
    picture: Tensor,
) -> str:
    """A sentence that names the first layer whose values are not those of the network.

    Args:
        core: the float graph.
        layers: where in it the network's modules are, see `zorse.backends.torch.graph.Traced`.
        network: the network that was traced.
        card: of the model.
        precision: says which differences count.
        picture: (N, C, H, W) in [-1, 1], for which both differ.
    """
    expected = _module_results(network, picture)
    found = _graph_results(core, {name: layers[name] for name in expected if name in layers}, card, picture)
    for name, values in found.items():
        error = _relative(values, expected[name], precision)
        if not error <= _RELATIVE[precision]:
            module = f"layer {name!r} ({type(network.get_submodule(name)).__name__})" if name else "network's end"
            return f"The first to differ is the {module}: by {error:.2g} of its largest value."
    return "No layer differs by itself: what differs is around the network (fused BatchNorm, padding, rounding)."


def _module_results(network: nn.Module, picture: Tensor) -> dict[str, Tensor]:
    """What each module gives, in the order in which they end."""
    results: dict[str, Tensor] = {}

    def note(name: str, result: object) -> None:
        if isinstance(result, torch.Tensor):
            results[name] = result.numpy().copy()  # a later layer may work in place

    hooks = [
        module.register_forward_hook(lambda _module, _inputs, result, name=name: note(name, result))
        for name, module in network.named_modules()
    ]
    try:
        with torch.inference_mode():
            network(torch.from_numpy(picture))
    finally:
        for hook in hooks:
            hook.remove()
    return results


def _graph_results(
    core: onnx.ModelProto, wanted: dict[str, str], card: ModelCard, picture: Tensor
) -> dict[str, Tensor]:
    """What the graph computes at the place of each module that it still has."""
    model = onnx.ModelProto()
    model.CopyFrom(core)
    computed = {name for node in model.graph.node for name in node.output}
    places = {
        module: name if name in computed else f"{name}{HALF}"
        for module, name in wanted.items()
        if {name, f"{name}{HALF}"} & computed
    }
    result = model.graph.output[0].name
    for name in dict.fromkeys(places.values()):
        if name != result:
            kind = TensorProto.FLOAT16 if name.endswith(HALF) else TensorProto.FLOAT
            model.graph.output.append(helper.make_tensor_value_info(name, kind, None))
    session = open_session(model.SerializeToString(), card)
    names = list(dict.fromkeys(places.values()))
    values = dict(zip(names, session.run(names, {session.get_inputs()[0].name: picture}), strict=True))
    return {module: values[name].astype(np.float32) for module, name in places.items()}


def _relative(found: Tensor, expected: Tensor, precision: ExportPrecision) -> float:
    if found.shape != expected.shape:
        return float("inf")
    scale = max(1.0, float(np.abs(expected).max()))
    difference = np.abs(found - expected)
    typical = difference.max() if BOUNDS[precision].difference is not None else np.sqrt(np.mean(difference**2))
    return float(typical) / scale
