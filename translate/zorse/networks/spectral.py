"""Spectral normalisation: convolutions and linear layers that stretch nothing by more than a factor of one."""

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

FIRST_ITERATIONS = 15
"""Of the power method on a fresh weight; later one per pass is enough, since weights change slowly."""


class SpectralNorm(nn.Module):
    """A layer's weight, as a matrix with a row for each output channel, divided by its largest singular value.

    Computes what `torch.nn.utils.parametrizations.spectral_norm` computes, with buffers of the same names. That one
    overwrites its estimate in place; once compiled, a second pass before the backward of the first then spoils what
    the first has kept for it. Here each estimate is a new tensor.

    Source: Miyato et al. 2018, Spectral Normalization for Generative Adversarial Networks.
    """

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        rows, columns = weight.flatten(1).shape
        self.register_buffer("_u", F.normalize(weight.new_empty(rows).normal_(), dim=0))
        self.register_buffer("_v", F.normalize(weight.new_empty(columns).normal_(), dim=0))
        for _ in range(FIRST_ITERATIONS):
            self._improve(weight.flatten(1))

    @torch.no_grad()
    def _improve(self, matrix: Tensor) -> None:
        """One step of the power method towards the left and right singular vectors."""
        self._u = F.normalize(torch.mv(matrix, self._v), dim=0)
        self._v = F.normalize(torch.mv(matrix.T, self._u), dim=0)

    def forward(self, weight: Tensor) -> Tensor:
        """(out, in, height, width), or (out, in) of a linear layer, -> the same shape."""
        matrix = weight.flatten(1)
        # With the 8 significant bits of bf16 the estimate, and with it all logits, would be off by half a per cent.
        with torch.autocast(weight.device.type, enabled=False):
            if self.training:
                self._improve(matrix)
            return weight / torch.vdot(self._u, torch.mv(matrix, self._v))


Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def spectral_norm(layer: Layer) -> Layer:
    """The same layer, spectrally normalised from now on."""
    register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return layer
