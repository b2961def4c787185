"""3x3 convolutions by Winograd's algorithm, forward and backward: half the time of the direct ones on a CPU.

4x4 results of a 3x3 convolution take 144 multiplications for each pair of channels; done so it takes 36:

    y = A' [(G w G') * (B' x B)] A,    x: 6x6 pixels, w: 3x3 weights, y: 4x4 results, * element by element.

It is the same function, not an approximation. In 32 bits its rounding errors are about three times those of the direct
convolution (2e-6 of the result's size instead of 6e-7), in 64 bits both are nil.

Source: Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks, F(4x4, 3x3).
"""

import threading
from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Border = Literal["valid", "zeros", "reflect"]
"""What lies beyond a picture's border: nothing, so that it shrinks by a pixel on each side; zeros; a mirror image."""

TILE = 4
"""Side of the results computed together."""
PATCH = TILE + 2
"""Side of the input that they depend on."""
MOST_TILES = 256
"""Tiles that are worked on at a time: more would not fit into the cache."""
LEAST_CHANNELS, LEAST_TILES = 64, 64
"""Below these the direct convolution is as fast."""

_A = [
    [1, 0, 0, 0],
    [1, 1, 1, 1],
    [1, -1, 1, -1],
    [1, 2, 4, 8],
    [1, -2, 4, -8],
    [0, 0, 0, 1],
]
_B = [
    [4, 0, 0, 0, 0, 0],
    [0, -4, 4, -2, 2, 4],
    [-5, -4, -4, -1, -1, 0],
    [0, 1, -1, 2, -2, -5],
    [1, 1, 1, 1, 1, 0],
    [0, 0, 0, 0, 0, 1],
]
_G = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]


class Conv3x3(nn.Conv2d):
    """`nn.Conv2d` with 3x3 weights, computed faster while training on a CPU in 32 or 64 bits.

    There it also keeps its input without the border for the way back, where `nn.Conv2d` keeps a padded copy.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True, border: Border = "valid") -> None:
        padding = 0 if border == "valid" else 1
        mode: Literal["zeros", "reflect"] = "reflect" if border == "reflect" else "zeros"
        super().__init__(in_channels, out_channels, 3, padding=padding, bias=bias, padding_mode=mode)
        self.border: Border = border

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W), two pixels less each way with the border `valid`."""
        if self.training and self._pays_off(x):
            return winograd(x, self.weight, self.bias, self.border)
        return super().forward(x)

    def _pays_off(self, x: Tensor) -> bool:
        return (
            x.device.type == "cpu"
            and x.dtype in (torch.float32, torch.float64)
            and not torch.is_autocast_enabled("cpu")
            and not torch.compiler.is_compiling()
            and min(self.in_channels, self.out_channels) >= LEAST_CHANNELS
            and x.shape[0] * x.shape[2] * x.shape[3] >= LEAST_TILES * TILE**2
        )


def winograd(x: Tensor, weight: Tensor, bias: Tensor | None = None, border: Border = "valid") -> Tensor:
    """What F.conv2d gives for 3x3 weights, with first derivatives.

    Args:
        x: (N, in, H, W) of any size that F.conv2d takes.
        weight: (out, in, 3, 3).
        bias: (out,).
        border: what lies beyond the border of x.

    Returns:
        (N, out, H, W), two pixels less each way with the border `valid`.
    """
    y: Tensor = _Winograd.apply(x, weight, bias, border)
    return y


class _Winograd(torch.autograd.Function):
    """Keeps nothing but x and the weights for the way back.

    Stacks of small matrices are multiplied, channel by channel or position by position: that is what occupies all
    threads. `patches` are (in, 36, tiles), `tiles` (out, 16, tiles), and `products` in between (36, out, tiles).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, border: Border) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.border = border
        a, _, _ = _transforms(x.dtype)
        padded, weights = _padded(x, border), _transformed_weight(weight)
        offset = weight.new_zeros(1) if bias is None else bias.view(-1, 1, 1, 1, 1, 1)
        y = x.new_empty(x.shape[0], weight.shape[0], padded.shape[2] - 2, padded.shape[3] - 2)
        for rows in _strips(padded):
            products = _product(weights, _transformed_patches(padded, rows).transpose(0, 1), "products")
            tiles = _tiles(y, rows)
            results = _product(a.T.expand(len(tiles), -1, -1), products.transpose(0, 1), "tiles")
            torch.add(results.view(tiles.shape), offset, out=tiles)
        margin = 2 if border == "valid" else 0
        return _cropped(y, x.shape[2] - margin, x.shape[3] - margin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, y_gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The algorithm transposed: its linear steps in reverse order, each of them transposed."""
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias, _ = ctx.needs_input_grad
        a, b, g = _transforms(x.dtype)
        padded, weights = _padded(x, ctx.border), _transformed_weight(weight)
        y_gradient = _grown(y_gradient, padded.shape[2] - 2, padded.shape[3] - 2).contiguous()
        x_gradient = x.new_zeros(*x.shape[:2], padded.shape[2] + 2, padded.shape[3] + 2)
        weights_gradient = _scratch("weights' gradient", x.dtype, *weights.shape).zero_()
        for rows in _strips(padded):
            tiles = _flattened(_tiles(y_gradient, rows), "tiles")
            products = _product(a.expand(len(tiles), -1, -1), tiles, "products").transpose(0, 1)
            if wants_weight:
                weights_gradient.baddbmm_(products, _transformed_patches(padded, rows).permute(1, 2, 0))
            if wants_x:
                patches = _product(weights.transpose(1, 2), products, "patches").transpose(0, 1)
                _add_patches(x_gradient, _product(b.expand(len(patches), -1, -1), patches, "transformed"), rows)
        weight_gradient = torch.bmm(g.T.expand(len(weight), -1, -1), weights_gradient.transpose(0, 1))
        return (
            _without_border(x_gradient, x, ctx.border) if wants_x else None,
            weight_gradient.transpose(1, 2).reshape(weight.shape) if wants_weight else None,
            y_gradient.sum((0, 2, 3)) if wants_bias else None,
            None,
        )


@lru_cache(maxsize=2)
def _transforms(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """A, B and G for both axes at once: they multiply pictures and weights whose two axes are made one."""
    a, b, g = (torch.tensor(matrix, dtype=torch.float64) for matrix in (_A, _B, _G))
    return torch.kron(a, a).to(dtype), torch.kron(b, b).to(dtype), torch.kron(g, g).to(dtype)


def _transformed_weight(weight: Tensor) -> Tensor:
    """(out, in, 3, 3) -> (36, out, in)."""
    _, _, g = _transforms(weight.dtype)
    flat = weight.detach().flatten(2).transpose(1, 2)
    return _product(g.expand(len(weight), -1, -1), flat, "weights").transpose(0, 1)


def _padded(x: Tensor, border: Border) -> Tensor:
    """With what lies beyond the border, and with zeros that fill the last tiles."""
    if border == "reflect":
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
    elif border == "zeros":
        x = F.pad(x, (1, 1, 1, 1))
    height, width = (side + (2 - side) % TILE for side in x.shape[2:])
    return _grown(x, height, width)


def _without_border(gradient: Tensor, x: Tensor, border: Border) -> Tensor:
    """`_padded` on the way back: the gradient of x."""
    margin = 0 if border == "valid" else 2
    gradient = _cropped(gradient, x.shape[2] + margin, x.shape[3] + margin)
    if border == "reflect":
        folded: Tensor = torch.ops.aten.reflection_pad2d_backward(gradient, x, [1, 1, 1, 1])
        return folded
    return gradient if border == "valid" else gradient[:, :, 1:-1, 1:-1]


def _grown(x: Tensor, height: int, width: int) -> Tensor:
    """With zeros below and to the right."""
    below, beside = height - x.shape[2], width - x.shape[3]
    return F.pad(x, (0, beside, 0, below)) if below or beside else x


def _cropped(x: Tensor, height: int, width: int) -> Tensor:
    """`_grown` on the way back."""
    return x if x.shape[2:] == (height, width) else x[:, :, :height, :width].contiguous()


def _strips(padded: Tensor) -> Iterator[slice]:
    """Rows of tiles that are worked on together."""
    down, across = (padded.shape[2] - 2) // TILE, (padded.shape[3] - 2) // TILE
    step = max(1, MOST_TILES // (padded.shape[0] * across))
    for first in range(0, down, step):
        yield slice(first, min(first + step, down))


def _transformed_patches(padded: Tensor, rows: slice) -> Tensor:
    """(N, in, H, W) -> the transformed input of these rows of tiles, (in, 36, tiles)."""
    _, b, _ = _transforms(padded.dtype)
    pixels = padded[:, :, rows.start * TILE : rows.stop * TILE + 2]
    patches = pixels.unfold(2, PATCH, TILE).unfold(3, PATCH, TILE).permute(1, 4, 5, 0, 2, 3)
    return _product(b.T.expand(len(patches), -1, -1), _flattened(patches, "patches"), "transformed")


def _add_patches(x: Tensor, patches: Tensor, rows: slice) -> None:
    """Add (in, 36, tiles) to the pixels (N, in, H, W) of these rows of tiles; neighbours overlap by two pixels."""
    n, channels, height, width = x.shape
    grid = x.view(n, channels, height // TILE, TILE, width // TILE, TILE)
    across = width // TILE - 1
    parts = patches.view(channels, PATCH, PATCH, n, -1, across).permute(3, 0, 4, 1, 5, 2)
    upper, lower = parts[:, :, :, :TILE], parts[:, :, :, TILE:]
    here, below = slice(rows.start, rows.stop), slice(rows.start + 1, rows.stop + 1)
    grid[:, :, here, :, :across].add_(upper[..., :TILE])
    grid[:, :, here, :, 1:, :2].add_(upper[..., TILE:])
    grid[:, :, below, :2, :across].add_(lower[..., :TILE])
    grid[:, :, below, :2, 1:, :2].add_(lower[..., TILE:])


def _tiles(y: Tensor, rows: slice) -> Tensor:
    """(N, out, H, W) -> a view of these rows of tiles, (out, 4, 4, N, rows, tiles in a row)."""
    n, channels, height, width = y.shape
    tiles = y.view(n, channels, height // TILE, TILE, width // TILE, TILE)[:, :, rows]
    return tiles.permute(1, 3, 5, 0, 2, 4)


def _flattened(x: Tensor, name: str) -> Tensor:
    """(channels, side, side, N, rows, columns) -> (channels, side * side, tiles) in the scratch memory of that name."""
    return _scratch(name, x.dtype, *x.shape).copy_(x).view(len(x), x.shape[1] * x.shape[2], -1)


def _product(left: Tensor, right: Tensor, name: str) -> Tensor:
    """Matrix products of two stacks, in the scratch memory of that name."""
    return torch.bmm(left, right, out=_scratch(name, left.dtype, *left.shape[:-1], right.shape[-1]))


class _Scratch(threading.local):
    """Memory that each convolution uses again: new pieces each time would leave holes between what a graph keeps."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[str, torch.dtype], Tensor] = {}


_scratch_memory = _Scratch()


def _scratch(name: str, dtype: torch.dtype, *shape: int) -> Tensor:
    size = prod(shape)
    buffer = _scratch_memory.buffers.get((name, dtype))
    if buffer is None or buffer.numel() < size:
        with torch.inference_mode(mode=False):
            buffer = torch.empty(size, dtype=dtype)
        _scratch_memory.buffers[name, dtype] = buffer
    return buffer[:size].view(shape)
