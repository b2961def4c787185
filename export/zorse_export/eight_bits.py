"""Convolutions in 8 bits: static quantisation with values that real pictures take on the way."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader

from zorse.errors import ExportError
from zorse.imaging.tensor import Tensor


def quantise(core: onnx.ModelProto, pictures: Iterable[Tensor]) -> onnx.ModelProto:
    """Convolutions in 8 bits, per output channel; all else, and the last convolution, stays in 32.

    Weights take 7 of the 8 bits (`reduce_range`): on CPUs without VNNI instructions two products of 8 bits are added up
    in 16, and would overflow. So every CPU computes the same.

    Args:
        core: a float graph with one input; it is left as it is.
        pictures: (N, C, H, W) in [-1, 1], as the network will see them.

    Raises:
        ExportError: there is nothing to quantise.
    """
    model = onnx.ModelProto()
    model.CopyFrom(core)
    convolutions = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    if not any(node.op_type == "Conv" for node in convolutions[:-1]):
        raise ExportError(
            f"The network of {core.graph.name!r} has no convolution that could be computed in 8 bits. Export it with "
            "--precision fp16."
        )
    with TemporaryDirectory() as folder, _quiet():
        file = Path(folder) / "quantised.onnx"
        quantize_static(
            model,
            file,
            _Reader(core.graph.input[0].name, pictures),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[convolutions[-1].name],
        )
        quantised = onnx.load(file)
    # The quantiser leaves marks of its own, and guesses at shapes: only its nodes and weights are taken.
    for theirs, ours in (
        (quantised.graph.node, model.graph.node),
        (quantised.graph.initializer, model.graph.initializer),
    ):
        del ours[:]
        ours.extend(theirs)
    return model


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    def __init__(self, name: str, pictures: Iterable[Tensor]) -> None:
        self._feeds = ({name: picture} for picture in pictures)

    def get_next(self) -> dict[str, Tensor] | None:
        return next(self._feeds, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser recommends on the root logger a preparation that these graphs do not need."""
    logger = logging.getLogger()
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
