"""Stages of a streamed picture computed by PyTorch."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

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
)
from zorse.runtime.streamed.stages import Piece

Array = NDArray[np.float32]


@dataclass(frozen=True)
class TorchKernels:
    """See `zorse.runtime.streamed.kernels.Kernels`."""

    program: Program
    tensors: Mapping[str, Tensor]
    """The network's state, on the device that computes."""
    device: torch.device
    guard: Callable[[], AbstractContextManager[None]]
    """Around each computation: no gradients; memory that does not suffice becomes MemoryError."""
    comfortable: int
    held: int = 0

    @property
    def weights(self) -> Mapping[str, Array]:
        """The weights as arrays."""
        return {name: tensor.cpu().numpy() for name, tensor in self.tensors.items()}

    def compile(self, piece: Piece, norms: Mapping[int, Normalisation]) -> Compute:
        """Operation by operation; nothing needs preparing but the normalisations."""
        on_device = {step.op: self._on_device(norm) for step in piece.steps if (norm := norms.get(step.op)) is not None}
        last_use = {source: position for position, step in enumerate(piece.steps) for source in self._inputs(step.op)}
        wanted = {op for op, _ in piece.results}

        def compute(tiles: Sequence[Array]) -> list[Array]:
            with self.guard():
                maps = {
                    source: torch.from_numpy(tile).to(self.device)
                    for source, tile in zip(piece.sources, tiles, strict=True)
                }
                for position, step in enumerate(piece.steps):
                    op = self.program[step.op]
                    inputs = [_cut(maps[source], crop) for source, crop in zip(op.inputs, step.crops, strict=True)]
                    maps[step.op] = self._compute(op, inputs, step.margin, on_device.get(step.op))
                    del inputs
                    for source in op.inputs:
                        if last_use[source] == position and source not in wanted:
                            maps.pop(source, None)
                return [_cut(maps[op], crop).contiguous().cpu().numpy() for op, crop in piece.results]

        return compute

    def _inputs(self, op: int) -> tuple[int, ...]:
        return self.program[op].inputs

    def _on_device(self, norm: Normalisation) -> "_Norm":
        mean, scale = (torch.from_numpy(values).to(self.device)[:, None, None] for values in (norm.mean, norm.scale))
        offset = None if norm.offset is None else torch.from_numpy(norm.offset).to(self.device)[:, None, None]
        return _Norm(mean, scale, offset)

    def _compute(self, op: Op, inputs: list[Tensor], margin: Margin, norm: "_Norm | None") -> Tensor:
        x = inputs[0]
        match op:
            case Conv():
                weight, bias = self.tensors[op.weight], None if op.bias is None else self.tensors[op.bias]
                return F.conv2d(_pad(x, margin, op.border), weight, bias, stride=op.stride, dilation=op.dilation)
            case ConvTranspose():
                weight, bias = self.tensors[op.weight], None if op.bias is None else self.tensors[op.bias]
                return _cut(F.conv_transpose2d(x, weight, bias, stride=op.stride), margin)
            case Box():
                return F.avg_pool2d(_pad(x, margin, op.border), op.size, stride=op.stride)
            case Enlarge(interpolation="bilinear"):
                return _cut(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), margin)
            case Enlarge():
                return _cut(F.interpolate(x, scale_factor=2, mode="nearest"), margin)
            case SpaceToDepth():
                return F.pixel_unshuffle(x, op.block)
            case DepthToSpace():
                return _cut(F.pixel_shuffle(x, op.block), margin)
            case Norm():
                return x if norm is None else norm(x)
            case Activation(function="relu"):
                return torch.relu(x)
            case Activation(function="leaky"):
                return F.leaky_relu(x, LEAKY_SLOPE)
            case Activation():
                return torch.tanh(x)
            case Add():
                return x + inputs[-1]
            case Concat():
                return torch.cat(inputs, dim=1)
            case Recolour(headroom=headroom):
                scale, change = x[:, :1], x[:, 1:]
                picture = torch.atanh(headroom * inputs[1].clamp(-1, 1))
                return (torch.tanh((1 + scale) * picture + change) / headroom).clamp(-1, 1)
            case Picture():
                return x


class _Norm(NamedTuple):
    mean: Tensor
    scale: Tensor
    offset: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        normalised = (x - self.mean).mul_(self.scale)
        return normalised if self.offset is None else normalised.add_(self.offset)


def _pad(x: Tensor, margin: Margin, border: str) -> Tensor:
    if not any(margin):
        return x
    mode = {"zeros": "constant", "reflect": "reflect", "edge": "replicate"}[border]
    return F.pad(x, (margin.left, margin.right, margin.top, margin.bottom), mode=mode)


def _cut(x: Tensor, crop: Margin) -> Tensor:
    height, width = x.shape[2:]
    return x[:, :, crop.top : height - crop.bottom, crop.left : width - crop.right]
