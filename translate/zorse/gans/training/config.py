"""The settings of a run whose generator draws samples from noise."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from zorse.errors import ConfigError
from zorse.gans.architecture import DCGANGeneratorConfig, DCGANJudgeConfig
from zorse.gans.data.config import Companion, SampleDataConfig
from zorse.gans.recipes.acgan import ACGANConfig
from zorse.gans.recipes.cdcgan import ConditionalDCGANConfig
from zorse.gans.recipes.cgan import ConditionalGANConfig
from zorse.gans.recipes.cogan import CoGANConfig
from zorse.gans.recipes.dcgan import DCGANConfig
from zorse.gans.recipes.gan import GANConfig
from zorse.gans.recipes.infogan import InfoGANConfig
from zorse.gans.recipes.lsgan import FAKE, REAL, LSGANConfig
from zorse.gans.recipes.sdgan import SDGANConfig
from zorse.gans.recipes.sngan import SNGANConfig
from zorse.gans.recipes.vae import VAEConfig
from zorse.gans.recipes.wgan import WGANConfig
from zorse.gans.recipes.wgan_gp import WGANGPConfig
from zorse.model.card import TrainingData
from zorse.recipes.losses import decision_boundary
from zorse.training.config import LoopConfig, RunConfig, validated_as
from zorse.training.files import RunFolder, check_same_method, draws_samples, read_settings

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
    """Origin and licence of the samples, for the card; None: the folder's name, and that nothing is known."""
    data: SampleDataConfig
    """The samples to learn from."""
    recipe: BaselineRecipeConfig
    """The method with its networks."""

    @property
    def boundary(self) -> float | None:
        """The logit at which an optimal discriminator holds real and generated to be equally likely; None for critics.

        One-sided smoothing moves it: real samples are then labelled 1 - s, and half of that is the middle.
        """
        match self.recipe:
            case GANConfig() | ConditionalGANConfig() | DCGANConfig() | ConditionalDCGANConfig():
                return decision_boundary("nonsaturating", self.recipe.tricks.label_smoothing)
            case LSGANConfig():
                return (REAL + FAKE) / 2
            case WGANConfig() | WGANGPConfig() | VAEConfig():
                return None
            case _:
                return 0.0

    @property
    def keeps_scene(self) -> bool:
        """See `RunConfig`: latents show nothing."""
        return False

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        _check_networks(self.recipe, points=self.data.kind == "mixture")
        allowed = _companions(self.recipe)
        if self.data.companion not in allowed:
            raise ValueError(
                f"{self.recipe.kind} needs data.companion to be {' or '.join(allowed)}, not {self.data.companion}"
            )
        settings = self.training
        if settings.batch_size < 2:
            raise ValueError(
                "training.batch_size must be at least 2: BatchNorm needs samples to compare, and baselines learn from "
                "batches"
            )
        if settings.compile or settings.checkpoint_blocks or settings.freeze or settings.warm_up:
            raise ValueError(
                "training.compile, checkpoint_blocks, freeze and warm_up are for translators: leave them out"
            )
        if settings.num_workers != LoopConfig().num_workers:
            raise ValueError("training.num_workers is for translators: these samples are kept in memory; leave it out")
        return self


def _check_networks(recipe: BaselineRecipeConfig, points: bool) -> None:
    """Raises ValueError where networks do not fit the samples, or each other."""
    generator, judge = recipe.generator, recipe.discriminator
    if (len(generator.shape) == 1) != points:
        raise ValueError(
            "points in the plane need data of the kind mixture and a generator of the shape [2]; pictures need digits "
            "or pictures"
        )
    if isinstance(generator, DCGANGeneratorConfig) and generator.growing and not isinstance(recipe, DCGANConfig):
        raise ValueError("only dcgan knows how to grow: leave recipe.generator.growing out")
    if isinstance(judge, DCGANJudgeConfig):
        if points:
            raise ValueError("points in the plane are judged by a discriminator of the kind mlp")
        if generator.shape[1:] not in {(size, size) for size in (8, 16, 32, 64, 128)}:
            raise ValueError(
                "a dcgan discriminator judges squares of 8, 16, 32, 64 or 128 pixels, but the generator draws "
                f"{generator.shape[1]} x {generator.shape[2]}"
            )
    mixes = judge.minibatch_kernels > 0 or (isinstance(judge, DCGANJudgeConfig) and judge.norm == "batch")
    if isinstance(recipe, WGANGPConfig) and mixes:
        raise ValueError(
            "a gradient penalty needs a gradient for each sample, which BatchNorm and minibatch discrimination mix up: "
            'set recipe.discriminator.norm to "none" and minibatch_kernels to 0'
        )
    if points and _augments(recipe):
        raise ValueError("recipe.tricks.augment is for pictures: leave it out for points")


def _augments(recipe: BaselineRecipeConfig) -> bool:
    match recipe:
        case GANConfig() | ConditionalGANConfig() | DCGANConfig() | ConditionalDCGANConfig():
            return bool(recipe.tricks.augment)
        case _:
            return False


def _companions(recipe: BaselineRecipeConfig) -> tuple[Companion, ...]:
    """What may come with the samples that a method learns from."""
    match recipe:
        case CoGANConfig():
            return ("negative", "edges")
        case SDGANConfig():
            return ("same_class",)
        case _:
            return ("none",)


def read_baseline_config(path: Path) -> BaselineConfig:
    """Read a TOML file.

    Raises:
        ConfigError: no such file, not TOML, an unknown key, or a value that does not fit.
    """
    return validated_as(BaselineConfig, read_settings(path), f"The configuration {path}")


def settings_of(run: RunFolder, preset: BaselineConfig) -> BaselineConfig:
    """The settings that a run was started with: whoever lets it go on need not repeat them.

    Args:
        run: to go on with.
        preset: that was named for it; it is taken where the run holds no settings yet.

    Raises:
        ConfigError: the settings cannot be read, or the run trains something else.
    """
    if not run.config.exists():
        return preset
    if not draws_samples(run.config):
        raise ConfigError(
            f"The run in {run.root} trains a translator, but {preset.name} was named for going on with it. Name the "
            "preset that it was started with, or choose another --out."
        )
    saved = read_baseline_config(run.config)
    check_same_method(run, saved.recipe.kind, preset.recipe.kind)
    return saved
