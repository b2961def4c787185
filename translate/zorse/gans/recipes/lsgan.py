"""LSGAN: squares in place of logarithms (Mao et al. 2017, section 3.2, equation 9).

min_D 1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2]
min_G 1/2 E[(D(G(z)) - c)^2]                            a = 0, b = c = 1

A sample that D already takes for real, but that lies far from the real ones, still costs G something.
"""

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import MLPGeneratorConfig, MLPJudgeConfig, SampleGeneratorConfig, SampleJudgeConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge
from zorse.gans.recipes.game import AdamConfig, adam, latents_like
from zorse.recipes.recipe import StepResult, Update, detached, frozen

REAL, FAKE, WANTED = 1.0, 0.0, 1.0
"""b, a and c of the paper."""


class LSGANConfig(AdamConfig):
    """Settings of LSGAN."""

    kind: Literal["lsgan"] = "lsgan"
    generator: SampleGeneratorConfig = MLPGeneratorConfig()
    """Draws the samples."""
    discriminator: SampleJudgeConfig = MLPJudgeConfig()
    """Tells samples from real ones."""


class LSGAN:
    """`G` draws samples from noise, `D` gives real ones 1 and others 0."""

    def __init__(self, config: LSGANConfig) -> None:
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
        loss_D = 0.5 * ((judged_real - REAL) ** 2).mean() + 0.5 * ((judged_fake - FAKE) ** 2).mean()
        update(loss_D, self.optimizers["D"])

        # Update the generator.
        with frozen(self.D):
            fake = self.G(latents_like(latent, real))
            loss_G = 0.5 * ((self.D(fake) - WANTED) ** 2).mean()
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
