"""The export, step by step: prepare the network, make the graph, compare, and only then write the file."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import onnx
import torch
from torch import nn

from zorse import __version__
from zorse.backends.torch.backend import as_tested
from zorse.backends.torch.graph import IR_VERSION, OPSET, generator_graph
from zorse.backends.torch.onnx_weights import RENAMED_KEY
from zorse.backends.torch.safetensors_file import stored_weights, weights_sha256, write_model_file
from zorse.errors import ExportError
from zorse.metrics.pictures import EvaluationSet
from zorse.model.architecture import Frozen
from zorse.model.card import CARD_KEY, ModelCard
from zorse.model.model_file import CORE_INPUT, CORE_OUTPUT, INPUT_NAME, IO_KEY, OUTPUT_NAME
from zorse.model.parity import (
    LICENCE_KEY,
    PARITY_KEY,
    SHA256_KEY,
    VERSION_KEY,
    ExportPrecision,
    Io,
    ParityReport,
)
from zorse_export.blame import first_difference
from zorse_export.eight_bits import quantise
from zorse_export.graph import check, renamed_weights, set_metadata
from zorse_export.halves import as_on_gpus, compute_in_half, store_as_half
from zorse_export.kid import kid_changes
from zorse_export.parity import BOUNDS, Candidate, Judges, ParityCheck, compare, largest, least_psnr
from zorse_export.pictures import RealPictures
from zorse_export.pixels import with_pixels
from zorse_export.prepare import fix_dropout, fuse_batch_norms, round_to_half, with_note
from zorse_export.speed import Speed, compare_speed

LARGEST_FILE = 2**31 - 2**20
"""Bytes of weights in one ONNX file: protobuf, its format, ends at 2 GiB."""

NOTES: dict[ExportPrecision, str] = {
    "fp16-compute": "Convolutions are computed in 16 bits; the figures are of the model in 32.",
    "int8": "Convolutions are computed in 8 bits; the figures are of the model in 32.",
}
"""What the card of a file says of its precision."""


class ExportReport(Frozen):
    """What was written."""

    file: Path
    card: ModelCard
    parity: ParityReport
    """Also in the file."""
    checks: tuple[ParityCheck, ...]
    """All comparisons, with what was measured here."""
    speed: Speed | None = None
    """Of "int8", on this computer."""
    size: int
    """Bytes of the file."""
    sha256: str
    """Of the file."""


def export_onnx(
    network: nn.Module,
    card: ModelCard,
    path: Path,
    precision: ExportPrecision = "fp32",
    io: Io = "uint8",
    *,
    pictures: Sequence[Path] = (),
    evaluation: EvaluationSet | None = None,
    keep_slower: bool = False,
) -> ExportReport:
    """Writes a generator as one ONNX file with its card, after comparing it with PyTorch at seven sizes.

    The same weights and settings give the same bytes.

    Args:
        network: of the card's architecture; it is left as it is.
        card: goes into the file, with the sha256 of the network's weights; says which statistics BatchNorm uses, and
            whether dropout is active, which a file does in one fixed pattern (see `zorse_export.prepare.at_test`).
        path: of the .onnx file; missing folders are made. It appears complete or not at all.
        precision: "fp16" stores the weights in 16 bits, which halves the file, and computes in 32. "fp16-compute" also
            computes convolutions in 16 bits, for GPUs. "int8" computes them in 8 bits, for CPUs.
        io: "uint8": one input `image` and one output `translation`, uint8 (N, H, W, 3) of any N, H, W >= 1. "float":
            the same names, float32 (N, 3, H, W) in `card.value_range`, H and W multiples of `card.size_multiple`.
        pictures: real ones of the source domain. They take part in the comparison, and "int8" is calibrated with them.
        evaluation: for "int8": the report then says what the 8 bits do to KID.
        keep_slower: writes "int8" also where it is not faster on this computer.

    Returns:
        What was compared, and how large the differences are.

    Raises:
        ExportError: PyTorch cannot express the network as ONNX, the file computes something else by more than
            `zorse_export.parity.BOUNDS` allows, or "int8" is not faster.
        ConfigError: "int8" without enough pictures, or pictures for a model that takes others.
        DatasetError: a picture cannot be read.
        WeightsError: the file cannot be written.
    """
    card = _own_card(card, network, precision)
    original = as_tested(network, card).cpu().float()
    if card.dropout_at_test:
        fix_dropout(original)
    _check_size(original, card)
    real = RealPictures.read(pictures, card, calibrate=precision == "int8")
    with torch.no_grad():
        stored = fuse_batch_norms(original)
        if precision in ("fp16", "fp16-compute"):
            round_to_half(stored)
        traced = generator_graph(stored, card, *_names(io))
    core = _at_precision(traced.model, precision, real)
    model = with_pixels(core, card) if io == "uint8" else core
    check(model)
    judged = as_on_gpus(core) if precision == "fp16-compute" else core
    candidate = Candidate(_content(model), _content(core), _content(judged), io, card, precision)
    judges = Judges.of(stored if precision == "fp16" else original, original)
    blame = partial(first_difference, judged, traced.layers, stored, card, precision)
    checks = compare(candidate, judges, real.compared, blame)
    speed = _speed(_content(traced.model), candidate, keep_slower) if precision == "int8" else None
    kid = kid_changes(_content(traced.model), candidate.core, card, evaluation) if evaluation is not None else ()
    parity = ParityReport(
        precision=precision,
        io=io,
        opset=OPSET,
        ir_version=IR_VERSION,
        bounds=BOUNDS[precision],
        compared=tuple(check.compared for check in checks),
        difference=largest(checks, BOUNDS[precision]),
        psnr=least_psnr(checks, BOUNDS[precision]),
        calibration=real.described,
        kid=kid,
    )
    _describe(model, card, parity, renamed_weights(traced.model, stored))
    content = _content(model)
    write_model_file(path, content)
    return ExportReport(
        file=path,
        card=card,
        parity=parity,
        checks=checks,
        speed=speed,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _names(io: Io) -> tuple[str, str]:
    """Of the float graph's input and output."""
    return (CORE_INPUT, CORE_OUTPUT) if io == "uint8" else (INPUT_NAME, OUTPUT_NAME)


def _own_card(card: ModelCard, network: nn.Module, precision: ExportPrecision) -> ModelCard:
    """The card of the exported file."""
    sha256 = weights_sha256(stored_weights(network, "fp32"))
    notes = with_note(card.notes, NOTES.get(precision, ""), instead_of=NOTES.values())
    return card.model_copy(update={"weights_sha256": sha256, "notes": notes})


def _check_size(network: nn.Module, card: ModelCard) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if size > LARGEST_FILE:
        raise ExportError(
            f"The weights of {card.name!r} take {size / 1e9:.1f} GB; one ONNX file holds 2 GB. Train a smaller network "
            "(base_channels) to export it."
        )


def _at_precision(traced: onnx.ModelProto, precision: ExportPrecision, real: RealPictures) -> onnx.ModelProto:
    """A copy of the float graph that stores and computes as it is wanted."""
    if precision == "int8":
        return quantise(traced, real.calibrating)
    core = onnx.ModelProto()
    core.CopyFrom(traced)
    if precision == "fp16-compute":
        compute_in_half(core)
    if precision != "fp32":
        store_as_half(core)
    return core


def _speed(fp32: bytes, candidate: Candidate, keep_slower: bool) -> Speed:
    speed = compare_speed(fp32, candidate.core, candidate.card)
    if not (speed.is_faster or keep_slower):
        side = candidate.card.native_size
        raise ExportError(
            f"In 8 bits {candidate.card.name!r} is not faster on this computer: {speed.here:.0f} ms for {side}x{side} "
            f"pixels, {speed.fp32:.0f} ms in 32 bits. No file was written. Export it with --precision fp16, or write "
            "the file anyway, for another computer, with --keep-slower."
        )
    return speed


def _describe(model: onnx.ModelProto, card: ModelCard, parity: ParityReport, renamed: dict[str, str]) -> None:
    model.doc_string = f"{card.name}: {card.task}"
    metadata = {
        CARD_KEY: card.model_dump_json(),
        IO_KEY: parity.io,
        PARITY_KEY: parity.model_dump_json(),
        LICENCE_KEY: card.licence,
        SHA256_KEY: card.weights_sha256,
        VERSION_KEY: __version__,
        RENAMED_KEY: json.dumps(renamed) if renamed else "",
    }
    set_metadata(model, metadata)


def _content(model: onnx.ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content
