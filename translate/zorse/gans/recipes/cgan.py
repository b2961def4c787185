"""Conditional GAN: both players are told the label (Mirza and Osindero 2014, section 3.2).

min_G max_D V(D, G) = E[log D(x | y)] + E[log(1 - D(G(z | y) | y))]
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import (
    LatentConfig,
    MLPGeneratorConfig,
    MLPJudgeConfig,
    SampleGeneratorConfig,
    SampleJudgeConfig,
)
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge
from zorse.gans.recipes.game import AdamConfig, adam, latents_like
from zorse.gans.recipes.gan import GameObjective, play
from zorse.gans.recipes.tricks import Tricks, TricksConfig
from zorse.recipes.recipe import StepResult, Update


class ConditionalGANConfig(AdamConfig):
    """Settings of the conditional GAN; generator.latent.classes says how many labels there are."""

    kind: Literal["cgan"] = "cgan"
    generator: SampleGeneratorConfig = MLPGeneratorConfig(
        latent=LatentConfig(noise=100, classes=10), hidden=(256, 512), shape=(1, 32, 32)
    )
    """Draws the samples."""
    discriminator: SampleJudgeConfig = MLPJudgeConfig(hidden=(512, 256))
    """Tells samples from real ones."""
    objective: GameObjective = "nonsaturating"
    """Adversarial loss."""
    tricks: TricksConfig = TricksConfig()
    """Tricks of the trade, each of which can be switched off."""

    @model_validator(mode="after")
    def _has_labels(self) -> Self:
        if self.generator.latent.classes == 0:
            raise ValueError("a conditional GAN is told labels: set generator.latent.classes to their number")
        return self


class ConditionalGAN:
    """`G` draws samples of a class, `D` judges whether they are real ones of that class."""

    def __init__(self, config: ConditionalGANConfig) -> None:
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
        """One iteration: discriminator, then generator, both with the labels of the real samples."""
        config, latent = self.config, self.config.generator.latent

        def draw(real: Tensor, labels: Tensor) -> Tensor:
            fake: Tensor = self.G(latents_like(latent, real, labels))
            return fake

        return play(draw, self.D, self.optimizers, self.tricks, config.objective, batch, update, latent.classes)

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Samples of the batch's labels."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"], batch["label"]))}

    def state_dict(self) -> dict[str, Any]:
        """What the tricks remember."""
        return self.tricks.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.tricks.load_state_dict(state)
