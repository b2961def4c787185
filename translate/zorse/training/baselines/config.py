"""The settings of a run whose generator draws samples from noise."""

import math
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from zorse.card import TrainingData
from zorse.data.samples.config import Companion, SampleDataConfig
from zorse.recipes.acgan import ACGANConfig
from zorse.recipes.cdcgan import ConditionalDCGANConfig
from zorse.recipes.cgan import ConditionalGANConfig
from zorse.recipes.cogan import CoGANConfig
from zorse.recipes.dcgan import DCGANConfig
from zorse.recipes.gan import GANConfig
from zorse.recipes.infogan import InfoGANConfig
from zorse.recipes.lsgan import FAKE, REAL, LSGANConfig
from zorse.recipes.sdgan import SDGANConfig
from zorse.recipes.sngan import SNGANConfig
from zorse.recipes.vae import VAEConfig
from zorse.recipes.wgan import WGANConfig
from zorse.recipes.wgan_gp import WGANGPConfig
from zorse.sample_architecture import DCGANJudgeConfig
from zorse.training.config import RunConfig, read_settings, validated_as

BaselineRecipeConfig = Annotated[
    GANConfig
    | ConditionalGANConfig
    | DCGANConfig
    | ConditionalDCGANConfig
    | LSGANConfig
    | WGANConfig
    | WGANGPConfig
    | SNGANConfig
    | InfoGANConfig
    | ACGANConfig
    | CoGANConfig
    | SDGANConfig
    | VAEConfig,
    Field(discriminator="kind"),
]


class BaselineConfig(RunConfig):
    """Everything that makes such a run what it is."""

    name: str
    """Of the generator."""
    shows: str
    """What its samples show, in a few words."""
    training_data: TrainingData | None = None
    """Origin and licence of the samples, for the card."""
    data: SampleDataConfig
    recipe: BaselineRecipeConfig

    @property
    def boundary(self) -> float | None:
        """The logit at which an optimal discriminator holds real and generated to be equally likely; None for critics.

        One-sided smoothing moves it: real samples are then labelled 1 - s, and half of that is the middle.
        """
        match self.recipe:
            case GANConfig() | ConditionalGANConfig() | DCGANConfig() | ConditionalDCGANConfig():
                middle = (1 - self.recipe.tricks.label_smoothing) / 2
                return math.log(middle / (1 - middle))
            case LSGANConfig():
                return (REAL + FAKE) / 2
            case WGANConfig() | WGANGPConfig() | VAEConfig():
                return None
            case _:
                return 0.0

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        recipe = self.recipe
        points = len(recipe.generator.shape) == 1
        if points != (self.data.kind == "mixture"):
            raise ValueError(
                "points in the plane need data of the kind mixture and a generator of the shape [2]; pictures need "
                "digits or pictures"
            )
        if points and isinstance(recipe.discriminator, DCGANJudgeConfig):
            raise ValueError("points in the plane are judged by a discriminator of the kind mlp")
        if isinstance(recipe.discriminator, DCGANJudgeConfig) and recipe.generator.shape[1] not in (8, 16, 32, 64, 128):
            raise ValueError(
                f"a dcgan discriminator judges pictures of 8, 16, 32, 64 or 128 pixels, not {recipe.generator.shape[1]}"
            )
        if (
            isinstance(recipe, WGANGPConfig)
            and recipe.discriminator.kind == "dcgan"
            and (recipe.discriminator.norm == "batch")
        ):
            raise ValueError(
                "a gradient penalty needs a gradient for each picture, which BatchNorm mixes up: set "
                'recipe.discriminator.norm to "none"'
            )
        if self.data.companion != (wanted := _companion(recipe)) and not (
            wanted == "negative" and self.data.companion == "edges"
        ):
            names = {"none": "none", "same_class": "same_class", "negative": "negative or edges"}
            raise ValueError(f"{recipe.kind} needs data.companion to be {names[wanted]}, not {self.data.companion}")
        if self.training.compile or self.training.checkpoint_blocks:
            raise ValueError("training.compile and training.checkpoint_blocks are for translators: leave them out")
        if self.training.freeze or self.training.warm_up:
            raise ValueError(
                "training.freeze and training.warm_up are for runs that start from a model: leave them out"
            )
        return self


def _companion(recipe: BaselineRecipeConfig) -> Companion:
    match recipe:
        case CoGANConfig():
            return "negative"
        case SDGANConfig():
            return "same_class"
        case _:
            return "none"


def read_baseline_config(path: Path) -> BaselineConfig:
    """Read a TOML file.

    Raises:
        ConfigError: no such file, not TOML, an unknown key, or a value that does not fit.
    """
    return validated_as(BaselineConfig, read_settings(path), f"The configuration {path}")


def describes_baseline(path: Path) -> bool:
    """Whether a TOML file holds settings of such a run, and not of one that translates.

    Raises:
        ConfigError: no such file, or not TOML.
    """
    data = read_settings(path).get("data")
    return isinstance(data, dict) and data.get("kind") in ("mixture", "digits", "pictures")
