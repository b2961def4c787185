"""AC-GAN: the discriminator also says which class a picture shows (Odena et al. 2017, section 3, equations 2 and 3).

L_S = E[log P(S = real | x)] + E[log P(S = fake | G(z, c))]
L_C = E[log P(C = c | x)] + E[log P(C = c | G(z, c))]
D maximises L_S + L_C, G maximises L_C - L_S.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import DCGANGeneratorConfig, DCGANJudgeConfig, LatentConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import build_judge, head
from zorse.gans.recipes.game import AdamConfig, adam, class_loss, latents_like, minus_log_d, minus_log_one_minus_d
from zorse.recipes.recipe import StepResult, Update, detached, frozen


class ACGANConfig(AdamConfig):
    """Settings of AC-GAN; generator.latent.classes says how many labels there are."""

    kind: Literal["acgan"] = "acgan"
    generator: DCGANGeneratorConfig = DCGANGeneratorConfig(latent=LatentConfig(noise=100, classes=10))
    """Draws the samples."""
    discriminator: DCGANJudgeConfig = DCGANJudgeConfig()
    """Tells samples from real ones."""

    @model_validator(mode="after")
    def _has_labels(self) -> Self:
        if self.generator.latent.classes == 0:
            raise ValueError("AC-GAN tells classes apart: set generator.latent.classes to their number")
        return self


class ACGAN:
    """`G` draws pictures of a class, `D` judges them, `C`, on D's features, says of which class they are."""

    def __init__(self, config: ACGANConfig) -> None:
        self.config = config
        self.G = build_sample_generator(config.generator)
        self.D = build_judge(config.discriminator, config.generator.shape)
        self.C = head(self.D, config.generator.latent.classes)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "D": self.D, "C": self.C}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": adam(config, self.G, generator=True),
            "D": adam(config, self.D, self.C, generator=False),
        }

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator and classifier, then generator."""
        real, labels, latent = batch["x"], batch["label"], self.config.generator.latent

        # Update discriminator and classifier: descend -(L_S + L_C).
        fake = self.G(latents_like(latent, real, labels))
        judged_real, classed_real = self._look(real)
        judged_fake, classed_fake = self._look(fake.detach())
        source = minus_log_d(judged_real) + minus_log_one_minus_d(judged_fake)
        classes = class_loss(classed_real, labels) + class_loss(classed_fake, labels)
        update(source + classes, self.optimizers["D"])

        # Update the generator: descend L_S - L_C, with the non-saturating form of L_S.
        with frozen(self.D, self.C):
            fake = self.G(latents_like(latent, real, labels))
            judged, classed = self._look(fake)
            loss_G, class_G = minus_log_d(judged), class_loss(classed, labels)
            update(loss_G + class_G, self.optimizers["G"])

        losses = {"G": loss_G, "D": source, "class_D": classes, "class_G": class_G}
        return detached(losses, {"real": real, "fake": fake}, {"D": (judged_real, judged_fake)})

    def _look(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, 1) of being real, and (N, classes)."""
        features = self.D.features(samples)
        return self.D.head(features), self.C(features)

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Samples of the batch's labels."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"], batch["label"]))}

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""
