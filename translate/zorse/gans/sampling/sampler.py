"""Sampler: a generator with its card, ready to draw samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zorse.errors import ConfigError
from zorse.gans.card import SampleCard
from zorse.gans.networks.latents import draw_latents, interpolated
from zorse.gans.safetensors_file import load_sample_generator
from zorse.gans.sampling.onnx_network import load_onnx_sample_generator

BATCH = 256
"""Samples that are drawn at a time."""


@dataclass(frozen=True)
class Sampler:
    """Draws samples. What it draws depends on the latents, and those on the seed, and on nothing else."""

    network: nn.Module
    """In evaluation mode."""
    card: SampleCard

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a file that 'zorse train' or, if it ends with .onnx, 'zorse export' wrote.

        Raises:
            WeightsError: see `load_sample_generator`.
        """
        if path.suffix.lower() == ".onnx":
            return cls(*load_onnx_sample_generator(path))
        return cls(*load_sample_generator(path))

    def latents(self, n: int, labels: Sequence[int] | None = None, seed: int = 0) -> Tensor:
        """N latent vectors (N, latent.size).

        Args:
            n: how many.
            labels: of each; drawn at random where the generator takes labels and none are given.
            seed: of the chance.

        Raises:
            ConfigError: labels for a generator that takes none, or such as there are not.
        """
        if labels is not None and self.card.latent.classes == 0:
            raise ConfigError(
                f"The generator {self.card.name!r} ({self.card.method}) takes no labels: leave --label out, or take "
                "one that was trained with labels (cgan, cdcgan, acgan)."
            )
        given = None if labels is None else torch.tensor(list(labels))
        return draw_latents(self.card.latent, n, given, chance=torch.Generator().manual_seed(seed))

    def draw(self, latents: Tensor) -> Tensor:
        """(N, latent.size) -> samples (N, *shape), on the CPU."""
        device = next((weights.device for weights in self.network.parameters()), latents.device)
        with torch.inference_mode():
            return torch.cat([self.network(part.to(device)).float().cpu() for part in torch.split(latents, BATCH)])

    def between(self, first: Tensor, last: Tensor, steps: int, *, spherical: bool) -> Tensor:
        """Latents (steps, latent.size) from one to the other, both included; labels and codes go over linearly."""
        latent = self.card.latent
        shares = [float(share) for share in np.linspace(0, 1, steps)]
        noise = interpolated(first[: latent.noise], last[: latent.noise], shares, spherical=spherical)
        told = interpolated(first[latent.noise :], last[latent.noise :], shares, spherical=False)
        return torch.cat([noise, told], dim=1)


def as_pixels(samples: Tensor) -> NDArray[np.uint8]:
    """Pictures (N, C, H, W) in [-1, 1] -> (N, H, W', 3) uint8; grey becomes three equal channels.

    Pairs, which have 2 or 6 channels, come side by side.
    """
    if samples.shape[1] in (2, 6):
        samples = torch.cat(samples.chunk(2, dim=1), dim=3)
    pixels = torch.clamp(torch.round((samples.float() + 1) * 127.5), 0, 255).to(torch.uint8)
    return pixels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().cpu().numpy()
