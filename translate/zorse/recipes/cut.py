"""CUT and FastCUT: translation without pairs and without a way back (Park et al. 2020).

L(G, F, D) = L_GAN(G, D) + lambda_nce / 2 (L_PatchNCE(G, F, A) + L_PatchNCE(G, F, B))

Each patch of G(A) has to resemble the patch of A at the same place more than the other patches of A, in the features of
G's own encoder. The last term, with G(B), keeps what is in domain B already; FastCUT does without it, and without the
half, which is that of the authors' code: in the paper's equation both terms are whole.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from zorse.data.loader import Batch
from zorse.model.architecture import DiscriminatorConfig, GeneratorConfig, PatchGANConfig, ResnetConfig
from zorse.networks.abilities import encoding
from zorse.networks.build import build_discriminator, build_generator
from zorse.networks.patch_sampler import PatchSampler
from zorse.recipes.losses import Objective, discriminator_loss, generator_loss, gradient_penalty, patch_contrast
from zorse.recipes.method import MethodConfig
from zorse.recipes.recipe import AdamBeta, StepResult, Update, detached, frozen, together


class CUTConfig(MethodConfig):
    """Settings of CUT; the defaults are the paper's. `fastcut()` gives those of FastCUT."""

    kind: Literal["cut"] = "cut"
    generator: GeneratorConfig = ResnetConfig(downsampling="blur", upsampling="bilinear")
    """From domain A to domain B."""
    discriminators: tuple[DiscriminatorConfig, ...] = (PatchGANConfig(downsampling="blur"),)
    """Judges of domain B; several look at the same picture."""
    objective: Objective = "lsgan"
    """Adversarial loss."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Real pictures are labelled 1 minus this (one-sided)."""
    lambda_nce: NonNegativeFloat = 1.0
    """Weight of the contrastive loss: 1 in CUT, 10 in FastCUT."""
    identity: bool = True
    """Whether pictures of domain B, translated, are compared with themselves, too: in CUT, not in FastCUT."""
    flip_equivariance: bool = False
    """Every other time translate the mirrored pictures, and compare them with the others: in FastCUT, not in CUT."""
    n_patches: PositiveInt = 256
    """Places at which the features of each layer are compared."""
    temperature: PositiveFloat = 0.07
    """Of the contrastive loss."""
    embedding_channels: PositiveInt = 256
    """Size of the embedding in which patches are compared."""
    lambda_gradient_penalty: NonNegativeFloat = 10.0
    """Weight of the gradient penalty, used with objective = "wgan_gp" only."""
    learning_rate: PositiveFloat = 2e-4
    """Learning rate of the generator and the embedding."""
    discriminator_learning_rate: PositiveFloat = 2e-4
    """Learning rate of the discriminator."""
    betas: tuple[AdamBeta, AdamBeta] = (0.5, 0.999)
    """Decay rates of Adam's averages of the gradient and of its square."""


def fastcut(**settings: Any) -> CUTConfig:
    """The paper's lighter variant: no identity term, a heavier contrastive loss, mirrored pictures every other time."""
    return CUTConfig(**{"lambda_nce": 10.0, "identity": False, "flip_equivariance": True, **settings})


class CUT:
    """One generator `G` from A to B, one discriminator `D` of B, and `F`, which embeds the features to compare."""

    def __init__(self, config: CUTConfig) -> None:
        self.config = config
        self.G = build_generator(config.generator)
        self.D = build_discriminator(config.discriminators)
        self._encoder = encoding(self.G, "CUT")
        self.F = PatchSampler(self._encoder.encoded_channels, config.embedding_channels, config.n_patches)
        # Two groups: while the generator waits for the discriminator, the embedding does not have to.
        groups: list[dict[str, Any]] = [{"params": self.G.parameters()}, {"params": self.F.parameters()}]
        self.optimizer_G = Adam(groups, lr=config.learning_rate, betas=config.betas)
        self.optimizer_D = Adam(self.D.parameters(), lr=config.discriminator_learning_rate, betas=config.betas)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """All three."""
        return {"G": self.G, "D": self.D, "F": self.F}

    @property
    def generators(self) -> Mapping[str, nn.Module]:
        """The only one."""
        return {"G": self.G}

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """One for the generator with the embedding, one for the discriminator."""
        return {"G": self.optimizer_G, "D": self.optimizer_D}

    def step(self, batch: Batch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator first, then generator and embedding, as published."""
        config = self.config
        real_A, real_B = batch["A"], batch["B"]
        mirrored = config.flip_equivariance and bool(torch.rand(()) < 0.5)
        if config.identity:
            fake_B, identity_B = together(self.G, mirror(real_A, mirrored), mirror(real_B, mirrored))
        else:
            fake_B = self.G(mirror(real_A, mirrored))

        # Update the discriminator.
        judged_real, judged_fake = together(self.D, real_B, fake_B.detach())
        loss_D = discriminator_loss(judged_real, judged_fake, config.objective, config.label_smoothing)
        if config.objective == "wgan_gp":
            loss_D = loss_D + config.lambda_gradient_penalty * gradient_penalty(self.D, real_B, fake_B)
        update(loss_D, self.optimizer_D)

        # Update the generator and the embedding.
        with frozen(self.D):
            adversarial = generator_loss(self.D(fake_B), config.objective)
            nce = self._contrast(real_A, fake_B, mirrored)
            losses = {"G": adversarial, "nce": nce, "D": loss_D}
            if config.identity:
                losses["nce_identity"] = self._contrast(real_B, identity_B, mirrored)
                nce = (nce + losses["nce_identity"]) / 2
            update(adversarial + config.lambda_nce * nce, self.optimizer_G)

        return detached(
            losses,
            # Shown as the generator saw it: who compares input and output must not see the one mirrored.
            pictures={"real_A": mirror(real_A, mirrored), "fake_B": fake_B, "real_B": real_B},
            judged={"D": (judged_real, judged_fake)},
        )

    def _contrast(self, original: Tensor, translated: Tensor, mirrored: bool) -> Tensor:
        """L_PatchNCE, averaged over the layers of the encoder."""
        query_maps = [mirror(features, mirrored) for features in self._encoder.encode(translated)]
        with torch.no_grad():  # The original is what the translation is compared with: it does not move.
            key_maps = self._encoder.encode(original)
            places = self.F.draw_places(key_maps)
            keys = self.F(key_maps, places)
        queries = self.F(query_maps, places)
        losses = [patch_contrast(q, k, self.config.temperature) for q, k in zip(queries, keys, strict=True)]
        return torch.stack(losses).mean()

    def preview(self, batch: Batch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Input and result; a picture of domain B and what becomes of it, which should be the same."""
        return {
            "real_A": batch["A"],
            "fake_B": generators["G"](batch["A"]),
            "real_B": batch["B"],
            "identity_B": generators["G"](batch["B"]),
        }

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


def mirror(x: Tensor, wanted: bool) -> Tensor:
    """(N, C, H, W), left and right swapped if that is wanted."""
    return x.flip(3) if wanted else x
