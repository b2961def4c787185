"""What an exported file says of how it was compared with the network that it was made from."""

from typing import Literal

from pydantic import ValidationError

from zorse.errors import WeightsError
from zorse.model.architecture import Frozen

PARITY_KEY = "zorse.parity"
"""Key of the report's JSON in the `metadata_props` of ONNX files."""
LICENCE_KEY, SHA256_KEY, VERSION_KEY = "zorse.licence", "zorse.weights_sha256", "zorse.version"
"""Keys of single facts: the licence and the sha256 of the weights, as in the card, and the exporting Zorse."""

Io = Literal["uint8", "float"]
"""What a file takes and gives: uint8 (N, H, W, 3) of any size, or float32 (N, 3, H, W) in the card's range."""

ExportPrecision = Literal["fp32", "fp16", "fp16-compute", "int8"]
"""`fp16`: weights stored in 16 bits, computed with in 32. `fp16-compute`: convolutions computed in 16 bits, for GPUs.
`int8`: convolutions computed in 8 bits, for CPUs."""

PictureKind = Literal["drawn", "noise", "real"]


class Bounds(Frozen):
    """How far a file may be from its network."""

    difference: float | None = None
    """Largest absolute difference, in units of the value range [-1, 1]; one level of 8 bits is 7.8e-3."""
    levels: int | None = None
    """Largest difference of 8-bit pictures, in levels."""
    psnr: float | None = None
    """Least peak signal-to-noise ratio, in dB, from the network with its weights in 32 bits."""


class Compared(Frozen):
    """Pictures with which a file was compared."""

    pictures: PictureKind
    """What they show."""
    batch: int
    """Pictures at a time."""
    height: int
    """Pixels."""
    width: int
    """Likewise."""


class KidChange(Frozen):
    """What a precision did to the distance from real pictures."""

    name: str
    """Of the figure, as `Metric.name`."""
    protocol_id: str
    """As `Metric.protocol_id`."""
    fp32: float
    """KID x 1000 of the file in 32 bits."""
    here: float
    """That of this file."""
    change: float
    """Positive where the file is worse."""
    interval: tuple[float, float]
    """95 % confidence interval of the change, by paired bootstrap."""


class ParityReport(Frozen):
    """How a file was compared with its network before it was written, and what that showed.

    Figures are rounded coarsely, to the worse side: rounding errors vary with the number of threads, and the same
    weights are to give the same file.
    """

    precision: ExportPrecision
    """Of the file."""
    io: Io
    """Of the file."""
    opset: int
    """Version of ONNX's operators."""
    ir_version: int
    """Version of ONNX's file format."""
    bounds: Bounds
    """All comparisons kept to them."""
    compared: tuple[Compared, ...]
    """All pictures of the comparison."""
    difference: float | None = None
    """The largest of all, rounded up to a power of ten, at least 1e-5; where the bounds name one."""
    psnr: int | None = None
    """The least of all, in whole dB, at most 100; where the bounds name one."""
    calibration: str = ""
    """Of `int8`: with which pictures."""
    kid: tuple[KidChange, ...] = ()
    """Of `int8`: what it did to the distance from real pictures, where that was measured."""


def read_parity(metadata: dict[str, str], file: str) -> ParityReport | None:
    """The report in a file's metadata; None if there is none.

    Raises:
        WeightsError: it cannot be understood.
    """
    if PARITY_KEY not in metadata:
        return None
    try:
        return ParityReport.model_validate_json(metadata[PARITY_KEY])
    except ValidationError as error:
        raise WeightsError(
            f"The parity report in {file} cannot be understood ({error.errors()[0]['msg']}). It was changed, or "
            "written by another version of Zorse: export the model again."
        ) from error


def described_parity(report: ParityReport, value_range: tuple[float, float]) -> dict[str, str]:
    """The report for people, as label -> text. The range is that of the card."""
    values = f"[{value_range[0]:g}, {value_range[1]:g}]"
    takes = {"uint8": "uint8 (N, H, W, 3), any size", "float": f"float32 (N, 3, H, W) in {values}"}
    found = [
        f"at most {report.difference:.0e} apart on [-1, 1]" if report.difference is not None else "",
        f"at most {report.bounds.levels} of 255 levels" if report.bounds.levels is not None else "",
        f"PSNR at least {report.psnr} dB" if report.psnr is not None else "",
    ]
    kinds = dict.fromkeys(each.pictures for each in report.compared)
    sizes = dict.fromkeys(f"{each.batch} x {each.width}x{each.height}" for each in report.compared)
    lines = {
        "takes and gives": takes[report.io],
        "precision": report.precision,
        "ONNX": f"opset {report.opset}, IR version {report.ir_version}",
        "beside PyTorch": f"{', '.join(filter(None, found))} ({', '.join(kinds)} pictures of {', '.join(sizes)})",
        "calibrated": report.calibration,
    }
    kid = {f"{each.name} in {report.precision}": described_change(each) for each in report.kid}
    if report.precision == "int8" and not kid:
        kid = {"KID in int8": "not measured"}
    return {label: text for label, text in (lines | kid).items() if text}


def described_change(kid: KidChange) -> str:
    """In one line."""
    low, high = kid.interval
    return f"{kid.here:.3g}, {kid.change:+.2g} ({low:+.2g} to {high:+.2g}) from the {kid.fp32:.3g} in fp32"
