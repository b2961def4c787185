"""WGAN-GP: the critic is held to slope 1 by a penalty (Gulrajani et al. 2017, section 4, equation 3, algorithm 1).

L = E[f(G(z))] - E[f(x)] + lambda E[(||grad f(x^)||_2 - 1)^2],    x^ = e x + (1 - e) G(z),  e uniform on [0, 1]

Clipped weights make a critic of simple functions; one with this penalty may be any. It must not have BatchNorm, since
each sample needs a gradient of its own.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import MLPGeneratorConfig, MLPJudgeConfig, SampleGeneratorConfig, SampleJudgeConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge
from zorse.gans.recipes.game import AdamConfig, adam, latents_like
from zorse.recipes.losses import gradient_penalty
from zorse.recipes.recipe import AdamBeta, StepResult, Update, detached, frozen


class WGANGPConfig(AdamConfig):
    """Settings of WGAN-GP; the defaults are the paper's."""

    kind: Literal["wgan_gp"] = "wgan_gp"
    generator: SampleGeneratorConfig = MLPGeneratorConfig()
    """Draws the samples."""
    discriminator: SampleJudgeConfig = MLPJudgeConfig()
    """The critic: scores samples, real ones high, drawn ones low."""
    n_critic: PositiveInt = 5
    """Steps of the critic for each one of the generator; each takes its part of the batch."""
    lambda_gradient_penalty: NonNegativeFloat = 10.0
    """Weight of the penalty; 10 in the paper, and 0.1 for its points in the plane."""
    learning_rate: PositiveFloat = 1e-4
    """Learning rate of the generator."""
    discriminator_learning_rate: PositiveFloat = 1e-4
    """Learning rate of the critic."""
    betas: tuple[AdamBeta, AdamBeta] = (0.0, 0.9)
    """Decay rates of Adam's averages of the gradient and of its square."""


class WGANGP:
    """`G` draws samples from noise, the critic `f` measures how far they are from real ones."""

    def __init__(self, config: WGANGPConfig) -> None:
        self.config = config
        self.G = build_sample_generator(config.generator)
        self.f = build_judge(config.discriminator, config.generator.shape)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "f": self.f}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": adam(config, self.G, generator=True),
            "f": adam(config, self.f, generator=False),
        }

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: n_critic steps of the critic, then one of the generator."""
        config, latent = self.config, self.config.generator.latent
        for real in batch["x"].chunk(config.n_critic):
            # Update the critic.
            fake = self.G(latents_like(latent, real))
            judged_real, judged_fake = self.f(real), self.f(fake.detach())
            distance = judged_real.mean() - judged_fake.mean()
            penalty = gradient_penalty(self.f, real, fake)
            update(-distance + config.lambda_gradient_penalty * penalty, self.optimizers["f"])

        # Update the generator.
        with frozen(self.f):
            fake = self.G(latents_like(latent, real))
            loss_G = -self.f(fake).mean()
            update(loss_G, self.optimizers["G"])

        losses = {"G": loss_G, "distance": distance, "penalty": penalty}
        return detached(losses, {"real": real, "fake": fake}, {"f": (judged_real, judged_fake)})

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """As many samples as the batch has."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"]))}

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""
