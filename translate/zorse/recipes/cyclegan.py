"""CycleGAN: translation between two domains that share no pairs (Zhu et al. 2017).

L(G_AB, G_BA, D_A, D_B) = L_GAN(G_AB, D_B) + L_GAN(G_BA, D_A)
                          + lambda_cycle L_cycle(G_AB, G_BA) + lambda_cycle lambda_identity L_identity(G_AB, G_BA)
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any, ClassVar, Literal

import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from zorse.data.loader import Batch
from zorse.model.architecture import DiscriminatorConfig, GeneratorConfig, PatchGANConfig, ResnetConfig
from zorse.model.card import Direction
from zorse.networks.build import build_discriminator, build_generator
from zorse.recipes.losses import Logits, Objective, discriminator_loss, generator_loss, gradient_penalty
from zorse.recipes.method import Domain, MethodConfig
from zorse.recipes.pool import ImagePool
from zorse.recipes.recipe import AdamBeta, StepResult, Update, detached, frozen, together


class CycleGANConfig(MethodConfig):
    """Settings of CycleGAN; the defaults are the paper's."""

    directions: ClassVar[Mapping[str, Direction]] = {"G_AB": "AtoB", "G_BA": "BtoA"}
    judged: ClassVar[Mapping[str, Domain]] = {"D_A": "A", "D_B": "B"}

    kind: Literal["cyclegan"] = "cyclegan"
    generator: GeneratorConfig = ResnetConfig()
    """Of both directions."""
    discriminators: tuple[DiscriminatorConfig, ...] = (PatchGANConfig(),)
    """Judges of each domain; several look at the same picture."""
    objective: Objective = "lsgan"
    """Adversarial loss."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Real pictures are labelled 1 minus this (one-sided)."""
    lambda_cycle: NonNegativeFloat = 10.0
    """Weight of the cycle loss; 10 in the paper."""
    lambda_identity: NonNegativeFloat = 0.5
    """Weight of the identity loss, relative to lambda_cycle; 0.5 in the paper. It keeps colours."""
    lambda_gradient_penalty: NonNegativeFloat = 10.0
    """Weight of the gradient penalty, used with objective = "wgan_gp" only."""
    pool_size: int = Field(default=50, ge=0)
    """Generated pictures that the discriminators are shown again; 50 in the paper."""
    learning_rate: PositiveFloat = 2e-4
    """Learning rate of the generators."""
    discriminator_learning_rate: PositiveFloat = 2e-4
    """Learning rate of the discriminators."""
    betas: tuple[AdamBeta, AdamBeta] = (0.5, 0.999)
    """Decay rates of Adam's averages of the gradient and of its square."""

    @property
    def pictures_kept(self) -> int:
        """Those of both pools."""
        return 2 * self.pool_size


class CycleGAN:
    """Two generators, two discriminators, a cycle.

    `G_AB` translates domain A to B, `G_BA` B to A; `D_A` judges pictures of domain A, `D_B` of domain B.
    """

    def __init__(self, config: CycleGANConfig, seed: int = 0) -> None:
        self.config = config
        self.G_AB, self.G_BA = build_generator(config.generator), build_generator(config.generator)
        self.D_A, self.D_B = build_discriminator(config.discriminators), build_discriminator(config.discriminators)
        self.pool_A, self.pool_B = ImagePool(config.pool_size, seed), ImagePool(config.pool_size, seed + 1)
        self.optimizer_G = Adam(
            chain(self.G_AB.parameters(), self.G_BA.parameters()), lr=config.learning_rate, betas=config.betas
        )
        self.optimizer_D = Adam(
            chain(self.D_A.parameters(), self.D_B.parameters()),
            lr=config.discriminator_learning_rate,
            betas=config.betas,
        )

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """All four."""
        return {"G_AB": self.G_AB, "G_BA": self.G_BA, "D_A": self.D_A, "D_B": self.D_B}

    @property
    def generators(self) -> Mapping[str, nn.Module]:
        """Both directions."""
        return {"G_AB": self.G_AB, "G_BA": self.G_BA}

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """One for the generators, one for the discriminators."""
        return {"G": self.optimizer_G, "D": self.optimizer_D}

    def step(self, batch: Batch, iteration: int, update: Update) -> StepResult:
        """One iteration: generators first, then discriminators, as published."""
        config = self.config
        real_A, real_B = batch["A"], batch["B"]

        # Update the generators.
        with frozen(self.D_A, self.D_B):
            if config.lambda_identity > 0:
                fake_B, identity_B = together(self.G_AB, real_A, real_B)
                fake_A, identity_A = together(self.G_BA, real_B, real_A)
                identity = F.l1_loss(identity_A, real_A) + F.l1_loss(identity_B, real_B)
            else:
                fake_B, fake_A = self.G_AB(real_A), self.G_BA(real_B)
                identity = real_A.new_zeros(())
            rec_A, rec_B = self.G_BA(fake_B), self.G_AB(fake_A)
            adversarial_A = generator_loss(self.D_A(fake_A), config.objective)
            adversarial_B = generator_loss(self.D_B(fake_B), config.objective)
            cycle = F.l1_loss(rec_A, real_A) + F.l1_loss(rec_B, real_B)
            loss_G = (
                adversarial_A
                + adversarial_B
                + config.lambda_cycle * cycle
                + config.lambda_cycle * config.lambda_identity * identity
            )
            update(loss_G, self.optimizer_G)

        # Update the discriminators.
        loss_D_A, judged_A = self._loss_D(self.D_A, real_A, self.pool_A.query(fake_A.detach()))
        loss_D_B, judged_B = self._loss_D(self.D_B, real_B, self.pool_B.query(fake_B.detach()))
        update(loss_D_A + loss_D_B, self.optimizer_D)

        return detached(
            {
                "G_AB": adversarial_B,
                "G_BA": adversarial_A,
                "cycle": cycle,
                "identity": identity,
                "D_A": loss_D_A,
                "D_B": loss_D_B,
            },
            pictures={"real_A": real_A, "fake_B": fake_B, "real_B": real_B, "fake_A": fake_A},
            judged={"D_A": judged_A, "D_B": judged_B},
        )

    def _loss_D(self, D: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, tuple[Logits, Logits]]:
        """The loss, and the logits of real and generated pictures."""
        judged_real, judged_fake = together(D, real, fake)
        loss = discriminator_loss(judged_real, judged_fake, self.config.objective, self.config.label_smoothing)
        if self.config.objective == "wgan_gp":
            loss = loss + self.config.lambda_gradient_penalty * gradient_penalty(D, real, fake)
        return loss, (judged_real, judged_fake)

    def preview(self, batch: Batch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Both ways there and back."""
        fake_B, fake_A = generators["G_AB"](batch["A"]), generators["G_BA"](batch["B"])
        return {
            "real_A": batch["A"],
            "fake_B": fake_B,
            "rec_A": generators["G_BA"](fake_B),
            "real_B": batch["B"],
            "fake_A": fake_A,
            "rec_B": generators["G_AB"](fake_A),
        }

    def state_dict(self) -> dict[str, Any]:
        """The image pools."""
        return {"pool_A": self.pool_A.state_dict(), "pool_B": self.pool_B.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the image pools."""
        device = next(self.G_AB.parameters()).device
        self.pool_A.load_state_dict(state["pool_A"], device)
        self.pool_B.load_state_dict(state["pool_B"], device)
