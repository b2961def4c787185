"""The vectors that generators draw from: how they are made up, drawn, and taken apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zorse.errors import ConfigError
from zorse.gans.architecture import LatentConfig


@dataclass(frozen=True)
class Latents:
    """The parts of a batch of N latent vectors."""

    noise: Tensor
    """(N, noise) float32."""
    labels: Tensor
    """(N, classes) one-hot float32; (N, 0) where the generator takes no labels."""
    categories: tuple[Tensor, ...]
    """(N, values) one-hot float32 for each discrete code."""
    continuous: Tensor
    """(N, continuous) float32 in [-1, 1]."""

    def joined(self) -> Tensor:
        """(N, size) float32: the vectors as the generator takes them."""
        return torch.cat([self.noise, self.labels, *self.categories, self.continuous], dim=1)


def take_apart(config: LatentConfig, vectors: Tensor) -> Latents:
    """(N, size) -> its parts."""
    widths = [config.noise, config.classes, *config.categories, config.continuous]
    noise, labels, *categories, continuous = torch.split(vectors, widths, dim=1)
    return Latents(noise, labels, tuple(categories), continuous)


def draw_latents(
    config: LatentConfig,
    n: int,
    labels: Tensor | None = None,
    *,
    device: torch.device | None = None,
    chance: torch.Generator | None = None,
) -> Tensor:
    """Draw N latent vectors (N, size) float32.

    Args:
        config: how they are made up.
        n: how many.
        labels: (N,) int64; drawn uniformly where the generator takes labels and none are given.
        device: where to; that of `chance`, if both are given.
        chance: the source of chance; PyTorch's own without it.

    Raises:
        ConfigError: a label that there is not.
    """
    noise = torch.empty(n, config.noise, device=device)
    if config.distribution == "normal":
        noise.normal_(generator=chance)
    else:
        noise.uniform_(-1, 1, generator=chance)
    if labels is None:
        labels = _drawn(config.classes, n, device, chance) if config.classes else None
    given = noise.new_zeros(n, 0) if labels is None else one_hot(labels, config.classes)
    categories = tuple(one_hot(_drawn(values, n, device, chance), values) for values in config.categories)
    continuous = torch.empty(n, config.continuous, device=device).uniform_(-1, 1, generator=chance)
    return Latents(noise, given, categories, continuous).joined()


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """(N,) int64 -> (N, classes) float32.

    Raises:
        ConfigError: a label that there is not.
    """
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ConfigError(
            f"Labels go from 0 to {classes - 1} here, but {int(labels.min())} to {int(labels.max())} came. Choose one "
            "of these, or, when training, set the number of classes of the recipe to that of the data."
        )
    return F.one_hot(labels, classes).to(torch.float32)


def interpolated(first: Tensor, last: Tensor, shares: Sequence[float], *, spherical: bool) -> Tensor:
    """What lies between two latent vectors (size,): (len(shares), size).

    Linear: (1 - t) a + t b. It passes near the origin, where normal noise of many dimensions never is; the spherical
    way, sin((1 - t) w) / sin w a + sin(t w) / sin w b with the angle w between a and b, keeps its length.

    Source: White 2016, Sampling Generative Networks, section 2.1.
    """
    t = torch.tensor(shares, dtype=first.dtype, device=first.device)[:, None]
    cosine = F.cosine_similarity(first, last, dim=0).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if not spherical or float(torch.sin(angle)) < 1e-6:
        return (1 - t) * first + t * last
    return (torch.sin((1 - t) * angle) * first + torch.sin(t * angle) * last) / torch.sin(angle)


def _drawn(values: int, n: int, device: torch.device | None, chance: torch.Generator | None) -> Tensor:
    return torch.randint(values, (n,), device=device, generator=chance)
