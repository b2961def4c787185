"""What is in a model file, read without ONNX Runtime.

The contract of a model file: one input `image` and one output `translation` of the same shape, with dynamic N, H, W,
and the card's JSON in `metadata_props`. Two kinds:

- uint8: both uint8 (N, H, W, 3) RGB. Scaling, padding, cropping and rounding are in the graph, around a core between
  two tensors of fixed names, which are like those of the other kind. The core alone is run here: 16-bit pictures,
  blends and streaming need what it computes.
- float: both float32 (N, 3, H, W) in the card's `value_range`; H and W are multiples of its `size_multiple`.
"""

from dataclasses import dataclass
from pathlib import Path

from zorse.errors import WeightsError
from zorse.model.card import ModelCard, read_card
from zorse.model.onnx_file import OnnxFile, Value, parse_onnx

INPUT_NAME = "image"
OUTPUT_NAME = "translation"

CORE_INPUT = "image_float"
"""What the core of a uint8 file takes: float32 (N, 3, H', W') in the card's range; H' and W' are whole multiples of the
card's `size_multiple`."""
CORE_OUTPUT = "translation_float"
"""What it gives: the same shape and range."""

IO_KEY = "zorse.io"
"""Key in a model file's metadata: which of the two kinds it is, "uint8" or "float"."""


@dataclass(frozen=True)
class Network:
    """What a model file holds, cut down to what computes with float32 (N, 3, H, W)."""

    card: ModelCard
    content: bytes
    """An ONNX model."""
    input: str
    output: str


def read_network(file: Path) -> Network:
    """Reads a model file of either kind.

    Raises:
        WeightsError: missing, damaged, not a Zorse model.
    """
    whole = read_onnx(file)
    card = read_card(whole.metadata, _described(file, whole))
    if _holds(whole, INPUT_NAME, OUTPUT_NAME, "float32"):
        return Network(card, whole.content, INPUT_NAME, OUTPUT_NAME)
    if _holds(whole, INPUT_NAME, OUTPUT_NAME, "uint8") and {CORE_INPUT, CORE_OUTPUT} <= whole.tensors:
        channels = card.architecture.in_channels, card.architecture.out_channels
        source, result = (
            Value(name, "float32", ("batch", count, "height", "width"))
            for name, count in zip((CORE_INPUT, CORE_OUTPUT), channels, strict=True)
        )
        return Network(card, whole.between(source, result), CORE_INPUT, CORE_OUTPUT)
    raise WeightsError(
        f"{_described(file, whole)}; Zorse translates with models that have one input {INPUT_NAME!r} and one output "
        f"{OUTPUT_NAME!r}, both uint8 (N, H, W, 3) around tensors named {CORE_INPUT!r} and {CORE_OUTPUT!r}, or both "
        "float32 (N, 3, H, W). 'zorse export' writes them."
    )


def read_onnx(file: Path) -> OnnxFile:
    """Reads an ONNX file, whatever it computes, without opening a session.

    Raises:
        WeightsError: missing, damaged, not an ONNX file.
    """
    content = model_bytes(file)
    try:
        return parse_onnx(content)
    except ValueError as error:
        raise WeightsError(f"{file} is damaged or not an ONNX model: {error}. Get or export it again.") from error


def _described(file: Path, whole: OnnxFile) -> str:
    inputs, outputs = (", ".join(map(str, values)) or "none" for values in (whole.inputs, whole.outputs))
    return f"{file} (inputs: {inputs}; outputs: {outputs})"


def _holds(whole: OnnxFile, source: str, result: str, element: str) -> bool:
    """Whether the graph has just this input and this output, of these numbers and four dimensions."""
    values = [(value.name, value.element, len(value.shape)) for value in (*whole.inputs, *whole.outputs)]
    return values == [(source, element, 4), (result, element, 4)] and len(whole.inputs) == 1


def model_bytes(file: Path) -> bytes:
    """The content of a model file.

    Raises:
        WeightsError: missing, empty, or not readable.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(
            f"There is no model file {file}. Check the path; 'zorse models list' shows the shipped models."
        ) from error
    except OSError as error:
        raise WeightsError(
            f"The model file {file} cannot be read ({error.strerror or error}). Check its permissions."
        ) from error
    if not content:
        raise WeightsError(
            f"The model file {file} is empty (0 bytes). A copy or download that broke off? Get it again."
        )
    return content
