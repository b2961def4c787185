"""The first weights of a run: those of models that exist, by name, file, run folder or foreign checkpoint."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from zorse.backends.torch.onnx_weights import load_onnx_generator
from zorse.backends.torch.safetensors_file import first_difference, load_generator
from zorse.errors import ChecksumMismatch, ConfigError, IncompatibleWeights, WeightsError
from zorse.legacy.files import networks_in
from zorse.legacy.reading import file_sha256, is_own, read_content
from zorse.legacy.recognise import ForeignGenerator
from zorse.loading import PICKLES, locate
from zorse.model.architecture import DiscriminatorConfig, GeneratorConfig
from zorse.model.card import Direction, ModelCard
from zorse.recipes.recipe import Recipe
from zorse.system.import_paths import check_allowed, is_import_path
from zorse.training.config import LoopConfig, RecipeConfig, StartingPoint, TrainConfig, read_config, validated
from zorse.training.files import RunFolder, check_same_method, check_translates, draws_samples, names_a_folder

LONGEST_WARM_UP = 200
"""Iterations that generators which start from a model wait for discriminators which do not, if the run is that long."""
WARM_UP_SHARE = 5
"""Else they wait for one of so many iterations."""

_DIRECTIONS: Mapping[str, Direction] = {"G_AB": "AtoB", "G_BA": "BtoA"}
_JUDGED: Mapping[str, Literal["A", "B"]] = {"D": "B", "D_A": "A", "D_B": "B"}
_PICTURE, _PAIR = 3, 6
"""Channels that a discriminator sees: the result, or in pix2pix the input, too."""


@dataclass(frozen=True, eq=False)
class TrainedGenerator:
    """A generator to start from."""

    model: str
    """A shipped model's name, or a file."""
    place: str
    """In the file: "" where it holds nothing else."""
    sha256: str
    """Of the file."""
    direction: Direction | None
    """None where nothing says it."""
    config: GeneratorConfig
    state: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class TrainedDiscriminator:
    """A discriminator to start from."""

    model: str
    place: str
    sha256: str
    domain: Literal["A", "B"]
    """Whose pictures it judges."""
    configs: tuple[DiscriminatorConfig, ...]
    in_channels: int
    state: Mapping[str, Tensor]


Trained = TrainedGenerator | TrainedDiscriminator


def read_model(model: str) -> list[Trained]:
    """The generators and discriminators of a model: shipped, a file, a run folder, or a foreign checkpoint or folder.

    Raises:
        UnknownModel, WeightsError: there is none, or it cannot be read.
    """
    path = Path(model)
    if names_a_folder(model):
        run = RunFolder(path)
        check_translates(run)
        for checkpoint in (run.best_checkpoint, run.last_checkpoint):
            if checkpoint.exists():
                return _in_checkpoint(checkpoint)
        files = sorted(run.generators.glob("*.safetensors"))
        return [_in_model_file(str(file)) for file in files] or _in_foreign(path)
    if path.suffix.lower() in PICKLES:
        return _in_checkpoint(path) if is_own(read_content(path)) else _in_foreign(path)
    return [_in_model_file(model)]


def _in_model_file(model: str) -> TrainedGenerator:
    file = locate(model)
    network, card = load_onnx_generator(file) if file.suffix.lower() == ".onnx" else load_generator(file)
    check_trains(model, card)
    return TrainedGenerator(model, "", file_sha256(file), card.direction, card.architecture, network.state_dict())


def check_trains(model: str, card: ModelCard) -> None:
    """Whether training can go on from a generator, or learn from it.

    Raises:
        IncompatibleWeights: it works with other numbers than those of the training.
    """
    if card.value_range != (-1, 1):
        lowest, highest = card.value_range
        raise IncompatibleWeights(
            f"The network of {model} takes and gives numbers from {lowest:g} to {highest:g}; training works with -1 to "
            "1. Take a generator of that range."
        )


def _in_checkpoint(file: Path) -> list[Trained]:
    """The averaged generators and the discriminators of a checkpoint of ours, of whatever version.

    Its settings may be somebody else's, and a run that starts from it takes its generator over: what they name has to
    be allowed.
    """
    content, sha256 = read_content(file), file_sha256(file)
    try:
        recipe = tomllib.loads(content["config"])["recipe"]
        generator: GeneratorConfig = TypeAdapter(GeneratorConfig).validate_python(recipe["generator"])
        judges: tuple[DiscriminatorConfig, ...] = TypeAdapter(tuple[DiscriminatorConfig, ...]).validate_python(
            recipe["discriminators"]
        )
        for config in (generator, *judges):
            if is_import_path(config.kind):
                check_allowed(config.kind)
        in_channels = _PAIR if recipe["kind"] == "pix2pix" else _PICTURE
        generators = [
            TrainedGenerator(str(file), f"averages.{name}", sha256, _DIRECTIONS.get(name), generator, state)
            for name, state in content["averages"].items()
        ]
        discriminators = [
            TrainedDiscriminator(str(file), f"networks.{name}", sha256, domain, judges, in_channels, state)
            for name, domain in _JUDGED.items()
            if (state := content["networks"].get(name)) is not None
        ]
    except (KeyError, TypeError, AttributeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise WeightsError(
            f"{file} is no checkpoint that this version of Zorse can start from ({error}). Start from the run's "
            ".safetensors files instead."
        ) from error
    return [*generators, *discriminators]


def _in_foreign(path: Path) -> list[Trained]:
    trained: list[Trained] = []
    for found in networks_in(path):
        file, place, sha256, network = str(found.file), found.place, file_sha256(found.file), found.network
        if isinstance(network, ForeignGenerator):
            trained.append(TrainedGenerator(file, place, sha256, found.direction, network.config, network.state))
        else:
            domain = _JUDGED.get(found.name or "D", "B")
            configs = (network.config,)
            trained.append(
                TrainedDiscriminator(file, place, sha256, domain, configs, network.in_channels, network.state)
            )
    return trained


# Before the run: who starts from what


class Start(NamedTuple):
    """The config of a run that starts from models, and what there is to say about it."""

    config: TrainConfig
    remarks: tuple[str, ...]


def start_from(config: TrainConfig, models: Sequence[str], *, fixed_generator: bool = False) -> Start:
    """The config with the models' generator, and with `start` and `training.warm_up` filled in.

    In CycleGAN a generator takes the place that its model's direction says. What no model is given for starts fresh.

    Args:
        config: of the run without models.
        models: each a shipped name, a model file, a run folder, a foreign checkpoint or a folder of them.
        fixed_generator: whether the user has set the generator, so that another one is an error.

    Raises:
        ConfigError: two models for one place, different generators, or another one than the user has set.
        WeightsError: a model cannot be read.
    """
    contents = {model: read_model(model) for model in models}
    generators = _generators(config.recipe, contents)
    architecture = _common_architecture(config, list(generators.values()), fixed_generator)
    discriminators = _discriminators(config.recipe, contents)
    remarks = _left_out(contents, discriminators)
    if architecture != config.recipe.generator:
        remarks.insert(0, f"The generator is that of {models[0]} instead of the preset's: {architecture!r}.")
    all_start = len(discriminators) == len(config.recipe.judged)
    changes = {
        "recipe": config.recipe.model_copy(update={"generator": architecture}),
        "training": config.training.model_copy(update={"warm_up": _warm_up(config.training, all_start)}),
        "start": tuple(
            StartingPoint(network=name, model=trained.model, place=trained.place, sha256=trained.sha256)
            for name, trained in (generators | discriminators).items()
        ),
    }
    return Start(validated(config.model_copy(update=changes).model_dump()), tuple(remarks))


def _warm_up(settings: LoopConfig, discriminators_start: bool) -> int:
    if settings.warm_up is not None:
        return settings.warm_up
    if discriminators_start:
        return 0
    return (
        LONGEST_WARM_UP if settings.iterations is None else min(LONGEST_WARM_UP, settings.iterations // WARM_UP_SHARE)
    )


def _generators(recipe: RecipeConfig, contents: Mapping[str, list[Trained]]) -> dict[str, TrainedGenerator]:
    """By the names of the recipe's generators."""
    chosen: dict[str, TrainedGenerator] = {}
    for model, content in contents.items():
        found = [trained for trained in content if isinstance(trained, TrainedGenerator)]
        if not found:
            raise WeightsError(f"{model} holds discriminators only. Name the model or folder with the generator, too.")
        if len(recipe.directions) == 1:  # Its generator goes from A to B.
            found = [min(found, key=lambda generator: generator.direction == "BtoA")]
        for generator in found:
            name = _generator_name(recipe, generator, chosen)
            if name in chosen:
                raise ConfigError(
                    f"{chosen[name].model} and {generator.model} would both start {name}. Give --from once for each "
                    "generator: a model translates A to B or B to A, as 'zorse models info' says."
                )
            chosen[name] = generator
    return chosen


def _generator_name(recipe: RecipeConfig, generator: TrainedGenerator, taken: Mapping[str, TrainedGenerator]) -> str:
    names = list(recipe.directions)
    fitting = [name for name, way in recipe.directions.items() if generator.direction in (None, way)]
    return next((name for name in fitting if name not in taken), (fitting or names)[0])


def _common_architecture(
    config: TrainConfig, generators: Sequence[TrainedGenerator], fixed_generator: bool
) -> GeneratorConfig:
    first, before = generators[0], config.recipe.generator
    other = next((generator for generator in generators if generator.config != first.config), None)
    if other is not None:
        raise ConfigError(
            f"The generators of one run are alike, but {first.model} is {first.config!r} and {other.model} is "
            f"{other.config!r}. Start from one of them."
        )
    if fixed_generator and before != first.config:
        raise ConfigError(
            f"The generator of {first.model} is {first.config!r}, but recipe.generator is set to {before!r}. Leave "
            "that setting out to start from the model, or --from to start fresh."
        )
    return first.config


def _discriminators(recipe: RecipeConfig, contents: Mapping[str, list[Trained]]) -> dict[str, TrainedDiscriminator]:
    """By the names of the recipe's discriminators; those built otherwise, or for other input, are left out."""
    in_channels = _PAIR if recipe.judges_pairs else _PICTURE
    fitting = {
        trained.domain: trained
        for content in contents.values()
        for trained in content
        if isinstance(trained, TrainedDiscriminator)
        and (trained.configs, trained.in_channels) == (recipe.discriminators, in_channels)
    }
    return {name: fitting[domain] for name, domain in recipe.judged.items() if domain in fitting}


def _left_out(contents: Mapping[str, list[Trained]], discriminators: Mapping[str, TrainedDiscriminator]) -> list[str]:
    """A remark on each model whose discriminators do not fit."""
    remarks = []
    for model, content in contents.items():
        judges = [trained for trained in content if isinstance(trained, TrainedDiscriminator)]
        if judges and not any(judge in discriminators.values() for judge in judges):
            remarks.append(
                f"The discriminators of {model} do not fit recipe.discriminators and are left out: they are "
                f"{list(judges[0].configs)!r} and look at {judges[0].in_channels} channels."
            )
    return remarks


def settings_of(run: RunFolder, preset: TrainConfig) -> TrainConfig:
    """The settings that a run was started with: whoever lets it go on need not repeat them.

    Args:
        run: to go on with.
        preset: that was named for it; it is taken where the run holds no settings yet.

    Raises:
        ConfigError: the settings cannot be read, or the preset is of another method.
    """
    if not run.config.exists():
        return preset
    if draws_samples(run.config):
        raise ConfigError(
            f"The run in {run.root} draws samples from noise, but {preset.name}, which translates, was named for going "
            "on with it. Name the preset that it was started with, or choose another --out."
        )
    saved = read_config(run.config)
    check_same_method(run, saved.recipe.kind, preset.recipe.kind)
    return saved


def resumed(config: TrainConfig, run: RunFolder) -> TrainConfig:
    """The config of a run that goes on, with what it once started from, that generator, and the warm-up."""
    if not run.config.exists():
        return config
    saved = read_config(run.config)
    if not saved.start:
        return config
    warm_up = saved.training.warm_up if config.training.warm_up is None else config.training.warm_up
    changes = {
        "recipe": config.recipe.model_copy(update={"generator": saved.recipe.generator}),
        "training": config.training.model_copy(update={"warm_up": warm_up}),
        "start": saved.start,
    }
    return validated(config.model_copy(update=changes).model_dump())


# In the run: the weights themselves


def load_start(recipe: Recipe[Any], config: TrainConfig) -> list[str]:
    """Give the networks of `config.start` their first weights, and say which start from what.

    Raises:
        ConfigError: the recipe has no such network.
        WeightsError: a model cannot be read.
        ChecksumMismatch: a file has changed since it was chosen.
        IncompatibleWeights: the weights are those of another network.
    """
    contents = {model: read_model(model) for model in {point.model for point in config.start}}
    for point in config.start:
        _load(recipe, point, contents[point.model])
    if not config.start:
        return []
    lines = [f"{point.network} starts from {point.model}." for point in config.start]
    fresh = [name for name in recipe.networks if name not in {point.network for point in config.start}]
    if fresh:
        lines.append(f"{_listed(fresh)} {'start' if len(fresh) > 1 else 'starts'} fresh.")
    if config.training.warm_up:
        lines.append(
            f"For {config.training.warm_up} iterations the generators wait until the discriminators know them "
            "(training.warm_up)."
        )
    return lines


def _load(recipe: Recipe[Any], point: StartingPoint, content: Sequence[Trained]) -> None:
    network = recipe.networks.get(point.network)
    if network is None:
        raise ConfigError(
            f"start names the network {point.network!r}, which the recipe does not have. It has: "
            f"{', '.join(recipe.networks)}."
        )
    trained = next((entry for entry in content if entry.place == point.place), None)
    if trained is None:
        raise WeightsError(f"{point.model} holds no network at {point.place!r}, from which {point.network} starts.")
    if point.sha256 not in ("", trained.sha256):
        raise ChecksumMismatch(
            f"{point.model} has changed since it was chosen to start {point.network}: its sha256 is {trained.sha256}, "
            f"{point.sha256} was expected. Put the old file back, or choose the new one with --from."
        )
    difference = first_difference(network.state_dict(), trained.state)
    if difference is not None:
        raise IncompatibleWeights(
            f"{point.network} cannot start from {point.model}: {difference}. The settings of the recipe describe "
            "another network than the model is."
        )
    network.load_state_dict(trained.state)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
