"""The export, step by step: prepare the network, make the graph, compare, and only then write the file."""

import hashlib
from pathlib import Path

import torch
from torch import nn

from zorse.card import ModelCard
from zorse.errors import ExportError
from zorse.generator_file import Precision, stored_weights, weights_sha256, write_model_file
from zorse.inference import as_tested
from zorse_export.graph import onnx_model
from zorse_export.parity import ParityReport, compare
from zorse_export.prepare import fuse_batch_norms, round_to_half

LARGEST_FILE = 2**31 - 2**20
"""Bytes of weights in one ONNX file: protobuf, its format, ends at 2 GiB."""

NO_DROPOUT = "Exported without the dropout that pix2pix keeps active at test time: a picture always gives one result."


def export_onnx(network: nn.Module, card: ModelCard, path: Path, precision: Precision = "fp32") -> ParityReport:
    """Writes a generator as one ONNX file with its card, after comparing it with PyTorch at three sizes.

    The file has one input `image` and one output `translation`, float32 (N, C, H, W) in [-1, 1] with any N and with H
    and W that are multiples of `card.size_multiple`. Dropout is switched off in it, also where the card keeps it
    active; the card in the file then says so.

    Args:
        network: of the card's architecture; it is left as it is.
        card: goes into the file's `metadata_props`, with the sha256 of the network's weights.
        path: of the .onnx file; missing folders are made. It appears complete or not at all.
        precision: "fp16" stores the weights in 16 bits, which halves the file; the network still computes in 32 and is
            compared with the PyTorch network of the same rounded weights. The report says how far that is from fp32.

    Returns:
        What was compared, and how large the differences are.

    Raises:
        ExportError: PyTorch cannot express the network as ONNX, or the file computes something else by more than 1e-4.
        WeightsError: the file cannot be written.
    """
    card = _deterministic(card, network)
    original = as_tested(network, card).cpu().float()
    _check_size(original, card)
    with torch.no_grad():
        rounded = fuse_batch_norms(original)
        if precision == "fp16":
            round_to_half(rounded)
        model = onnx_model(rounded, card, precision)
    content: bytes = model.SerializeToString(deterministic=True)
    # At fp32 the judge is the network as it came; fusing BatchNorm is part of what is judged.
    judge = original if precision == "fp32" else rounded
    checks = compare(content, judge, original, card)
    write_model_file(path, content)
    return ParityReport(
        file=path,
        card=card,
        precision=precision,
        checks=checks,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _deterministic(card: ModelCard, network: nn.Module) -> ModelCard:
    """The card of the exported file: no dropout, and the sha256 of these weights."""
    changes: dict[str, object] = {"weights_sha256": weights_sha256(stored_weights(network, "fp32"))}
    if card.dropout_at_test:
        changes |= {"dropout_at_test": False, "notes": f"{card.notes} {NO_DROPOUT}".strip()}
    return card.model_copy(update=changes)


def _check_size(network: nn.Module, card: ModelCard) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if size > LARGEST_FILE:
        raise ExportError(
            f"The weights of {card.name!r} take {size / 1e9:.1f} GB; one ONNX file holds 2 GB. Train a smaller network "
            "(base_channels) to export it."
        )
