"""Generators that draw from noise as ONNX files: latents and labels in, samples out, checked before writing."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from zorse import __version__
from zorse.backends.torch.graph import IR_VERSION, OPSET, GraphInput, GraphOutput, trace
from zorse.backends.torch.safetensors_file import stored_weights, weights_sha256, write_model_file
from zorse.errors import ExportError
from zorse.files.names import plain_name
from zorse.gans.architecture import LatentConfig
from zorse.gans.card import SampleCard
from zorse.gans.networks.growing import grown
from zorse.gans.networks.latents import draw_latents, take_apart
from zorse.gans.onnx_model import LABEL, LATENT, SAMPLE, SampleModel, latent_width
from zorse.model.architecture import Frozen
from zorse.model.card import SAMPLE_CARD_KEY
from zorse.model.onnx_file import parse_onnx
from zorse.model.parity import LICENCE_KEY, PARITY_KEY, SHA256_KEY, VERSION_KEY
from zorse.training.files import Checkpoint, RunFolder, draws_samples, names_a_folder
from zorse_export.graph import check, set_metadata
from zorse_export.halves import store_as_half
from zorse_export.parity import rounded_up
from zorse_export.prepare import fuse_batch_norms, round_to_half

SamplePrecision = Literal["fp32", "fp16"]
"""Of the weights in the file; ONNX Runtime computes in 32 bits with both."""

TOLERANCE: dict[SamplePrecision, float] = {"fp32": 1e-4, "fp16": 2e-2}
"""Largest difference allowed, relative to the largest value of a sample where that is above 1."""
COMPARED = (1, 2, 33)
"""Samples at a time that are compared."""


class SampleParity(Frozen):
    """How a file was compared with its network, as it is stored in it; see `zorse.model.parity.ParityReport`."""

    opset: int
    ir_version: int
    tolerance: float
    """All differences are at most this."""
    compared: tuple[int, ...]
    """Samples at a time."""
    difference: float
    """The largest of all, rounded up to a power of ten, at least 1e-5."""


class SampleExportReport(Frozen):
    """What was written."""

    file: Path
    card: SampleCard
    inputs: tuple[str, ...]
    """Name and shape of each."""
    output: str
    opset: int
    compared: tuple[int, ...]
    """Samples at a time."""
    difference: float
    """The largest of all."""
    size: int
    sha256: str


class _Labelled(nn.Module):
    """The generator with its labels as numbers of their own."""

    table: Tensor

    def __init__(self, generator: nn.Module, latent: LatentConfig) -> None:
        super().__init__()
        self.generator, self.noise = generator, latent.noise
        # Looked up, so that ONNX Runtime refuses a label that there is not.
        self.register_buffer("table", torch.eye(latent.classes))

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """(N, L) and (N,) int64 -> samples."""
        told = self.table[label]
        samples: Tensor = self.generator(torch.cat([latent[:, : self.noise], told, latent[:, self.noise :]], dim=1))
        return samples


def find_sample_generator(source: Path, checkpoint: Checkpoint = "last") -> Path | None:
    """The file of a generator of samples; None where `source` is something else.

    Args:
        source: the folder of a run, or a .safetensors file.
        checkpoint: which one of a run.

    Raises:
        WeightsError: a run of a baseline without generator.
        ConfigError: a run whose settings cannot be read.
    """
    if names_a_folder(source):
        settings = RunFolder(source).config
        is_baseline = settings.is_file() and draws_samples(settings)
        return RunFolder(source).generator_files(checkpoint)[0] if is_baseline else None
    if source.suffix.lower() != ".safetensors":
        return None
    try:
        with safe_open(source, framework="pt") as file:
            return source if SAMPLE_CARD_KEY in (file.metadata() or {}) else None
    except (OSError, SafetensorError):  # Who loads it says what is wrong.
        return None


def sample_target(source: Path, card: SampleCard) -> Path:
    """The generator's name with .onnx, in the run folder or beside the file."""
    return (source if names_a_folder(source) else source.parent) / f"{plain_name(card.name, 'generator')}.onnx"


def export_samples(
    network: nn.Module, card: SampleCard, path: Path, precision: SamplePrecision = "fp32"
) -> SampleExportReport:
    """Writes a generator of samples as one ONNX file with its card, after comparing it with PyTorch.

    See `zorse.gans.onnx_model` for what the file takes and gives. The same weights give the same bytes.

    Args:
        network: of the card's architecture, on the CPU, in evaluation mode.
        card: goes into the file.
        path: of the .onnx file; missing folders are made. It appears complete or not at all.
        precision: fp16 halves the file.

    Raises:
        ExportError: PyTorch cannot express the network as ONNX, or the file computes something else.
        WeightsError: the file cannot be written.
    """
    latent, width = card.latent, latent_width(card.latent)
    inputs = [GraphInput(LATENT, torch.zeros(3, width), {0: "batch"})]
    traced_network = grown(network)
    if precision == "fp16":
        traced_network = fuse_batch_norms(traced_network)
        with torch.no_grad():
            round_to_half(traced_network)
    if latent.classes:
        inputs.append(GraphInput(LABEL, torch.zeros(3, dtype=torch.int64), {0: "batch"}))
        traced_network = _Labelled(traced_network, latent).eval()
    with torch.no_grad():
        model = trace(traced_network, inputs, GraphOutput(SAMPLE, {0: "batch"}), card.name).model
    if precision == "fp16":
        store_as_half(model)
    check(model)
    card = card.model_copy(update={"weights_sha256": weights_sha256(stored_weights(network, precision))})
    model.doc_string = f"{card.name}: {card.shows}"
    metadata = {
        SAMPLE_CARD_KEY: card.model_dump_json(),
        LICENCE_KEY: card.licence,
        SHA256_KEY: card.weights_sha256,
        VERSION_KEY: __version__,
    }
    set_metadata(model, metadata)
    tolerance = TOLERANCE[precision]
    difference = _compared(network, card, model.SerializeToString(), path, tolerance)
    set_metadata(model, metadata | {PARITY_KEY: _parity(difference, tolerance).model_dump_json()})
    content: bytes = model.SerializeToString(deterministic=True)
    write_model_file(path, content)
    return SampleExportReport(
        file=path,
        card=card,
        inputs=(f"latent float32 (N, {width})", *(("label int64 (N,)",) if latent.classes else ())),
        output=f"sample float32 (N, {', '.join(map(str, card.shape))})",
        opset=OPSET,
        compared=COMPARED,
        difference=difference,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _parity(difference: float, tolerance: float) -> SampleParity:
    return SampleParity(
        opset=OPSET,
        ir_version=IR_VERSION,
        tolerance=tolerance,
        compared=COMPARED,
        difference=rounded_up(difference),
    )


def _compared(network: nn.Module, card: SampleCard, content: bytes, path: Path, tolerance: float) -> float:
    """The largest difference from PyTorch.

    Raises:
        ExportError: it is too large, or ONNX Runtime does not take the file.
    """
    model, largest = SampleModel(path, parse_onnx(content)), 0.0
    for n in COMPARED:
        vectors = draw_latents(card.latent, n, chance=torch.Generator().manual_seed(n))
        parts = take_apart(card.latent, vectors)
        latents = torch.cat([parts.noise, *parts.categories, parts.continuous], dim=1).numpy()
        found = model.draw(latents, parts.labels.argmax(1).numpy() if card.latent.classes else None)
        with torch.inference_mode():
            expected = network(vectors).numpy()
        scale = max(1.0, float(np.abs(expected).max()))
        difference = float(np.abs(found - expected).max()) / scale if found.shape == expected.shape else float("inf")
        if not difference <= tolerance:
            raise ExportError(
                f"The ONNX file of {card.name!r} does not compute what the network computes: {n} samples differ by up "
                f"to {difference:.2g}, more than the {tolerance:g} allowed. No file was written. Please report this."
            )
        largest = max(largest, difference)
    return largest
