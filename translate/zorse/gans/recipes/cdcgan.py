"""Conditional DCGAN: the game of the conditional GAN (Mirza and Osindero 2014) with the networks of DCGAN.

min_G max_D V(D, G) = E[log D(x | y)] + E[log(1 - D(G(z | y) | y))]

G gets the label as numbers beside the noise, D as planes beside the picture, one for each class, of which one is 1.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import DCGANGeneratorConfig, DCGANJudgeConfig, LatentConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge
from zorse.gans.recipes.game import AdamConfig, adam, latents_like
from zorse.gans.recipes.gan import play
from zorse.gans.recipes.tricks import Tricks, TricksConfig
from zorse.recipes.recipe import StepResult, Update


class ConditionalDCGANConfig(AdamConfig):
    """Settings of the conditional DCGAN; generator.latent.classes says how many labels there are."""

    kind: Literal["cdcgan"] = "cdcgan"
    generator: DCGANGeneratorConfig = DCGANGeneratorConfig(latent=LatentConfig(noise=100, classes=10))
    """Draws the samples."""
    discriminator: DCGANJudgeConfig = DCGANJudgeConfig()
    """Tells samples from real ones."""
    tricks: TricksConfig = TricksConfig()
    """Tricks of the trade, each of which can be switched off."""

    @model_validator(mode="after")
    def _has_labels(self) -> Self:
        if self.generator.latent.classes == 0:
            raise ValueError("a conditional DCGAN is told labels: set generator.latent.classes to their number")
        return self


class ConditionalDCGAN:
    """`G` draws pictures of a class, `D` judges whether they are real ones of that class."""

    def __init__(self, config: ConditionalDCGANConfig) -> None:
        self.config = config
        self.G = build_sample_generator(config.generator)
        self.D = build_judge(config.discriminator, config.generator.shape, config.generator.latent.classes)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "D": self.D}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": adam(config, self.G, generator=True),
            "D": adam(config, self.D, generator=False),
        }
        self.tricks = Tricks(config.tricks, self.networks)

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator, then generator, both with the labels of the real pictures."""
        latent = self.config.generator.latent

        def draw(real: Tensor, labels: Tensor) -> Tensor:
            fake: Tensor = self.G(latents_like(latent, real, labels))
            return fake

        return play(draw, self.D, self.optimizers, self.tricks, "nonsaturating", batch, update, latent.classes)

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Samples of the batch's labels."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"], batch["label"]))}

    def state_dict(self) -> dict[str, Any]:
        """What the tricks remember."""
        return self.tricks.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.tricks.load_state_dict(state)
