"""The architectures that draw samples from noise, as plain data; `zorse.model.architecture` holds those that translate.

This module imports no torch.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from zorse.model.architecture import Frozen

SampleNorm = Literal["batch", "virtual", "none"]
"""`virtual` takes the statistics of a reference batch that never changes (Salimans et al. 2016, section 3.5)."""


class LatentConfig(Frozen):
    """The vector that a generator draws from: noise, then the label, then codes, one after the other."""

    noise: PositiveInt = 100
    """Numbers of pure chance; 100 in DCGAN."""
    distribution: Literal["normal", "uniform"] = "normal"
    """`uniform` is that on [-1, 1], as in DCGAN."""
    identity: NonNegativeInt = 0
    """So many of the first noise numbers say who is shown, the others how (SD-GAN); 0: nothing is said apart."""
    classes: NonNegativeInt = 0
    """Labels to choose from, as one number each of which one is 1 (Mirza and Osindero 2014)."""
    categories: tuple[PositiveInt, ...] = ()
    """Values of each discrete code of InfoGAN, as one number each of which one is 1."""
    continuous: NonNegativeInt = 0
    """Continuous codes of InfoGAN, uniform on [-1, 1]."""

    @property
    def size(self) -> int:
        """Numbers in all."""
        return self.noise + self.classes + sum(self.categories) + self.continuous

    @model_validator(mode="after")
    def _identity_is_noise(self) -> Self:
        if self.identity >= self.noise:
            raise ValueError(f"identity must leave some of the {self.noise} noise numbers, but it is {self.identity}")
        return self


class MLPGeneratorConfig(Frozen):
    """Fully connected generator (Goodfellow et al. 2014)."""

    kind: Literal["mlp"] = "mlp"
    latent: LatentConfig = LatentConfig(noise=2)
    """What a sample is drawn from."""
    hidden: tuple[PositiveInt, ...] = (128, 128)
    """Width of each hidden layer, with ReLU."""
    norm: SampleNorm = "none"
    """Normalisation after each layer but the last."""
    shape: tuple[PositiveInt, ...] = (2,)
    """(2,) for points in the plane, without bounds; (channels, height, width) for pictures, in [-1, 1]."""

    @model_validator(mode="after")
    def _points_or_pictures(self) -> Self:
        if len(self.shape) not in (1, 3):
            raise ValueError(f"shape is (2,) for points or (channels, height, width) for pictures, not {self.shape}")
        return self


class DCGANGeneratorConfig(Frozen):
    """Generator of DCGAN (Radford et al. 2016, section 3): transposed convolutions from 4 x 4 pixels upwards."""

    kind: Literal["dcgan"] = "dcgan"
    latent: LatentConfig = LatentConfig()
    """What a sample is drawn from."""
    channels: Literal[1, 2, 3, 6] = 3
    """Of a picture; 2 and 6 are two pictures at once, as CoGAN draws them."""
    size: Literal[8, 16, 32, 64, 128] = 64
    """Side of a picture in pixels."""
    base_channels: PositiveInt = 64
    """Channels at half the full resolution, doubled at each lower one; the paper's ngf."""
    norm: SampleNorm = "batch"
    """Normalisation after each layer but the last."""
    growing: bool = False
    """Begin with 8 x 8 pixels and fade the higher resolutions in, one after the other (Karras et al. 2018)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width)."""
        return (self.channels, self.size, self.size)


class CoupledGeneratorConfig(Frozen):
    """Generators of CoGAN (Liu and Tuzel 2016): one picture per domain, all layers but the last ones shared."""

    kind: Literal["coupled"] = "coupled"
    latent: LatentConfig = LatentConfig()
    """What a sample is drawn from."""
    channels: Literal[1, 3] = 1
    """Of one picture."""
    size: Literal[16, 32, 64, 128] = 32
    """Side of a picture in pixels."""
    base_channels: PositiveInt = 64
    """Channels at half the full resolution, doubled at each lower one; the papers' ngf."""
    norm: SampleNorm = "batch"
    """Normalisation after each layer but the last."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(2 * channels, height, width): the pictures of both domains, one after the other along the channels."""
        return (2 * self.channels, self.size, self.size)


SampleGeneratorConfig = Annotated[
    MLPGeneratorConfig | DCGANGeneratorConfig | CoupledGeneratorConfig, Field(discriminator="kind")
]


class MLPJudgeConfig(Frozen):
    """Fully connected discriminator, critic or encoder."""

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[PositiveInt, ...] = (128, 128)
    """Width of each hidden layer, with LeakyReLU 0.2."""
    spectral_norm: bool = False
    """Limit how steep the network can become, by spectral normalisation of its weights (Miyato et al. 2018)."""
    minibatch_kernels: NonNegativeInt = 0
    """Numbers that tell how near a sample is to the others of its batch (minibatch discrimination, Salimans et al.
    2016, section 3.2); 0: each sample is judged alone."""


class DCGANJudgeConfig(Frozen):
    """Discriminator of DCGAN: strided convolutions down to 4 x 4 pixels."""

    kind: Literal["dcgan"] = "dcgan"
    base_channels: PositiveInt = 64
    """Channels of the first convolution, doubled by each further one; the paper's ndf."""
    norm: Literal["batch", "none"] = "batch"
    """`none` for critics with a gradient penalty, where each picture must have a gradient of its own."""
    spectral_norm: bool = False
    """Limit how steep the network can become, by spectral normalisation of its weights (Miyato et al. 2018)."""
    minibatch_kernels: NonNegativeInt = 0
    """As above."""


SampleJudgeConfig = Annotated[MLPJudgeConfig | DCGANJudgeConfig, Field(discriminator="kind")]
