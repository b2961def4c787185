"""SNGAN: the hinge loss, and a discriminator that stretches nothing (Miyato et al. 2018, section 2, equation 17).

min_D E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))],    min_G -E[D(G(z))]

Every layer of D is divided by its largest singular value, so that D's slope is bounded wherever it is looked at.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import MLPGeneratorConfig, MLPJudgeConfig, SampleGeneratorConfig, SampleJudgeConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge
from zorse.gans.recipes.game import AdamConfig, adam, latents_like
from zorse.recipes.recipe import StepResult, Update, detached, frozen


class SNGANConfig(AdamConfig):
    """Settings of SNGAN; the defaults are setting C of the paper's section 4.1, which is DCGAN's."""

    kind: Literal["sngan"] = "sngan"
    generator: SampleGeneratorConfig = MLPGeneratorConfig()
    """Draws the samples."""
    discriminator: SampleJudgeConfig = MLPJudgeConfig(spectral_norm=True)
    """Tells samples from real ones."""


class SNGAN:
    """`G` draws samples from noise, `D` pushes real ones above 1 and others below -1."""

    def __init__(self, config: SNGANConfig) -> None:
        self.config = config
        self.G = build_sample_generator(config.generator)
        self.D = build_judge(config.discriminator, config.generator.shape)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "D": self.D}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": adam(config, self.G, generator=True),
            "D": adam(config, self.D, generator=False),
        }

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator, then generator."""
        real, latent = batch["x"], self.config.generator.latent

        # Update the discriminator.
        fake = self.G(latents_like(latent, real))
        judged_real, judged_fake = self.D(real), self.D(fake.detach())
        loss_D = F.relu(1 - judged_real).mean() + F.relu(1 + judged_fake).mean()
        update(loss_D, self.optimizers["D"])

        # Update the generator.
        with frozen(self.D):
            fake = self.G(latents_like(latent, real))
            loss_G = -self.D(fake).mean()
            update(loss_G, self.optimizers["G"])

        return detached({"G": loss_G, "D": loss_D}, {"real": real, "fake": fake}, {"D": (judged_real, judged_fake)})

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """As many samples as the batch has."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"]))}

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""
