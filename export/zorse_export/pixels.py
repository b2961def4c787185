"""The uint8 graph around a float core: pixels in, pixels out, of any size.

What is here in ONNX is in numpy in `zorse.imaging.tensor`: `padded_places`, `to_tensor`, `to_range`, `crop`,
`from_range` and `to_pixels`, in the same order and with the same constants, so that both give the same pixels.
"""

import onnx
from onnx import helper, parser

from zorse.imaging.tensor import centre_and_half
from zorse.model.card import ModelCard
from zorse.model.model_file import CORE_INPUT, CORE_OUTPUT, INPUT_NAME, OUTPUT_NAME
from zorse.runtime.passes import MIN_SIDE


def with_pixels(core: onnx.ModelProto, card: ModelCard) -> onnx.ModelProto:
    """A model with the input `image` and the output `translation`, both uint8 (N, H, W, C) of any N, H, W >= 1.

    Args:
        core: from `CORE_INPUT` to `CORE_OUTPUT`, float32 (N, C, H, W) in the card's range; it is left as it is.
        card: gives size multiple and channels.
    """
    before, after = (_with_own_names(parser.parse_graph(text)) for text in (_before(card), _after(card)))
    graph = helper.make_graph(
        [*before.node, *core.graph.node, *after.node],
        core.graph.name,
        before.input,
        after.output,
        [*before.initializer, *core.graph.initializer, *after.initializer],
        value_info=[*before.output, *after.input],
    )
    model = onnx.ModelProto()
    model.CopyFrom(core)
    model.graph.CopyFrom(graph)
    return model


def _with_own_names(graph: onnx.GraphProto) -> onnx.GraphProto:
    """No name in it is one that a core may have."""
    kept = {INPUT_NAME, CORE_INPUT, CORE_OUTPUT, OUTPUT_NAME}
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [name if name in kept else f"pixels.{name}" for name in names]
    for initializer in graph.initializer:
        initializer.name = f"pixels.{initializer.name}"
    return graph


def _before(card: ModelCard) -> str:
    """From `image` to `CORE_INPUT`: a picture is padded to what the network takes, and scaled to the card's range."""
    channels, multiple = card.architecture.in_channels, card.size_multiple
    return f"""
        before (uint8[batch, height, width, {channels}] {INPUT_NAME})
            => (float[batch, {channels}, padded_height, padded_width] {CORE_INPUT})
        <
            int64 zero = {{0}}, int64 one = {{1}}, int64 least_side = {{{MIN_SIDE}}}, int64 multiple = {{{multiple}}},
            int64 multiple_less_one = {{{multiple - 1}}}, float half_range = {{127.5}}, float unit = {{1.0}}
        >
        {{
            {_places("height", 1)}
            {_places("width", 2)}
            padded_rows = Gather <axis = 1> ({INPUT_NAME}, height_shown)
            padded = Gather <axis = 2> (padded_rows, width_shown)
            planes = Transpose <perm = [0, 3, 1, 2]> (padded)
            levels = Cast <to = 1> (planes)
            scaled = Div (levels, half_range)
            {_to_range(card)}
        }}"""


def _places(side: str, axis: int) -> str:
    """What each place of a padded side shows, as in `padded_places`: mirrored, or where it is too small, repeated."""
    return f"""
            {side}_list = Shape <start = {axis}, end = {axis + 1}> ({INPUT_NAME})
            {side}_pixels = Squeeze ({side}_list)
            {side}_at_least = Max ({side}_pixels, least_side)
            {side}_almost = Add ({side}_at_least, multiple_less_one)
            {side}_multiples = Div ({side}_almost, multiple)
            {side}_padded = Mul ({side}_multiples, multiple)
            {side}_padding = Sub ({side}_padded, {side}_pixels)
            {side}_last = Sub ({side}_pixels, one)
            {side}_places = Range (zero, {side}_padded, one)
            {side}_left = Sub ({side}_last, {side}_places)
            {side}_from_last = Abs ({side}_left)
            {side}_mirrored = Sub ({side}_last, {side}_from_last)
            {side}_repeated = Min ({side}_places, {side}_last)
            {side}_suffices = Less ({side}_padding, {side}_pixels)
            {side}_shown = Where ({side}_suffices, {side}_mirrored, {side}_repeated)"""


def _to_range(card: ModelCard) -> str:
    """From levels divided by `half_range` to `CORE_INPUT`, as in `to_tensor` and `to_range`."""
    if card.value_range == (-1, 1):
        return f"{CORE_INPUT} = Sub (scaled, unit)"
    centre, half = centre_and_half(card.value_range)
    return f"""
            centred = Sub (scaled, unit)
            half_width = Constant <value_float = {half!r}> ()
            centre = Constant <value_float = {centre!r}> ()
            widened = Mul (centred, half_width)
            {CORE_INPUT} = Add (widened, centre)"""


def _clipped(card: ModelCard) -> str:
    """From `cropped` to `clipped`, in [-1, 1], as in `from_range`, with the numbers of `_to_range`."""
    if card.value_range == (-1, 1):
        return "clipped = Clip (cropped, lowest, highest)"
    return """
            shifted = Sub (cropped, centre)
            unit_range = Div (shifted, half_width)
            clipped = Clip (unit_range, lowest, highest)"""


def _after(card: ModelCard) -> str:
    """From `CORE_OUTPUT` to `translation`: cropped to the picture and rounded to levels, halves to even ones.

    `unit` and `half_range` are those of `_before`.
    """
    channels = card.architecture.out_channels
    return f"""
        after (float[batch, {channels}, padded_height, padded_width] {CORE_OUTPUT})
            => (uint8[batch, height, width, {channels}] {OUTPUT_NAME})
        <int64[2] origin = {{0, 0}}, int64[2] sides = {{2, 3}}, float lowest = {{-1.0}}, float highest = {{1.0}}>
        {{
            picture_size = Shape <start = 1, end = 3> ({INPUT_NAME})
            cropped = Slice ({CORE_OUTPUT}, origin, picture_size, sides)
            {_clipped(card)}
            raised = Add (clipped, unit)
            enlarged = Mul (raised, half_range)
            rounded = Round (enlarged)
            shades = Cast <to = 2> (rounded)
            {OUTPUT_NAME} = Transpose <perm = [0, 2, 3, 1]> (shades)
        }}"""
