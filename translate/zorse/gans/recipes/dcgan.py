"""DCGAN: the GAN with convolutional networks that train (Radford et al. 2016, section 3).

The game is that of `gan`, non-saturating. What is new are the networks: strided convolutions in place of pooling,
BatchNorm but for D's first and G's last layer, no hidden fully connected layers, ReLU in G and LeakyReLU in D; weights
from N(0, 0.02), Adam with a learning rate of 2e-4 and beta_1 = 0.5.

With `generator.growing` the pictures begin with 8 x 8 pixels, and every `growth` iterations the next resolution is
faded in, which takes half of that time (Karras et al. 2018, section 2).
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import PositiveInt
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import DCGANGeneratorConfig, DCGANJudgeConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.growing import set_level
from zorse.gans.networks.judges import build_judge
from zorse.gans.recipes.game import AdamConfig, adam, latents_like
from zorse.gans.recipes.gan import play
from zorse.gans.recipes.tricks import Tricks, TricksConfig
from zorse.recipes.recipe import StepResult, Update


class DCGANConfig(AdamConfig):
    """Settings of DCGAN; the defaults are the paper's."""

    kind: Literal["dcgan"] = "dcgan"
    generator: DCGANGeneratorConfig = DCGANGeneratorConfig()
    """Draws the samples."""
    discriminator: DCGANJudgeConfig = DCGANJudgeConfig()
    """Tells samples from real ones."""
    growth: PositiveInt = 5000
    """Iterations of each resolution of a growing generator."""
    tricks: TricksConfig = TricksConfig()
    """Tricks of the trade, each of which can be switched off."""


class DCGAN:
    """`G` draws pictures from noise, `D` tells them from real ones."""

    def __init__(self, config: DCGANConfig) -> None:
        self.config = config
        growing = config.generator.growing
        self.G = build_sample_generator(config.generator)
        self.D = build_judge(config.discriminator, config.generator.shape, growing=growing)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "D": self.D}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": adam(config, self.G, generator=True),
            "D": adam(config, self.D, generator=False),
        }
        self.tricks = Tricks(config.tricks, self.networks)

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator, then generator."""
        for network in self.networks.values():
            set_level(network, level(iteration, self.config.growth))

        def draw(real: Tensor, labels: Tensor) -> Tensor:
            fake: Tensor = self.G(latents_like(self.config.generator.latent, real))
            return fake

        return play(draw, self.D, self.optimizers, self.tricks, "nonsaturating", batch, update)

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """As many samples as the batch has."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"]))}

    def state_dict(self) -> dict[str, Any]:
        """What the tricks remember."""
        return self.tricks.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.tricks.load_state_dict(state)


def level(iteration: int, growth: int) -> float:
    """How far networks have grown: 0 in the first `growth` iterations, then each level fades in over half as many."""
    whole, position = divmod(iteration, growth)
    return 0.0 if whole == 0 else whole - 1 + min(1.0, 2 * position / growth)
