"""Operators that become other ONNX nodes than PyTorch's exporter would choose, because those are slow or inexact.

Each function takes the operator's arguments as values of the graph and adds nodes to it. Times and differences were
measured with ONNX Runtime 1.31 on 2 cores of a CPU, at 256x256 pixels.
"""

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset18

op: Any = opset18
"""Must be the opset of the exported file."""


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enabled: bool = True
) -> Any:
    """GroupNorm. With one channel per group it is InstanceNorm; means are taken over rows, then over their means.

    ONNX Runtime adds up all pixels of a channel in few running float32 sums, in its InstanceNormalization as in its
    ReduceMean. In line drawings most pixels are equal, and so is the rounding, which adds up: with
    InstanceNormalization nodes ResNet-9 differed from its float64 result by 1.7e-3, so it differs by 1.5e-5. It takes
    1 to 2 % more time.
    """
    if x.shape[1] == num_groups:
        centred = op.Sub(x, _mean(x))
        variance = _mean(op.Mul(centred, centred))
        normalised = op.Div(centred, op.Sqrt(op.Add(variance, op.Constant(value_float=eps))))
    else:
        groups = op.Reshape(x, op.Constant(value_ints=[0, num_groups, -1]))
        one, zero = (op.Constant(value_floats=[value] * num_groups) for value in (1.0, 0.0))
        normalised = op.Reshape(op.InstanceNormalization(groups, one, zero, epsilon=eps), op.Shape(x))
    if weight is None:
        return normalised
    per_channel = op.Constant(value_ints=[-1, 1, 1])
    return op.Add(op.Mul(normalised, op.Reshape(weight, per_channel)), op.Reshape(bias, per_channel))


def atanh(x: Any) -> Any:
    """log((1 + x) / (1 - x)) / 2: ONNX Runtime's Atanh works on one number at a time (4.8 ms), its Log does not."""
    one, half = op.Constant(value_float=1.0), op.Constant(value_float=0.5)
    return op.Mul(op.Log(op.Div(op.Add(one, x), op.Sub(one, x))), half)


def pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    """SpaceToDepth, whose channels are then put into PyTorch's order: one channel's block after the other.

    The exporter's own way goes through a transposition of six dimensions, which fewer runtimes can do.
    """
    channels, block = x.shape[1], downscale_factor**2
    order = [within * channels + channel for channel in range(channels) for within in range(block)]
    return op.Gather(op.SpaceToDepth(x, blocksize=downscale_factor), op.Constant(value_ints=order), axis=1)


def _mean(x: Any) -> Any:
    """(N, C, H, W) -> (N, C, 1, 1)."""
    of_rows = op.ReduceMean(x, op.Constant(value_ints=[3]), keepdims=1)
    return op.ReduceMean(of_rows, op.Constant(value_ints=[2]), keepdims=1)


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.group_norm.default: group_norm,
    torch.ops.aten.atanh.default: atanh,
    torch.ops.aten.pixel_unshuffle.default: pixel_unshuffle,
}
"""For `torch.onnx.export(custom_translation_table=...)`."""
