"""VAE and beta-VAE: no game, a bound on the likelihood (Kingma and Welling 2014, section 2.3; Higgins et al. 2017).

-ELBO = E[-log p(x | z)] + beta KL(q(z | x) || N(0, I)),    q(z | x) = N(mu(x), diag sigma(x)^2)
KL = -1/2 sum over j of (1 + log sigma_j^2 - mu_j^2 - sigma_j^2)

The point of comparison for the games: it covers all modes and trains calmly, but what it is unsure of, it blurs.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from zorse.gans.architecture import MLPGeneratorConfig, MLPJudgeConfig, SampleGeneratorConfig, SampleJudgeConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge, head
from zorse.gans.recipes.game import latents_like
from zorse.model.architecture import Frozen
from zorse.recipes.recipe import StepResult, Update, detached


class VAEConfig(Frozen):
    """Settings of the VAE."""

    kind: Literal["vae"] = "vae"
    generator: SampleGeneratorConfig = MLPGeneratorConfig()
    """Of the decoder; its latents are normal noise alone."""
    discriminator: SampleJudgeConfig = MLPJudgeConfig()
    """Of the encoder."""
    beta: NonNegativeFloat = 1.0
    """1 is the VAE; more presses for codes that mean one thing each."""
    sigma: PositiveFloat = 0.3
    """Standard deviation of p(x | z), a Gaussian around what the decoder draws, in units of the samples."""
    learning_rate: PositiveFloat = 1e-3
    """Learning rate of Adam, for both networks."""

    @model_validator(mode="after")
    def _plain_latents(self) -> Self:
        latent = self.generator.latent
        if latent.size != latent.noise or latent.distribution != "normal":
            raise ValueError("a VAE draws from normal noise: leave classes, codes and the uniform distribution out")
        return self


class VAE:
    """`E` says where a sample lies among the latents, the decoder `G` draws what lies there."""

    def __init__(self, config: VAEConfig) -> None:
        self.config = config
        self.G = build_sample_generator(config.generator)
        self.E = Encoder(config)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "E": self.E}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": Adam([*self.G.parameters(), *self.E.parameters()], lr=config.learning_rate)
        }

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: both networks descend -ELBO together."""
        config, real = self.config, batch["x"]
        mu, log_variance = self.E(real)
        z = mu + torch.exp(0.5 * log_variance) * torch.randn_like(mu)
        rec = self.G(z)
        reconstruction = ((rec - real) ** 2).flatten(1).sum(1).mean() / (2 * config.sigma**2)
        divergence = -0.5 * (1 + log_variance - mu**2 - log_variance.exp()).sum(1).mean()
        loss = reconstruction + config.beta * divergence
        update(loss, self.optimizers["G"])

        with torch.no_grad():
            fake = self.G(latents_like(config.generator.latent, real))
        losses = {"reconstruction": reconstruction, "divergence": divergence}
        return detached(losses, {"real": real, "fake": fake, "rec": rec})

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """As many samples as the batch has."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"]))}

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


class Encoder(nn.Module):
    """The trunk of a discriminator, with a head for the mean and one for the logarithm of the variance."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.judge = build_judge(config.discriminator, config.generator.shape)
        self.mean = head(self.judge, config.generator.latent.noise)
        self.log_variance = head(self.judge, config.generator.latent.noise)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """(N, ...) -> mean and logarithm of the variance of each latent number, (N, noise) both."""
        features = self.judge.features(samples)
        return self.mean(features), self.log_variance(features)
