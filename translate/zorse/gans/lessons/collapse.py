"""Mode collapse on a ring of eight Gaussians, and what helps.

min_G max_D is not max_D min_G: a G that answers a D that stands still puts everything where D believes most, and chases
it from mode to mode (Goodfellow 2016, NIPS tutorial, section 5.1.1; Metz et al. 2017, figure 2). Every part of the
picture is one method or trick, with the same networks, the same steps and the same seed. The plain GAN is given the
momentum that other networks like (Adam with beta_1 = 0.9), with which it collapses reliably.
"""

from collections.abc import Mapping
from typing import Any

import torch

from zorse.gans.architecture import LatentConfig, MLPGeneratorConfig, MLPJudgeConfig
from zorse.gans.data.config import MixtureConfig
from zorse.gans.data.mixtures import Mixture, centres, spread
from zorse.gans.lessons.lesson import Lesson, panels, scatter
from zorse.gans.metrics.modes import N_POINTS, measure_modes
from zorse.gans.networks.latents import draw_latents
from zorse.gans.recipes.gan import GANConfig
from zorse.gans.recipes.lsgan import LSGANConfig
from zorse.gans.recipes.tricks import TricksConfig
from zorse.gans.recipes.vae import VAEConfig
from zorse.gans.recipes.wgan_gp import WGANGPConfig
from zorse.gans.sheets import Points
from zorse.gans.training.build import build_baseline
from zorse.gans.training.config import BaselineRecipeConfig
from zorse.recipes.recipe import plain_update

TITLE = "Mode collapse and its remedies"

RING = MixtureConfig(distribution="ring", std=0.08)
STEPS, BATCH, REACH, SHOWN = 600, 128, 2.8, 512
G = MLPGeneratorConfig(latent=LatentConfig(noise=2), hidden=(64, 64))
D = MLPJudgeConfig(hidden=(64, 64))
RATE, HEAVY, LIGHT = 2e-3, (0.9, 0.999), (0.5, 0.999)
"""Learning rate of Adam; its betas where players keep on going in their old direction, and where they do so less."""

PLAIN = GANConfig(generator=G, discriminator=D, learning_rate=RATE, discriminator_learning_rate=RATE, betas=HEAVY)


def _with(**changes: Any) -> GANConfig:
    return PLAIN.model_copy(update=changes)


METHODS: Mapping[str, BaselineRecipeConfig] = {
    "GAN, beta_1 = 0.9": PLAIN,
    "beta_1 = 0.5": _with(betas=LIGHT),
    "minibatch discrimination": _with(discriminator=MLPJudgeConfig(hidden=(64, 64), minibatch_kernels=4)),
    "feature matching": _with(tricks=TricksConfig(feature_matching=1.0)),
    "historical averaging": _with(tricks=TricksConfig(historical_averaging=1.0)),
    "3 steps of D": _with(tricks=TricksConfig(d_steps=3)),
    "LSGAN": LSGANConfig(
        generator=G, discriminator=D, learning_rate=RATE, discriminator_learning_rate=RATE, betas=HEAVY
    ),
    "WGAN-GP": WGANGPConfig(
        generator=G,
        discriminator=D,
        n_critic=3,
        lambda_gradient_penalty=0.1,
        learning_rate=RATE,
        discriminator_learning_rate=RATE,
    ),
    "VAE": VAEConfig(generator=G, discriminator=D, sigma=0.1),
}
"""By the names that the picture gives them."""


def teach() -> Lesson:
    """Train each, and count the Gaussians that it covers."""
    figure, axes = panels(list(METHODS), columns=3)
    real = Mixture(RING, seed=1).batch(0, SHOWN)["x"].numpy()
    rows = []
    for axis, (name, config) in zip(axes, METHODS.items(), strict=True):
        points = _drawn(config)
        figures = measure_modes(points, centres(RING.distribution), spread(RING))
        scatter(axis, real, points[:SHOWN], REACH)
        axis.set_title(f"{name}: {figures.covered} of {figures.modes}, KL {figures.reverse_kl:.2f}", fontsize="medium")
        rows.append((name, f"{figures.covered} of {figures.modes}", f"{figures.good:.0%}", f"{figures.reverse_kl:.2f}"))
    return Lesson(
        (("method or trick", "modes covered", "good points", "reverse KL"), *rows),
        f"After {STEPS} steps of G each, with one seed; 'zorse benchmark gans' measures whole runs with several. "
        "Reverse KL is 0 where all modes are equally frequent, and log 8 = 2.08 where there is one. A point is good "
        "within three standard deviations of a mode. Momentum makes the chase worse; looking at a whole batch, at its "
        "mean features or at the past breaks it up; losses with a slope everywhere (LSGAN, WGAN-GP) hardly begin it; "
        "the VAE plays no game and covers everything, but few of its points are good.",
        figure,
    )


def _drawn(config: BaselineRecipeConfig) -> Points:
    torch.manual_seed(0)
    recipe = build_baseline(config)
    ring, size = Mixture(RING, seed=0), BATCH * _steps_of_d(config)
    for step in range(STEPS):
        recipe.step(ring.batch(step * size, size), step, plain_update)
    with torch.inference_mode():
        points: Points = recipe.generators["G"](draw_latents(G.latent, N_POINTS)).numpy()
    return points


def _steps_of_d(config: BaselineRecipeConfig) -> int:
    match config:
        case WGANGPConfig():
            return config.n_critic
        case GANConfig():
            return config.tricks.d_steps
        case _:
            return 1
