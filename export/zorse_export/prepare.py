"""Preparing a copy of a network for export: how it works at test time, fused normalisation, rounded weights."""

import copy
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zorse.errors import ConfigError, ExportError
from zorse.model.card import ModelCard

NO_DROPOUT = "Exported without the dropout that pix2pix keeps active at test time: a picture always gives one result."
FIXED_DROPOUT = (
    "Exported with the dropout that pix2pix keeps active at test time, in one fixed pattern: a picture always gives "
    "one result."
)


def at_test(
    network: nn.Module, card: ModelCard, norm: Literal["picture", "running"] | None = None, dropout: bool | None = None
) -> ModelCard:
    """The card of a file in which the network works as it is chosen here.

    Args:
        network: of the card's architecture.
        card: says how the network was meant to work.
        norm: statistics of BatchNorm: each picture's, or the running averages of the training; None: as the card says.
        dropout: whether dropout stays active, in a fixed pattern; None: no.

    Raises:
        ConfigError: the network has no such layers.
    """
    kinds = {type(module) for module in network.modules()}
    if norm is not None and nn.BatchNorm2d not in kinds:
        raise ConfigError(
            f"The network of {card.name!r} has no BatchNorm whose statistics could be chosen; leave --norm-at-test out."
        )
    if dropout and nn.Dropout not in kinds:
        raise ConfigError(f"The network of {card.name!r} has no dropout; leave --dropout-at-test out.")
    note = FIXED_DROPOUT if dropout else NO_DROPOUT if card.dropout_at_test else ""
    return card.model_copy(
        update={
            "norm_at_test": norm or card.norm_at_test,
            "dropout_at_test": bool(dropout),
            "notes": with_note(card.notes, note, instead_of=(NO_DROPOUT, FIXED_DROPOUT)) if note else card.notes,
        }
    )


def with_note(notes: str, note: str, instead_of: Iterable[str]) -> str:
    """A card's notes with one more, which takes the place of what an earlier export has said of the same thing."""
    for outdated in instead_of:
        notes = notes.replace(outdated, "")
    return re.sub(" {2,}", " ", f"{notes} {note}").strip()


class FixedDropout(nn.Module):
    """Dropout whose pattern depends on channel, row and column only, and is the same for each picture of a batch.

    A graph that draws random numbers gives other pictures with each program that runs it, and nothing to compare. Here
    whole numbers are scrambled instead, which all programs compute alike: squares modulo a prime.
    """

    PRIME = 2**31 - 1
    STEPS = (1_500_450_271, 1_299_709_003, 982_451_653, 472_882_027)
    """From one layer, channel, row and column to the next."""

    def __init__(self, probability: float, layer: int) -> None:
        super().__init__()
        self.probability = probability
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        channels, rows, columns = (torch.arange(size, device=x.device) for size in x.shape[1:])
        of_layer, of_channel, of_row, of_column = self.STEPS
        number = channels[:, None, None] * of_channel + rows[:, None] * of_row + columns * of_column
        number = (number + (self.layer + 1) * of_layer) % self.PRIME
        for _ in range(3):
            number = (number * number + of_layer) % self.PRIME
        return torch.where(number < int(self.probability * self.PRIME), 0.0, x / (1 - self.probability))


def fix_dropout(network: nn.Module) -> None:
    """Replaces every Dropout, in place, by one with a fixed pattern; each layer has its own."""
    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Dropout)]
    for number, (name, module) in enumerate(layers):
        network.set_submodule(name, FixedDropout(module.p, number))


def fuse_batch_norms(network: nn.Module) -> nn.Module:
    """A copy in which each BatchNorm with running statistics is part of the convolution before it.

    ONNX exporters and runtimes do the same. Done here, the fused weights are the ones that are rounded to 16 bits.
    """
    network = copy.deepcopy(network)
    sequences = [module for module in network.modules() if isinstance(module, nn.Sequential)]
    for sequence in sequences:
        for (position, layer), (after, norm) in pairwise(enumerate(sequence)):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                sequence[position] = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
                sequence[after] = nn.Identity()
    return network


def round_to_half(network: nn.Module) -> None:
    """Rounds every parameter, in place, to the nearest value that 16 bits can hold.

    Raises:
        ExportError: a value is beyond their range.
    """
    for name, parameter in network.named_parameters():
        half = parameter.half()
        if not torch.isfinite(half).all():
            raise ExportError(
                f"The weights {name} reach {float(parameter.abs().max()):g}; 16 bits hold at most 65504. Export with "
                "--precision fp32."
            )
        parameter.copy_(half)
