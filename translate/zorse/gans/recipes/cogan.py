"""CoGAN: pairs of two domains, learned without any pair (Liu and Tuzel 2016, section 3, equation 5).

min_{G_A,G_B} max_{D_A,D_B} E[log D_A(x_A)] + E[log(1 - D_A(G_A(z)))] + E[log D_B(x_B)] + E[log(1 - D_B(G_B(z)))]

The first layers of both generators, which decide what is shown, and the last layers of both discriminators are the same
ones; so what both domains draw from one z belongs together.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import CoupledGeneratorConfig, DCGANJudgeConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import coupled_judges
from zorse.gans.recipes.game import AdamConfig, adam, latents_like, minus_log_d, minus_log_one_minus_d
from zorse.recipes.recipe import StepResult, Update, detached, frozen


class CoGANConfig(AdamConfig):
    """Settings of CoGAN. Domain B is made from other samples of the set, as `data.companion` says."""

    kind: Literal["cogan"] = "cogan"
    generator: CoupledGeneratorConfig = CoupledGeneratorConfig()
    """Draws the samples."""
    discriminator: DCGANJudgeConfig = DCGANJudgeConfig()
    """Tells samples from real ones."""


class CoGAN:
    """`G` draws a picture of each domain from the same latents, `D_A` and `D_B` judge them."""

    def __init__(self, config: CoGANConfig) -> None:
        self.config = config
        _, *sides = config.generator.shape
        self.G = build_sample_generator(config.generator)
        self.D_A, self.D_B = coupled_judges(config.discriminator, (config.generator.channels, *sides))
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "D_A": self.D_A, "D_B": self.D_B}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": adam(config, self.G, generator=True),
            "D": adam(config, self.D_A, self.D_B, generator=False),
        }

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminators, then generators."""
        real_A, real_B, latent = batch["x"], batch["y"], self.config.generator.latent

        # Update the discriminators.
        fake_A, fake_B = self.G(latents_like(latent, real_A)).detach().chunk(2, dim=1)
        judged_A = self.D_A(real_A), self.D_A(fake_A)
        judged_B = self.D_B(real_B), self.D_B(fake_B)
        loss_D_A = minus_log_d(judged_A[0]) + minus_log_one_minus_d(judged_A[1])
        loss_D_B = minus_log_d(judged_B[0]) + minus_log_one_minus_d(judged_B[1])
        update(loss_D_A + loss_D_B, self.optimizers["D"])

        # Update the generators.
        with frozen(self.D_A, self.D_B):
            fake_A, fake_B = self.G(latents_like(latent, real_A)).chunk(2, dim=1)
            loss_G_A, loss_G_B = minus_log_d(self.D_A(fake_A)), minus_log_d(self.D_B(fake_B))
            update(loss_G_A + loss_G_B, self.optimizers["G"])

        losses = {"G_A": loss_G_A, "G_B": loss_G_B, "D_A": loss_D_A, "D_B": loss_D_B}
        pictures = {"real": torch.cat([real_A, real_B], 1), "fake": torch.cat([fake_A, fake_B], 1)}
        return detached(losses, pictures, {"D_A": judged_A, "D_B": judged_B})

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """As many pairs as the batch has."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"]))}

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""
