"""WGAN: a critic that measures the earth mover's distance (Arjovsky et al. 2017, section 3, algorithm 1).

W(P_r, P_g) = max over f with ||f||_L <= 1 of E[f(x)] - E[f(G(z))],    min_G W(P_r, P_g)

The critic f is held to some Lipschitz constant by clipping its weights to [-c, c]. It needs no sigmoid, may be trained
until it is optimal, and its value goes down as samples get better.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

from zorse.gans.architecture import MLPGeneratorConfig, MLPJudgeConfig, SampleGeneratorConfig, SampleJudgeConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge
from zorse.gans.recipes.game import latents_like, unique_parameters
from zorse.model.architecture import Frozen
from zorse.recipes.recipe import StepResult, Update, detached, frozen


class WGANConfig(Frozen):
    """Settings of WGAN; the defaults are the paper's."""

    kind: Literal["wgan"] = "wgan"
    generator: SampleGeneratorConfig = MLPGeneratorConfig()
    """Draws the samples."""
    discriminator: SampleJudgeConfig = MLPJudgeConfig()
    """The critic: scores samples, real ones high, drawn ones low."""
    n_critic: PositiveInt = 5
    """Steps of the critic for each one of the generator; each takes its part of the batch."""
    clip: PositiveFloat = 0.01
    """c: largest weight of the critic."""
    learning_rate: PositiveFloat = 5e-5
    """Learning rate of RMSprop; with momentum, as in Adam, training was unstable."""


class WGAN:
    """`G` draws samples from noise, the critic `f` measures how far they are from real ones."""

    def __init__(self, config: WGANConfig) -> None:
        self.config = config
        self.G = build_sample_generator(config.generator)
        self.f = build_judge(config.discriminator, config.generator.shape)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "f": self.f}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            name: RMSprop(unique_parameters([network]), lr=config.learning_rate)
            for name, network in self.networks.items()
        }

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: n_critic steps of the critic, then one of the generator."""
        config, latent = self.config, self.config.generator.latent
        for real in batch["x"].chunk(config.n_critic):
            # Update the critic, then clip it.
            fake = self.G(latents_like(latent, real))
            judged_real, judged_fake = self.f(real), self.f(fake.detach())
            distance = judged_real.mean() - judged_fake.mean()
            update(-distance, self.optimizers["f"])
            self._clip()

        # Update the generator.
        with frozen(self.f):
            fake = self.G(latents_like(latent, real))
            loss_G = -self.f(fake).mean()
            update(loss_G, self.optimizers["G"])

        return detached(
            {"G": loss_G, "distance": distance}, {"real": real, "fake": fake}, {"f": (judged_real, judged_fake)}
        )

    @torch.no_grad()
    def _clip(self) -> None:
        for parameter in self.f.parameters():
            parameter.clamp_(-self.config.clip, self.config.clip)

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """As many samples as the batch has."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"]))}

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""
