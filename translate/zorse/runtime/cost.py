"""What a picture costs a network, known before a pixel of it is decoded."""

from zorse.model.card import ModelCard
from zorse.runtime.passes import padded_side
from zorse.runtime.streamed.generators import estimated_program
from zorse.runtime.streamed.program import ConvTranspose, products
from zorse.runtime.streamed.stages import map_sizes


def pass_products(card: ModelCard, height: int, width: int) -> int:
    """Multiplications of one pass of a network over a picture.

    Faster algorithms take fewer and tiles take more, both in proportion: the number compares work, it is not time. A
    ResNet-9 takes 760,000 for each pixel, the compact network 69,000.

    Args:
        card: of the network.
        height: at which the network sees the picture, in pixels; it is padded to what the network takes.
        width: likewise.
    """
    program = estimated_program(card)
    rows, columns = (padded_side(side, card.size_multiple) for side in (height, width))
    sizes = map_sizes(program, rows, columns)
    total = 0
    for index, op in enumerate(program):
        if op.inputs:
            high, wide = sizes[op.inputs[0] if isinstance(op, ConvTranspose) else index]
            total += products(op) * high * wide
    return total
