"""3x3 convolutions by Winograd's algorithm: 4x4 results take 36 multiplications for each pair of channels, not 144.

    y = A' [(G w G') * (B' x B)] A,    x: 6x6 pixels, w: 3x3 weights, y: 4x4 results, * element by element.

With both axes made one, x is a vector of 36 numbers, and for all channels and tiles at once

    V = B' x     a convolution with 36 fixed kernels of 6x6 and stride 4;
    M = U V      36 matrix products, out_channels x in_channels x tiles; U = G w is computed when the model is opened;
    y = A' M     a matrix product, whose 16 results for each tile are put side by side.

It is the same function, not an approximation; rounding errors are five times those of the direct convolution in 32
bits (1e-6 of the results' size instead of 2e-7).

Source: Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks, F(4x4, 3x3).
"""

from functools import cache

import numpy as np

from zorse.backends.onnx.rewrite.graph import Convolution, Graph, Nodes
from zorse.imaging.tensor import Tensor
from zorse.runtime.streamed.plan import LEAST_CHANNELS

TILE, KERNEL = 4, 3
PATCH = TILE + KERNEL - 1
POINTS = (0, 3 / 4, -3 / 4, 3 / 2, -3 / 2)
"""Where the polynomials of the algorithm are evaluated, and at infinity. With the usual 0, 1, -1, 2, -2 rounding errors
are twice as large, and the largest of them six times."""

MOST_BYTES = 2**28
"""Of transformed weights in a model, which take four times the memory: enough for the 18 of ResNet-9."""


class Winograd:
    """Replaces such convolutions in a graph, as many as the memory for their weights allows."""

    def __init__(self) -> None:
        self._bytes_left = MOST_BYTES

    def __call__(self, graph: Graph, convolution: Convolution) -> bool:
        """Tells whether the convolution was replaced."""
        channels = (convolution.out_channels, convolution.in_channels)
        size = 4 * PATCH**2 * convolution.out_channels * convolution.in_channels
        if (
            convolution.kernel != (KERNEL, KERNEL)
            or not convolution.is_dense
            or min(channels) < LEAST_CHANNELS
            or size > self._bytes_left
        ):
            return False
        self._bytes_left -= size
        nodes = Nodes(graph, f"{convolution.result}/winograd")
        graph.replace(convolution, nodes, _written(nodes, convolution))
        return True


def _written(nodes: Nodes, convolution: Convolution) -> str:
    """Adds the nodes for pictures one at a time; gives the name of what they compute."""
    a, b, g = transforms()
    n_in, n_out = convolution.in_channels, convolution.out_channels
    weights = nodes.add("Transpose", convolution.weight, perm=(2, 3, 0, 1))
    flat = nodes.add("Reshape", weights, np.array([KERNEL**2, n_out * n_in]))
    u = nodes.add("Reshape", nodes.add("MatMul", g, flat), np.array([PATCH**2, n_out, n_in]))

    top, left, bottom, right = convolution.pads
    pads = (top, left, bottom + TILE - 1, right + TILE - 1)  # the last tiles may lie half outside
    planes = nodes.add("Reshape", convolution.source, np.array([n_in, 1, 0, 0]))
    kernels = b.reshape(PATCH**2, 1, PATCH, PATCH)
    patches = nodes.add("Conv", planes, kernels, strides=(TILE, TILE), pads=pads)
    n_tiles = nodes.add("Shape", patches, start=2)
    v = nodes.add("Transpose", nodes.add("Reshape", patches, np.array([0, 0, -1])), perm=(1, 0, 2))

    m = nodes.add("Reshape", nodes.add("MatMul", u, v), np.array([PATCH**2, -1]))
    shape = nodes.add("Concat", np.array([1, TILE**2 * n_out]), n_tiles, axis=0)
    tiles = nodes.add("Reshape", nodes.add("MatMul", a, m), shape)
    y = nodes.cut(nodes.add("DepthToSpace", tiles, blocksize=TILE), convolution)
    if convolution.bias is None:
        return y
    return nodes.add("Add", y, nodes.add("Reshape", convolution.bias, np.array([-1, 1, 1])))


@cache
def transforms() -> tuple[Tensor, Tensor, Tensor]:
    """A' (16, 36), B' (36, 36) and G (36, 9), for both axes at once.

    G evaluates polynomials at the points, A' is the same transposed; the last row, of infinity, is the leading
    coefficient. B' interpolates: its rows are the polynomials that vanish at all points but one.
    """

    def powers(length: int) -> Tensor:
        return np.vstack([np.vander(POINTS, length, increasing=True), np.eye(length)[-1]])

    rows = [np.poly(others)[::-1] / np.prod(np.subtract(point, others)) for point, others in _each_and_others()]
    b = np.vstack([*(np.append(row, 0) for row in rows), np.poly(POINTS)[::-1]])
    both = [np.kron(matrix, matrix).astype(np.float32) for matrix in (powers(TILE).T, b, powers(KERNEL))]
    return both[0], both[1], both[2]


def _each_and_others() -> list[tuple[float, list[float]]]:
    return [(point, [other for other in POINTS if other != point]) for point in POINTS]
