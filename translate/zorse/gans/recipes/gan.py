"""GAN: a generator and a discriminator play against each other (Goodfellow et al. 2014, section 3, algorithm 1).

min_G max_D V(D, G) = E[log D(x)] + E[log(1 - D(G(z)))]

As long as D wins, log(1 - D(G(z))) is flat and G learns nothing. The paper's way out, the non-saturating loss: G
maximises E[log D(G(z))] instead, which has the same fixed point and a strong gradient where G is bad.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.gans.architecture import MLPGeneratorConfig, MLPJudgeConfig, SampleGeneratorConfig, SampleJudgeConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.judges import Judge, build_judge
from zorse.gans.networks.latents import one_hot
from zorse.gans.recipes.game import AdamConfig, adam, cross_entropy, latents_like, minus_log_d, minus_log_one_minus_d
from zorse.gans.recipes.tricks import Tricks, TricksConfig
from zorse.recipes.recipe import StepResult, Update, detached, frozen

GameObjective = Literal["minimax", "nonsaturating"]


class GANConfig(AdamConfig):
    """Settings of the first GAN."""

    kind: Literal["gan"] = "gan"
    generator: SampleGeneratorConfig = MLPGeneratorConfig()
    """Draws the samples."""
    discriminator: SampleJudgeConfig = MLPJudgeConfig()
    """Tells samples from real ones."""
    objective: GameObjective = "nonsaturating"
    """What G does: minimise E[log(1 - D(G(z)))], or maximise E[log D(G(z))]."""
    tricks: TricksConfig = TricksConfig()
    """Tricks of the trade, each of which can be switched off."""


class GAN:
    """`G` draws samples from noise, `D` tells them from real ones."""

    def __init__(self, config: GANConfig) -> None:
        self.config = config
        self.G = build_sample_generator(config.generator)
        self.D = build_judge(config.discriminator, config.generator.shape)
        self.networks: Mapping[str, nn.Module] = {"G": self.G, "D": self.D}
        self.generators: Mapping[str, nn.Module] = {"G": self.G}
        self.optimizers: Mapping[str, Optimizer] = {
            "G": adam(config, self.G, generator=True),
            "D": adam(config, self.D, generator=False),
        }
        self.tricks = Tricks(config.tricks, self.networks)

    def step(self, batch: SampleBatch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator, then generator."""
        config = self.config

        def draw(real: Tensor, labels: Tensor) -> Tensor:
            fake: Tensor = self.G(latents_like(config.generator.latent, real))
            return fake

        return play(draw, self.D, self.optimizers, self.tricks, config.objective, batch, update)

    def preview(self, batch: SampleBatch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """As many samples as the batch has."""
        return {"fake": generators["G"](latents_like(self.config.generator.latent, batch["x"]))}

    def state_dict(self) -> dict[str, Any]:
        """What the tricks remember."""
        return self.tricks.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.tricks.load_state_dict(state)


class Draw(Protocol):
    """Draws as many samples as there are real ones, with their labels if it is told any."""

    def __call__(self, real: Tensor, labels: Tensor) -> Tensor:
        """(N, ...) and (N,) int64 -> samples (N, ...)."""


def play(
    draw: Draw,
    D: Judge,
    optimizers: Mapping[str, Optimizer],
    tricks: Tricks,
    objective: GameObjective,
    batch: SampleBatch,
    update: Update,
    classes: int = 0,
) -> StepResult:
    """Algorithm 1: some steps of the discriminator, each on its part of the batch, then one of the generator.

    Args:
        draw: the generator.
        D: the discriminator.
        optimizers: "G" and "D".
        tricks: that are on.
        objective: the generator's.
        batch: of real samples.
        update: the loop's.
        classes: labels that both players are told; 0: none.
    """
    parts = zip(batch["x"].chunk(tricks.config.d_steps), batch["label"].chunk(tricks.config.d_steps), strict=True)
    for real, labels in parts:
        told = one_hot(labels, classes) if classes else None

        # Update the discriminator: ascend V. With labels t of 1 and 0 the cross-entropy is -V.
        fake = draw(real, labels)
        judged_real, judged_fake = D(tricks.shown(real), told), D(tricks.shown(fake.detach()), told)
        loss_D = cross_entropy(judged_real, tricks.real_targets(judged_real)) + cross_entropy(
            judged_fake, tricks.fake_targets(judged_fake)
        )
        update(loss_D + tricks.look_back("D"), optimizers["D"])

    # Update the generator.
    with frozen(D):
        fake = draw(real, labels)
        judged = D(tricks.shown(fake), told)
        loss_G = minus_log_d(judged) if objective == "nonsaturating" else -minus_log_one_minus_d(judged)
        matched = tricks.matched_features(D, real, fake, told)
        update(loss_G + matched + tricks.look_back("G"), optimizers["G"])

    losses = {"G": loss_G, "D": loss_D}
    if tricks.config.feature_matching > 0:
        losses["features"] = matched
    return detached(losses, {"real": real, "fake": fake}, {"D": (judged_real, judged_fake)})
