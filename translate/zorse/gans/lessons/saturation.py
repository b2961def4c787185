"""Why the saturating loss stalls: the surer D is of a fake, the less of its gradient reaches G.

With D = sigmoid(a), the logit a of a fake is pushed by

d/da log(1 - D) = -D            the minimax loss (Goodfellow et al. 2014, section 3)
d/da -log D     = -(1 - D)      the non-saturating one

The left picture differentiates both. The right one lets D learn on a ring of Gaussians while G waits, and looks at what
G's parameters would be told (after Arjovsky and Bottou 2017, section 2.2, figure 2).
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from zorse.gans.data.config import MixtureConfig
from zorse.gans.data.mixtures import Mixture
from zorse.gans.lessons.lesson import BLUE, ORANGE, Lesson, panels
from zorse.gans.recipes.game import cross_entropy, latents_like, minus_log_d, minus_log_one_minus_d
from zorse.gans.recipes.gan import GAN, GANConfig
from zorse.recipes.recipe import plain_update

TITLE = "Why the saturating loss stalls"

BATCH = 128
LOOKS = (0, 10, 25, 50, 100, 200, 300)
"""Steps of D after which G's gradients are measured."""


def _saturating(logits: Tensor) -> Tensor:
    return -minus_log_one_minus_d(logits)


LOSSES: Mapping[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "saturating: log(1 - D)": (_saturating, ORANGE),
    "non-saturating: -log D": (minus_log_d, BLUE),
}


def teach() -> Lesson:
    """Differentiate both losses, by D's confidence and in a game."""
    figure, (by_confidence, in_game) = panels(
        ["What a fake's logit is told", "What G is told while D learns alone (ring of 8)"]
    )
    for name, (confidence, slope) in _by_confidence().items():
        by_confidence.plot(confidence, slope, label=name, color=LOSSES[name][1])
    by_confidence.set(xlabel="D(G(z)): how real D holds a fake to be", ylabel="|d loss / d logit|")
    by_confidence.legend()
    believed, norms = _in_game()
    for name, values in norms.items():
        in_game.plot(LOOKS, values, "o-", label=name, color=LOSSES[name][1])
    in_game.set(xlabel="steps of D", ylabel="|gradient of G's parameters|", yscale="log")
    in_game.legend()
    rows = [
        (str(step), f"{share:.1e}", *(f"{values[look]:.1e}" for values in norms.values()))
        for look, (step, share) in enumerate(zip(LOOKS, believed, strict=True))
    ]
    return Lesson(
        (("steps of D", "mean D(G(z))", *(f"|gradient|, {name}" for name in norms)), *rows),
        "The better D is, the more G has to learn, but log(1 - D(G(z))) is flat just there: its gradient is D itself. "
        "-log D(G(z)) has the same fixed point, and pushes hardest where G is worst. It is the default of 'gan', "
        "--set recipe.objective=minimax is the other one.",
        figure,
    )


def _by_confidence() -> dict[str, tuple[list[float], list[float]]]:
    """For each loss D(G(z)) and the slope there."""
    logits = torch.linspace(-6, 6, 121, requires_grad=True)
    curves = {}
    for name, (loss, _) in LOSSES.items():
        (gradient,) = torch.autograd.grad(loss(logits) * len(logits), logits)  # The losses are means.
        curves[name] = (torch.sigmoid(logits).tolist(), gradient.abs().tolist())
    return curves


def _in_game() -> tuple[list[float], dict[str, list[float]]]:
    """Mean D(G(z)), and the length of G's gradient by each loss, after each of the steps in LOOKS."""
    game = GAN(GANConfig(discriminator_learning_rate=1e-3))
    points, latent = Mixture(MixtureConfig(), seed=0), game.config.generator.latent
    believed: list[float] = []
    norms: dict[str, list[float]] = {name: [] for name in LOSSES}
    for step in range(LOOKS[-1] + 1):
        real = points.batch(step * BATCH, BATCH)["x"]
        fake = game.G(latents_like(latent, real))
        if step in LOOKS:
            logits = game.D(fake)
            believed.append(float(torch.sigmoid(logits.detach()).mean()))
            for name, (loss, _) in LOSSES.items():
                gradients = torch.autograd.grad(loss(logits), list(game.G.parameters()), retain_graph=True)
                norms[name].append(float(torch.cat([part.flatten() for part in gradients]).norm()))
        judged_real, judged_fake = game.D(real), game.D(fake.detach())
        loss_D = cross_entropy(judged_real, torch.ones_like(judged_real)) + cross_entropy(
            judged_fake, torch.zeros_like(judged_fake)
        )
        plain_update(loss_D, game.optimizers["D"])
    return believed, norms
