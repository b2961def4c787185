"""What the baseline GANs share: settings of Adam, latents for a batch, the losses of the first GAN as functions."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.optim import Adam

from zorse.gans.architecture import LatentConfig
from zorse.gans.networks.latents import draw_latents
from zorse.model.architecture import Frozen
from zorse.recipes.recipe import AdamBeta


class AdamConfig(Frozen):
    """Settings of Adam for both players; the defaults are DCGAN's."""

    learning_rate: PositiveFloat = 2e-4
    """Learning rate of the generator."""
    discriminator_learning_rate: PositiveFloat = 2e-4
    """Learning rate of the discriminator."""
    betas: tuple[AdamBeta, AdamBeta] = (0.5, 0.999)
    """Decay rates of Adam's averages of the gradient and of its square."""


def adam(config: AdamConfig, *networks: nn.Module, generator: bool) -> Adam:
    """Adam over the parameters of these networks, each once."""
    rate = config.learning_rate if generator else config.discriminator_learning_rate
    return Adam(unique_parameters(networks), lr=rate, betas=config.betas)


def unique_parameters(networks: Iterable[nn.Module]) -> list[nn.Parameter]:
    """All parameters of networks that may share layers."""
    return list({id(parameter): parameter for network in networks for parameter in network.parameters()}.values())


def latents_like(config: LatentConfig, real: Tensor, labels: Tensor | None = None) -> Tensor:
    """As many latent vectors as there are real samples, on their device.

    Args:
        config: how they are made up.
        real: (N, ...).
        labels: (N,) int64 for generators that take labels; drawn where none are given.
    """
    return draw_latents(config, len(real), labels, device=real.device)


def minus_log_d(logits: Tensor) -> Tensor:
    """-E[log D(x)] where D = sigmoid(logits): softplus(-logits), which never overflows."""
    return F.softplus(-logits).mean()


def minus_log_one_minus_d(logits: Tensor) -> Tensor:
    """-E[log(1 - D(x))]: softplus(logits)."""
    return F.softplus(logits).mean()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """-E[t log D + (1 - t) log(1 - D)] for targets t in [0, 1]: both of the above in one, for labels in between."""
    return F.binary_cross_entropy_with_logits(logits, targets)


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-E[log P(label | x)], (N, classes) and (N,) int64 -> a scalar, in nats."""
    return F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), labels)
