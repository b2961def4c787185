"""Generators that draw from noise as .safetensors files: tensors and their card."""

from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from zorse.backends.torch.safetensors_file import (
    first_difference,
    read_tensors,
    stored_weights,
    weights_sha256,
    write_model_file,
)
from zorse.errors import ChecksumMismatch, IncompatibleWeights
from zorse.gans.card import SampleCard, read_sample_card
from zorse.gans.networks.generators import sample_generator_module
from zorse.model.card import SAMPLE_CARD_KEY


def save_sample_generator(path: Path, network: nn.Module, card: SampleCard) -> SampleCard:
    """Writes a generator and its card to one .safetensors file, which appears complete or not at all.

    Args:
        path: of the file; missing folders are made.
        network: what `card.architecture` describes, on any device.
        card: its `weights_sha256` is filled in here.

    Returns:
        The card as it was written.

    Raises:
        WeightsError: the file cannot be written (a full disk); what stood at `path` before is untouched.
    """
    tensors = stored_weights(network, "fp32")
    card = card.model_copy(update={"weights_sha256": weights_sha256(tensors)})
    write_model_file(path, safetensors.torch.save(tensors, metadata={SAMPLE_CARD_KEY: card.model_dump_json()}))
    return card


def load_sample_generator(path: Path) -> tuple[nn.Module, SampleCard]:
    """Rebuilds the generator that `save_sample_generator` wrote, on the CPU, ready to draw.

    Raises:
        WeightsError: missing, damaged, cut off, not a safetensors file, or a file that holds something else.
        IncompatibleWeights: the tensors are not those of the architecture that the card names.
        ChecksumMismatch: the tensors are not those that the card was written for.
    """
    tensors, metadata = read_tensors(path)
    card = read_sample_card(metadata, str(path))
    with torch.random.fork_rng([]):  # Layers draw random weights before they get their own.
        network = sample_generator_module(card.architecture)
    difference = first_difference(network.state_dict(), tensors)
    if difference is not None:
        raise IncompatibleWeights(
            f"The weights in {path} are not those of the {card.architecture.kind} network that its card describes: "
            f"{difference}. It was changed, or written by another version of Zorse "
            f"({card.zorse_version or 'unknown'}); get it again from its source, or use that version."
        )
    if card.weights_sha256 and weights_sha256(tensors) != card.weights_sha256:
        raise ChecksumMismatch(
            f"The weights in {path} are not those that its card was written for. The file was changed or damaged; get "
            "it again from its source."
        )
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False), card
