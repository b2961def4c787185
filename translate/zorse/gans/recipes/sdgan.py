"""SD-GAN: who is shown and how, told apart (Donahue et al. 2018, section 3, algorithm 1).

min_G max_D E[log D(x_1, x_2)] + E[log(1 - D(G(z_I, z_O1), G(z_I, z_O2)))]

x_1 and x_2 are two pictures of the same identity, in the real pairs as in the generated ones, where both share the
identity code z_I. D is Siamese: it looks at both with the same layers, and then judges what it saw together. A pair is
real only if both are, and if both show the same one.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import DCGANGeneratorConfig, DCGANJudgeConfig, LatentConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge, head
from zorse.gans.recipes.game import AdamConfig, adam, latents_like, minus_log_d, minus_log_one_minus_d
from zorse.recipes.recipe import StepResult, Update, detached, frozen

PAIR_FEATURES = 128
"""Numbers that D keeps of each picture before it looks at both together."""


class SDGANConfig(AdamConfig):
    """Settings of SD-GAN. The data set gives two pictures of a class at a time: data.companion = "same_class"."""

    kind: Literal["sdgan"] = "sdgan"
    generator: DCGANGeneratorConfig = DCGANGeneratorConfig(latent=LatentConfig(noise=100, identity=50))
    """Draws the samples."""
    discriminator: DCGANJudgeConfig = DCGANJudgeConfig()
    """Tells samples from real ones."""

    @model_validator(mode="after")
    def _has_identity(self) -> Self:
        if self.generator.latent.identity == 0:
            raise ValueError("SD-GAN needs an identity code: set generator.latent.identity to its size")
        return self


class SDGAN:
    """`G` draws a picture from identity and observation codes, `D` judges pairs of pictures."""

    def __init__(self, config: SDGANConfig) -> None:
        self.config = config
        self.G = build_sample_generator(config.generator)
        self.D = PairJudge(config)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "D": self.D}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": adam(config, self.G, generator=True),
            "D": adam(config, self.D, generator=False),
        }

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator, then generator."""
        real_1, real_2 = batch["x"], batch["y"]

        # Update the discriminator.
        fake_1, fake_2 = self._pair(self.G, real_1)
        judged_real, judged_fake = self.D(real_1, real_2), self.D(fake_1.detach(), fake_2.detach())
        loss_D = minus_log_d(judged_real) + minus_log_one_minus_d(judged_fake)
        update(loss_D, self.optimizers["D"])

        # Update the generator.
        with frozen(self.D):
            fake_1, fake_2 = self._pair(self.G, real_1)
            loss_G = minus_log_d(self.D(fake_1, fake_2))
            update(loss_G, self.optimizers["G"])

        return detached({"G": loss_G, "D": loss_D}, {"real": real_1, "fake": fake_1}, {"D": (judged_real, judged_fake)})

    def _pair(self, generator: nn.Module, like: Tensor) -> tuple[Tensor, Tensor]:
        """Two pictures of each of N identities."""
        latent = self.config.generator.latent
        first, second = latents_like(latent, like), latents_like(latent, like)
        second[:, : latent.identity] = first[:, : latent.identity]
        one, other = generator(torch.cat([first, second])).chunk(2)
        return one, other

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Two pictures of as many identities as the batch has pictures."""
        one, other = self._pair(generators["G"], batch["x"])
        return {"fake": one, "fake_same_identity": other}

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


class PairJudge(nn.Module):
    """Sees both pictures through the same layers, then judges the pair."""

    def __init__(self, config: SDGANConfig) -> None:
        super().__init__()
        self.siamese = build_judge(config.discriminator, config.generator.shape)
        self.seen = head(self.siamese, PAIR_FEATURES)
        self.joint = nn.Sequential(
            nn.Linear(2 * PAIR_FEATURES, PAIR_FEATURES), nn.LeakyReLU(0.2), nn.Linear(PAIR_FEATURES, 1)
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two batches (N, C, H, W) -> logits (N, 1) of their pairs."""
        features = F.leaky_relu(self.seen(self.siamese.features(torch.cat([first, second]))), 0.2)
        logits: Tensor = self.joint(torch.cat(features.chunk(2), dim=1))
        return logits
