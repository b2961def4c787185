"""Presets of the baselines: functions that return a config.

`*_ring`, `*_grid` and `*_spiral` train on points in the plane, in minutes, and need no data; `*_digits` on MNIST or
Fashion-MNIST in minutes on a CPU; `*_pictures` on a folder of pictures, on a GPU.
"""

from collections.abc import Callable, Mapping
from functools import partial

from zorse.gans.architecture import (
    CoupledGeneratorConfig,
    DCGANGeneratorConfig,
    DCGANJudgeConfig,
    LatentConfig,
    MLPGeneratorConfig,
    MLPJudgeConfig,
)
from zorse.gans.data.config import Companion, DigitsConfig, MixtureConfig, MixtureShape, PicturesConfig
from zorse.gans.recipes.acgan import ACGANConfig
from zorse.gans.recipes.cdcgan import ConditionalDCGANConfig
from zorse.gans.recipes.cgan import ConditionalGANConfig
from zorse.gans.recipes.cogan import CoGANConfig
from zorse.gans.recipes.dcgan import DCGANConfig
from zorse.gans.recipes.gan import GANConfig
from zorse.gans.recipes.infogan import InfoGANConfig
from zorse.gans.recipes.lsgan import LSGANConfig
from zorse.gans.recipes.sdgan import SDGANConfig
from zorse.gans.recipes.sngan import SNGANConfig
from zorse.gans.recipes.vae import VAEConfig
from zorse.gans.recipes.wgan import WGANConfig
from zorse.gans.recipes.wgan_gp import WGANGPConfig
from zorse.gans.training.config import BaselineConfig, BaselineRecipeConfig
from zorse.training.config import LoopConfig

POINTS = MLPGeneratorConfig(latent=LatentConfig(noise=2), hidden=(128, 128, 128))
POINT_JUDGE = MLPJudgeConfig(hidden=(128, 128, 128))
SPECTRAL_JUDGE = MLPJudgeConfig(hidden=(128, 128, 128), spectral_norm=True)

POINT_RECIPES: Mapping[str, BaselineRecipeConfig] = {
    "minimax": GANConfig(
        generator=POINTS,
        discriminator=POINT_JUDGE,
        objective="minimax",
        learning_rate=1e-3,
        discriminator_learning_rate=1e-3,
    ),
    "gan": GANConfig(generator=POINTS, discriminator=POINT_JUDGE, learning_rate=1e-3, discriminator_learning_rate=1e-3),
    "lsgan": LSGANConfig(
        generator=POINTS, discriminator=POINT_JUDGE, learning_rate=1e-3, discriminator_learning_rate=1e-3
    ),
    "wgan": WGANConfig(generator=POINTS, discriminator=POINT_JUDGE, learning_rate=5e-4, clip=0.1),
    "wgan_gp": WGANGPConfig(
        generator=POINTS,
        discriminator=POINT_JUDGE,
        n_critic=2,
        lambda_gradient_penalty=0.1,
        learning_rate=1e-3,
        discriminator_learning_rate=1e-3,
    ),
    "sngan": SNGANConfig(
        generator=POINTS, discriminator=SPECTRAL_JUDGE, learning_rate=1e-3, discriminator_learning_rate=1e-3
    ),
    "vae": VAEConfig(generator=POINTS, discriminator=POINT_JUDGE, sigma=0.1),
}
"""The methods for points, by the beginnings of their presets' names."""
ITERATIONS: Mapping[MixtureShape, int] = {"ring": 3000, "grid": 6000, "spiral": 6000}
DISTRIBUTIONS: Mapping[MixtureShape, str] = {
    "ring": "a ring of 8 Gaussians",
    "grid": "a grid of 25 Gaussians",
    "spiral": "a spiral of 32 Gaussians",
}


def points(method: str, distribution: MixtureShape) -> BaselineConfig:
    """A method on a distribution in the plane."""
    recipe = POINT_RECIPES[method]
    return BaselineConfig(
        name=f"{method}_{distribution}",
        shows=DISTRIBUTIONS[distribution],
        data=MixtureConfig(distribution=distribution),
        recipe=recipe,
        training=LoopConfig(
            iterations=ITERATIONS[distribution],
            batch_size=128 * _critic_steps(recipe),
            ema_decay=0.99,
            log_every=100,
            sample_every=500,
            save_every=500,
            evaluate_every=500,
        ),
    )


DIGIT_LATENT = LatentConfig(noise=64)
LABELLED_LATENT = LatentConfig(noise=64, classes=10)
DIGIT_JUDGE = DCGANJudgeConfig(base_channels=16)
DIGIT_CRITIC = DCGANJudgeConfig(base_channels=16, norm="none")
SPECTRAL_DIGIT_JUDGE = DCGANJudgeConfig(base_channels=16, norm="none", spectral_norm=True)


def digit_generator(latent: LatentConfig, *, growing: bool = False) -> DCGANGeneratorConfig:
    """A small DCGAN generator of grey pictures of 32 x 32 pixels."""
    return DCGANGeneratorConfig(latent=latent, channels=1, size=32, base_channels=32, growing=growing)


DIGIT_RECIPES: Mapping[str, BaselineRecipeConfig] = {
    "gan": GANConfig(
        generator=MLPGeneratorConfig(latent=DIGIT_LATENT, hidden=(256, 512), norm="batch", shape=(1, 32, 32)),
        discriminator=MLPJudgeConfig(hidden=(512, 256)),
    ),
    "cgan": ConditionalGANConfig(
        generator=MLPGeneratorConfig(latent=LABELLED_LATENT, hidden=(256, 512), norm="batch", shape=(1, 32, 32))
    ),
    "dcgan": DCGANConfig(generator=digit_generator(DIGIT_LATENT), discriminator=DIGIT_JUDGE),
    "growing": DCGANConfig(
        generator=digit_generator(DIGIT_LATENT, growing=True), discriminator=DIGIT_JUDGE, growth=1500
    ),
    "cdcgan": ConditionalDCGANConfig(generator=digit_generator(LABELLED_LATENT), discriminator=DIGIT_JUDGE),
    "lsgan": LSGANConfig(generator=digit_generator(DIGIT_LATENT), discriminator=DIGIT_JUDGE),
    "wgan": WGANConfig(generator=digit_generator(DIGIT_LATENT), discriminator=DIGIT_JUDGE),
    "wgan_gp": WGANGPConfig(generator=digit_generator(DIGIT_LATENT), discriminator=DIGIT_CRITIC),
    "sngan": SNGANConfig(generator=digit_generator(DIGIT_LATENT), discriminator=SPECTRAL_DIGIT_JUDGE),
    # Less noise than the paper's 62 numbers, beside which the code is faint; a code that survives small turns and
    # slants and that Q also finds in real digits, or else it settles for shapes that several digits share; a
    # discriminator that needs fewer iterations.
    "infogan": InfoGANConfig(
        generator=digit_generator(LatentConfig(noise=8, categories=(10,), continuous=2)),
        discriminator=DIGIT_JUDGE,
        invariance=1.0,
        lambda_clusters=5.0,
        discriminator_learning_rate=8e-4,
    ),
    "acgan": ACGANConfig(generator=digit_generator(LABELLED_LATENT), discriminator=DIGIT_JUDGE),
    "cogan": CoGANConfig(
        generator=CoupledGeneratorConfig(latent=DIGIT_LATENT, base_channels=32), discriminator=DIGIT_JUDGE
    ),
    "sdgan": SDGANConfig(generator=digit_generator(LatentConfig(noise=64, identity=32)), discriminator=DIGIT_JUDGE),
    "vae": VAEConfig(generator=digit_generator(LatentConfig(noise=16)), discriminator=DIGIT_JUDGE),
}
"""The methods for digits, by the beginnings of their presets' names."""
DIGIT_ITERATIONS = 6000


def digits(method: str) -> BaselineConfig:
    """A method on MNIST, or on whatever else comes as its idx files, in some minutes on a CPU."""
    recipe = DIGIT_RECIPES[method]
    companions: Mapping[str, Companion] = {"cogan": "edges", "sdgan": "same_class"}
    return BaselineConfig(
        name=f"{method}_digits",
        shows="handwritten digits",
        data=DigitsConfig(companion=companions.get(method, "none")),
        recipe=recipe,
        training=LoopConfig(
            iterations=DIGIT_ITERATIONS,
            batch_size=64 * _critic_steps(recipe),
            ema_decay=0.995,
            schedule="constant",
            channels_last=True,
        ),
    )


CIFAR_LATENT = LatentConfig(noise=128)
PICTURE_RECIPES: Mapping[str, BaselineRecipeConfig] = {
    "dcgan": DCGANConfig(),
    "dcgan_32": DCGANConfig(generator=DCGANGeneratorConfig(size=32, base_channels=128)),
    "wgan_gp_32": WGANGPConfig(
        generator=DCGANGeneratorConfig(latent=CIFAR_LATENT, size=32, base_channels=128),
        discriminator=DCGANJudgeConfig(base_channels=128, norm="none"),
        betas=(0.5, 0.9),
    ),
    "sngan_32": SNGANConfig(
        generator=DCGANGeneratorConfig(latent=CIFAR_LATENT, size=32, base_channels=128),
        discriminator=DCGANJudgeConfig(base_channels=128, norm="none", spectral_norm=True),
    ),
    "growing_128": DCGANConfig(generator=DCGANGeneratorConfig(size=128, growing=True), growth=10_000),
}
"""The methods for folders of pictures; `*_32` fit pictures of the size of CIFAR-10's, for a GPU."""


def pictures(method: str) -> BaselineConfig:
    """A method on a folder of pictures."""
    recipe = PICTURE_RECIPES[method]
    return BaselineConfig(
        name=f"{method}_pictures",
        shows="pictures",
        data=PicturesConfig.model_validate({"size": recipe.generator.shape[1]}),
        recipe=recipe,
        training=LoopConfig(
            iterations=50_000,
            batch_size=64 * _critic_steps(recipe),
            ema_decay=0.999,
            schedule="linear",
            decay_from=0.5,
            evaluate_every=2500,
            evaluation_pictures=500,
        ),
    )


def _critic_steps(recipe: BaselineRecipeConfig) -> int:
    """Parts that a batch is taken in."""
    return recipe.n_critic if isinstance(recipe, WGANConfig | WGANGPConfig) else 1


BASELINE_PRESETS: dict[str, Callable[[], BaselineConfig]] = {
    **{
        f"{method}_{distribution}": partial(points, method, distribution)
        for method in POINT_RECIPES
        for distribution in DISTRIBUTIONS
    },
    **{f"{method}_digits": partial(digits, method) for method in DIGIT_RECIPES},
    **{f"{method}_pictures": partial(pictures, method) for method in PICTURE_RECIPES},
}
POINT_BENCHMARKS = tuple(f"{method}_{distribution}" for distribution in ("ring", "grid") for method in POINT_RECIPES)
DIGIT_BENCHMARKS = ("cdcgan_digits", "acgan_digits", "dcgan_digits", "wgan_gp_digits", "infogan_digits", "vae_digits")
