"""InfoGAN: codes that can be read off the samples (Chen et al. 2016, sections 4 to 6, equations 5 and 6).

min_{G,Q} max_D V(D, G) - lambda L_I(G, Q)
L_I(G, Q) = E[log Q(c | G(z, c))] + H(c)  <=  I(c; G(z, c))

Nobody labels anything. G is asked to make samples from which the network Q, on top of D's features, can tell the code
that they were drawn from; L_I is a lower bound, in nats, of what samples and codes have in common.

What a discrete code says most easily may well be thickness, or slant. With `invariance`, Q reads it off samples T(x)
that were turned, slanted, scaled and shifted at random: still a bound, as I(c; T(x)) <= I(c; x), but only of what
survives that, such as which digit it is (Ji et al. 2019, Invariant Information Clustering, section 3.1).

G is asked before its samples look like anything, and what a code has once come to mean, it keeps. With
`lambda_clusters`, Q also learns from real pictures which kinds there are, still without a label: it ascends I(k; k'),
the information that its codes k and k' of a picture moved in two ways have in common (Ji et al., equation 3).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import (
    DCGANGeneratorConfig,
    DCGANJudgeConfig,
    LatentConfig,
    SampleGeneratorConfig,
    SampleJudgeConfig,
)
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.affine import random_affine
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge, head
from zorse.gans.networks.latents import Latents, take_apart
from zorse.gans.recipes.game import AdamConfig, adam, latents_like, minus_log_d, minus_log_one_minus_d
from zorse.recipes.recipe import StepResult, Update, detached, frozen

MOST_PRECISE = -6.0
"""Least logarithm of the variance of Q's guess of a continuous code."""


class InfoGANConfig(AdamConfig):
    """Settings of InfoGAN; latents and learning rates are those of the paper's appendix C.1 for MNIST."""

    kind: Literal["infogan"] = "infogan"
    generator: SampleGeneratorConfig = DCGANGeneratorConfig(
        latent=LatentConfig(noise=62, categories=(10,), continuous=2), channels=1, size=32
    )
    """Draws the samples."""
    discriminator: SampleJudgeConfig = DCGANJudgeConfig()
    """Tells samples from real ones."""
    lambda_discrete: NonNegativeFloat = 1.0
    """Weight of the bound for discrete codes."""
    lambda_continuous: NonNegativeFloat = 0.1
    """Weight of the bound for continuous codes."""
    invariance: float = Field(default=0.0, ge=0, le=1)
    """How much pictures are turned, slanted, scaled and shifted before discrete codes are read; 0, as in the paper: not
    at all; 1: by up to 20 degrees, and so on (`networks.affine`)."""
    lambda_clusters: NonNegativeFloat = 0.0
    """Weight of what Q's discrete codes of a real picture and of the same one, moved, have in common; 0, as in the
    paper: Q sees no real pictures."""
    learning_rate: PositiveFloat = 1e-3
    """Learning rate of the generator."""

    @model_validator(mode="after")
    def _has_codes(self) -> Self:
        if not self.generator.latent.categories and not self.generator.latent.continuous:
            raise ValueError("InfoGAN needs codes: set generator.latent.categories or generator.latent.continuous")
        if self.invariance and len(self.generator.shape) == 1:
            raise ValueError("invariance is for pictures: leave it out for points")
        if self.lambda_clusters and not self.invariance:
            raise ValueError("lambda_clusters compares moved pictures: set invariance, too")
        return self


class InfoGAN:
    """`G` draws samples from noise and codes, `D` judges them, `Q`, on D's features, guesses the codes."""

    def __init__(self, config: InfoGANConfig) -> None:
        self.config = config
        latent = config.generator.latent
        self.G = build_sample_generator(config.generator)
        self.D = build_judge(config.discriminator, config.generator.shape)
        self.Q = head(self.D, sum(latent.categories) + 2 * latent.continuous)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "D": self.D, "Q": self.Q}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": adam(config, self.G, generator=True),
            "D": adam(config, self.D, self.Q, generator=False),
        }

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator and Q, then generator; as in the authors' code, both ascend the bound."""
        real, latent = batch["x"], self.config.generator.latent

        # Update discriminator and Q.
        z = latents_like(latent, real)
        fake = self.G(z).detach()
        features = self.D.features(fake)
        judged_real, judged_fake = self.D(real), self.D.head(features)
        loss_D = minus_log_d(judged_real) + minus_log_one_minus_d(judged_fake)
        information = self._weighed(self.bounds(features, self._invariant(fake, features), z))
        if self.config.lambda_clusters > 0:
            information = information + self.config.lambda_clusters * self._clusters(real)
        update(loss_D - information, self.optimizers["D"])

        # Update the generator.
        with frozen(self.D, self.Q):
            z = latents_like(latent, real)
            fake = self.G(z)
            features = self.D.features(fake)
            loss_G = minus_log_d(self.D.head(features))
            bounds = self.bounds(features, self._invariant(fake, features), z)
            update(loss_G - self._weighed(bounds), self.optimizers["G"])

        losses = {"G": loss_G, "D": loss_D, "information_discrete": bounds[0], "information_continuous": bounds[1]}
        return detached(losses, {"real": real, "fake": fake}, {"D": (judged_real, judged_fake)})

    def bounds(self, features: Tensor, moved: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """L_I of all discrete and of all continuous codes, in nats: scalars.

        Args:
            features: (N, n) of D, of the samples drawn from `z`; continuous codes are read off them.
            moved: (N, n), of the same samples as discrete codes are read off them.
            z: (N, latent.size).
        """
        latent, drawn = self.config.generator.latent, take_apart(self.config.generator.latent, z)
        *discrete, _, _ = self._guesses(moved)
        *_, means, log_variances = self._guesses(features)
        information = z.new_zeros(())
        for guess, code, values in zip(discrete, drawn.categories, latent.categories, strict=True):
            information = information + (guess.log_softmax(1) * code).sum(1).mean() + math.log(values)
        return information, _continuous(means, log_variances, drawn)

    def _guesses(self, features: Tensor) -> Sequence[Tensor]:
        """Of Q: logits of each discrete code, then means and logarithms of variances of the continuous ones."""
        latent = self.config.generator.latent
        guesses = self.Q(features).to(torch.promote_types(features.dtype, torch.float32))
        return torch.split(guesses, [*latent.categories, latent.continuous, latent.continuous], 1)

    def _invariant(self, samples: Tensor, features: Tensor) -> Tensor:
        """Features (N, n) of D, of samples that were moved at random."""
        if self.config.invariance == 0:
            return features
        moved: Tensor = self.D.features(random_affine(samples, self.config.invariance))
        return moved

    def _clusters(self, real: Tensor) -> Tensor:
        """I(k; k') of Q's codes k and k' of each real picture, moved in two ways: a scalar, in nats."""
        once, again = (self._guesses(self.D.features(random_affine(real, self.config.invariance))) for _ in range(2))
        n_codes = len(self.config.generator.latent.categories)
        information = real.new_zeros(())
        for k, other in zip(once[:n_codes], again[:n_codes], strict=True):
            information = information + _mutual_information(k.softmax(1), other.softmax(1))
        return information

    def _weighed(self, bounds: tuple[Tensor, Tensor]) -> Tensor:
        return self.config.lambda_discrete * bounds[0] + self.config.lambda_continuous * bounds[1]

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """As many samples as the batch has."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"]))}

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


def _mutual_information(p: Tensor, q: Tensor) -> Tensor:
    """I(k; k') = sum of P log(P / (P_k P_k')) with P = E[p q'], made symmetric (Ji et al. 2019, equation 3).

    Args:
        p: (N, n) probabilities of k for each sample.
        q: (N, n) of k'.
    """
    joint = p.T @ q / len(p)
    joint = ((joint + joint.T) / 2).clamp(min=torch.finfo(joint.dtype).tiny)
    return (joint * (joint / (joint.sum(0, keepdim=True) * joint.sum(1, keepdim=True))).log()).sum()


def _continuous(means: Tensor, log_variances: Tensor, drawn: Latents) -> Tensor:
    """E[log N(c; mean, variance)] + H(c), where c is uniform on [-1, 1] and has entropy log 2."""
    log_variances = log_variances.clamp(min=MOST_PRECISE)
    squares = (drawn.continuous - means) ** 2 / log_variances.exp()
    log_density = -0.5 * (squares + log_variances + math.log(2 * math.pi))
    return (log_density + math.log(2)).sum(1).mean()
