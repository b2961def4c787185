"""pix2pix: translation learned from pairs (Isola et al. 2017).

L(G, D) = L_cGAN(G, D) + lambda_l1 E[ || B - G(A) ||_1 ],    D judges (A, B) against (A, G(A))

Of pix2pixHD (Wang et al. 2018) there are discriminators of several scales and the loss that matches their features.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from zorse.data.loader import Batch
from zorse.model.architecture import DiscriminatorConfig, GeneratorConfig, PatchGANConfig, UnetConfig
from zorse.networks.abilities import showing_features
from zorse.networks.build import build_discriminator, build_generator
from zorse.recipes.losses import Objective, discriminator_loss, feature_matching_loss, generator_loss, gradient_penalty
from zorse.recipes.method import MethodConfig
from zorse.recipes.recipe import AdamBeta, StepResult, Update, detached, frozen, together


class Pix2PixConfig(MethodConfig):
    """Settings of pix2pix; the defaults are the paper's."""

    judges_pairs = True

    kind: Literal["pix2pix"] = "pix2pix"
    generator: GeneratorConfig = UnetConfig()
    """From the input to the target."""
    discriminators: tuple[DiscriminatorConfig, ...] = (PatchGANConfig(norm="batch"),)
    """Judges of the pairs. A projected one sees the picture alone, without the input that it was made from."""
    objective: Objective = "nonsaturating"
    """Adversarial loss."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Real pairs are labelled 1 minus this (one-sided)."""
    lambda_l1: NonNegativeFloat = 100.0
    """Weight of the L1 distance to the true picture; 100 in the paper."""
    lambda_feature_matching: NonNegativeFloat = 0.0
    """Weight of the distance to the true picture in the discriminator's features; 10 in pix2pixHD."""
    lambda_gradient_penalty: NonNegativeFloat = 10.0
    """Weight of the gradient penalty, used with objective = "wgan_gp" only."""
    learning_rate: PositiveFloat = 2e-4
    """Learning rate of the generator."""
    discriminator_learning_rate: PositiveFloat = 2e-4
    """Learning rate of the discriminator."""
    betas: tuple[AdamBeta, AdamBeta] = (0.5, 0.999)
    """Decay rates of Adam's averages of the gradient and of its square."""

    @property
    def keeps_scene(self) -> bool:
        """Pairs are edges and photos or labels and facades: only unpaired domains show the same things."""
        return False


class Pix2Pix:
    """One generator `G` from A to B and one discriminator `D` of pairs."""

    def __init__(self, config: Pix2PixConfig) -> None:
        self.config = config
        self.G = build_generator(config.generator)
        pair_channels = config.generator.in_channels + config.generator.out_channels
        self.D = build_discriminator(config.discriminators, pair_channels)
        self.optimizer_G = Adam(self.G.parameters(), lr=config.learning_rate, betas=config.betas)
        self.optimizer_D = Adam(self.D.parameters(), lr=config.discriminator_learning_rate, betas=config.betas)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Both."""
        return {"G": self.G, "D": self.D}

    @property
    def generators(self) -> Mapping[str, nn.Module]:
        """The only one."""
        return {"G": self.G}

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """One for the generator, one for the discriminator."""
        return {"G": self.optimizer_G, "D": self.optimizer_D}

    def step(self, batch: Batch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator first, then generator, as published."""
        config = self.config
        real_A, real_B = batch["A"], batch["B"]
        fake_B = self.G(real_A)

        # Update the discriminator.
        real_pair, fake_pair = torch.cat([real_A, real_B], 1), torch.cat([real_A, fake_B], 1)
        judged_real, judged_fake = together(self.D, real_pair, fake_pair.detach())
        loss_D = discriminator_loss(judged_real, judged_fake, config.objective, config.label_smoothing)
        if config.objective == "wgan_gp":
            loss_D = loss_D + config.lambda_gradient_penalty * gradient_penalty(self.D, real_pair, fake_pair)
        update(loss_D, self.optimizer_D)

        # Update the generator.
        with frozen(self.D):
            adversarial = generator_loss(self.D(fake_pair), config.objective)
            l1 = F.l1_loss(fake_B, real_B)
            loss_G = adversarial + config.lambda_l1 * l1
            losses = {"G": adversarial, "l1": l1, "D": loss_D}
            if config.lambda_feature_matching > 0:
                losses["features"] = self._feature_matching(real_pair, fake_pair)
                loss_G = loss_G + config.lambda_feature_matching * losses["features"]
            update(loss_G, self.optimizer_G)

        return detached(
            losses,
            pictures={"real_A": real_A, "fake_B": fake_B, "real_B": real_B},
            judged={"D": (judged_real, judged_fake)},
        )

    def _feature_matching(self, real_pair: Tensor, fake_pair: Tensor) -> Tensor:
        discriminator = showing_features(self.D, "recipe.lambda_feature_matching")
        with torch.no_grad():
            wanted = discriminator.feature_maps(real_pair)
        return feature_matching_loss(wanted, discriminator.feature_maps(fake_pair))

    def preview(self, batch: Batch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Input, result, truth."""
        return {"real_A": batch["A"], "fake_B": generators["G"](batch["A"]), "real_B": batch["B"]}

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""
