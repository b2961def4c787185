"""Convolutions to the few channels of a picture: four neighbouring pixels are computed as channels of one place.

ONNX Runtime computes 8 or 16 channels at a time, whether they are wanted or not. The last 7x7 convolution of a ResNet
generator, to 3 channels, takes 40 % of the time so.
"""

import numpy as np

from zorse.backends.onnx.rewrite.graph import Convolution, Graph, Nodes

BLOCK = 2
"""Side of the blocks of pixels."""
MOST_CHANNELS = 4
"""Of pictures: colours and alpha. Blocks of more than that leave nothing to gain."""
LEAST_KERNEL = 5
"""The blocks' kernel is larger by a pixel. For smaller kernels that costs as much as it gains."""


def in_blocks(graph: Graph, convolution: Convolution) -> bool:
    """Replaces such a convolution in a graph; tells whether it is one."""
    if convolution.out_channels > MOST_CHANNELS or min(convolution.kernel) < LEAST_KERNEL or not convolution.is_dense:
        return False
    nodes = Nodes(graph, f"{convolution.result}/blocks")
    margin = BLOCK - 1
    places = [(down, across) for down in range(BLOCK) for across in range(BLOCK)]
    shifted = [
        nodes.add("Pad", convolution.weight, np.array([0, 0, down, across, 0, 0, margin - down, margin - across]))
        for down, across in places
    ]
    inputs = [convolution.source, nodes.add("Concat", *shifted, axis=0)]
    if convolution.bias is not None:
        inputs.append(nodes.add("Concat", *([convolution.bias] * len(places)), axis=0))
    top, left, bottom, right = convolution.pads
    pads = (top, left, bottom + margin, right + margin)
    blocks = nodes.add("Conv", *inputs, strides=(BLOCK, BLOCK), pads=pads)
    pixels = nodes.add("DepthToSpace", blocks, blocksize=BLOCK)
    graph.replace(convolution, nodes, nodes.cut(pixels, convolution))
    return True
