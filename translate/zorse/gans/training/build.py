"""From the settings of a baseline to the method."""

from typing import Any

from zorse.errors import ConfigError
from zorse.gans.data.batch import SampleSet
from zorse.gans.recipes.acgan import ACGAN, ACGANConfig
from zorse.gans.recipes.cdcgan import ConditionalDCGAN, ConditionalDCGANConfig
from zorse.gans.recipes.cgan import ConditionalGAN, ConditionalGANConfig
from zorse.gans.recipes.cogan import CoGAN, CoGANConfig
from zorse.gans.recipes.dcgan import DCGAN, DCGANConfig
from zorse.gans.recipes.gan import GAN, GANConfig
from zorse.gans.recipes.infogan import InfoGAN, InfoGANConfig
from zorse.gans.recipes.lsgan import LSGAN, LSGANConfig
from zorse.gans.recipes.sdgan import SDGAN, SDGANConfig
from zorse.gans.recipes.sngan import SNGAN, SNGANConfig
from zorse.gans.recipes.vae import VAE, VAEConfig
from zorse.gans.recipes.wgan import WGAN, WGANConfig
from zorse.gans.recipes.wgan_gp import WGANGP, WGANGPConfig
from zorse.gans.training.config import BaselineConfig, BaselineRecipeConfig
from zorse.recipes.recipe import Recipe


def build_baseline(config: BaselineRecipeConfig) -> Recipe[Any]:
    """The method that a config describes, with fresh networks."""
    match config:
        case GANConfig():
            return GAN(config)
        case ConditionalGANConfig():
            return ConditionalGAN(config)
        case DCGANConfig():
            return DCGAN(config)
        case ConditionalDCGANConfig():
            return ConditionalDCGAN(config)
        case LSGANConfig():
            return LSGAN(config)
        case WGANConfig():
            return WGAN(config)
        case WGANGPConfig():
            return WGANGP(config)
        case SNGANConfig():
            return SNGAN(config)
        case InfoGANConfig():
            return InfoGAN(config)
        case ACGANConfig():
            return ACGAN(config)
        case CoGANConfig():
            return CoGAN(config)
        case SDGANConfig():
            return SDGAN(config)
        case VAEConfig():
            return VAE(config)


def check_samples(config: BaselineConfig, samples: SampleSet) -> None:
    """See that the networks fit the samples.

    Raises:
        ConfigError: another shape, or another number of classes.
    """
    shape = config.recipe.generator.shape
    if isinstance(config.recipe, CoGANConfig):
        shape = (shape[0] // 2, *shape[1:])
    if samples.shape != shape:
        raise ConfigError(
            f"The samples are {_size(samples.shape)}, but recipe.generator draws {_size(shape)}. Set "
            "recipe.generator.size and .channels (or .shape of an mlp), or data.size and data.channels, so that they "
            "agree."
        )
    told = config.recipe.generator.latent.classes
    if told and told != len(samples.class_names):
        raise ConfigError(
            f"The samples have {len(samples.class_names)} classes ({', '.join(samples.class_names[:12])}), but "
            f"recipe.generator.latent.classes is {told}. Set it to {len(samples.class_names)}, and put each class in a "
            "folder of its own if there should be more."
        )


def _size(shape: tuple[int, ...]) -> str:
    if len(shape) == 1:
        return f"points of {shape[0]} numbers"
    return f"pictures of {shape[1]} x {shape[2]} pixels with {shape[0]} {'channel' if shape[0] == 1 else 'channels'}"
