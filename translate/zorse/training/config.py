"""The settings of a training run: read from presets, TOML files and `--set key=value`; an unknown key is an error."""

import tomllib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import tomli_w
from pydantic import (
    BaseModel,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from zorse.data.config import DataConfig
from zorse.errors import ConfigError, did_you_mean
from zorse.model.architecture import CUSTOM, Frozen, by_kind, kind_of, kind_of_model
from zorse.model.card import TrainingData
from zorse.recipes.custom import CustomRecipeConfig
from zorse.recipes.cut import CUTConfig
from zorse.recipes.cyclegan import CycleGANConfig
from zorse.recipes.distillation import DistillationConfig
from zorse.recipes.losses import Objective, decision_boundary
from zorse.recipes.pix2pix import Pix2PixConfig
from zorse.system.import_paths import is_import_path, module_of
from zorse.training.files import read_settings

AlarmName = Literal[
    "discriminator_overpowering",
    "vanishing_gradient",
    "mode_collapse",
    "colour_inversion",
    "checkerboard",
    "identity_collapse",
    "stagnation",
]
"""What the flight recorder warns of, besides values that are not finite."""

RecipeConfig = Annotated[
    Annotated[Pix2PixConfig, Tag("pix2pix")]
    | Annotated[CycleGANConfig, Tag("cyclegan")]
    | Annotated[CUTConfig, Tag("cut")]
    | Annotated[DistillationConfig, Tag("distillation")]
    | Annotated[CustomRecipeConfig, Tag(CUSTOM)],
    by_kind("pix2pix", "cyclegan", "cut", "distillation"),
]


class LoopConfig(Frozen):
    """Settings of the loop, the same for every recipe."""

    epochs: PositiveFloat = 200.0
    """Passes through the data; 200 in both papers."""
    iterations: PositiveInt | None = None
    """Steps in all; stands in for `epochs` where given."""
    batch_size: PositiveInt = 1
    """Samples per step; 1 in both papers."""
    accumulate: PositiveInt = 1
    """Steps whose gradients are averaged before the parameters move."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the initial weights, the data's order and every other chance."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls to zero."""
    decay_from: float = Field(default=0.5, ge=0, le=1)
    """Share of the run after which it begins to fall; half in both papers."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Precision of the networks' computations; weights and losses stay in 32 bits. bf16 and fp16 are faster on GPUs."""
    channels_last: bool = False
    """Store activations as NHWC: faster on GPUs with bf16 or fp16."""
    compile: bool = False
    """Compile the networks with torch.compile: slow to start, then faster."""
    checkpoint_blocks: bool = False
    """Keep only what goes into the generators' blocks, and compute the rest again on the way back: far less memory,
    about a third more time, the same result."""
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the generators' moving average, which is what gets exported; 0 exports the weights as they are."""
    num_workers: NonNegativeInt = 1
    """Processes that load pictures ahead."""
    log_every: PositiveInt = 50
    """Steps between lines in metrics.jsonl and TensorBoard."""
    sample_every: PositiveInt = 500
    """Steps between grids of pictures in samples/ and TensorBoard."""
    save_every: PositiveInt = 500
    """Steps between checkpoints."""
    keep_every: NonNegativeInt = 0
    """Steps between generators that are kept for good, in generators_kept/, to compare them later; 0: none."""
    evaluate_every: NonNegativeInt = 1000
    """Steps between measurements of KID, by which the best checkpoint is kept; 0: never."""
    evaluation_pictures: int = Field(default=100, ge=2)
    """Most pictures of each domain that it is measured on; figures become steady from about 50 on."""
    warm_up: NonNegativeInt | None = None
    """First iterations, in which the discriminators learn alone; None: where generators start from a model and
    discriminators do not, a fifth of all, at most 200, else 0."""
    freeze: tuple[str, ...] = ()
    """Layers that keep the weights that they start with: "encoder", a generator's modules such as "layers.1*", or those
    of any network, such as "D_A.layers.0*"."""
    recorder: bool = True
    """Measure the run's health every `log_every` steps, and raise alarms with cause and remedy."""
    silence: tuple[AlarmName, ...] = ()
    """Alarms that shall not be raised, such as colour_inversion where day becomes night."""
    rollback: bool = False
    """When the run collapses, go back to the last healthy checkpoint with lower learning rates."""
    rollback_limit: PositiveInt = 3
    """Rollbacks after which a run that collapses again ends with an error."""
    rollback_factor: float = Field(default=0.5, gt=0, lt=1)
    """What the learning rates are multiplied with at each rollback."""


class StartingPoint(Frozen):
    """Where the first weights of a network come from."""

    network: str
    """Name in the recipe: G_AB, D_A and so on."""
    model: str
    """A shipped model's name, or a file."""
    place: str = ""
    """Of the network in a file that holds several."""
    sha256: str = ""
    """Of the file; empty: any."""


class RunConfig(Frozen, ABC):
    """What runs of every kind have: those that translate, and those that draw samples (`zorse.gans`)."""

    training: LoopConfig = LoopConfig()
    """The loop: how long, how fast, what is written when."""

    @property
    @abstractmethod
    def boundary(self) -> float | None:
        """The logit at which an optimal discriminator holds both to be equally likely; None for critics."""

    @property
    @abstractmethod
    def keeps_scene(self) -> bool:
        """Whether output and input show the same things, and not anything, such as edges and photos."""


class TrainConfig(RunConfig):
    """Everything that makes a run what it is."""

    name: str = Field(min_length=1)
    """The model's name: "horse2zebra" for the direction A to B."""
    name_reverse: str | None = Field(default=None, min_length=1)
    """The name of the model for the direction B to A, for recipes that learn both."""
    domain_a: str
    """What the pictures of domain A show."""
    domain_b: str
    """What the pictures of domain B show."""
    training_data: TrainingData | None = None
    """Origin and licence of the pictures, for the model card; None: the folder's name, and that nothing is known."""
    data: DataConfig
    """How the pictures lie in their folder, and how they are cut."""
    recipe: RecipeConfig
    """The method with its networks."""
    start: tuple[StartingPoint, ...] = ()
    """Networks that do not start with random weights; `--from` fills this in."""

    @property
    def native_size(self) -> int:
        """Short side, in pixels, of pictures that the generators are made for: that of whole ones while training."""
        last = self.data.at(1.0)
        return last.crop_size if self.recipe.generator.works_on_crops else last.native_size

    @property
    def boundary(self) -> float | None:
        """See `RunConfig`."""
        if isinstance(self.recipe, CustomRecipeConfig):
            return self.recipe.boundary
        return decision_boundary(self.recipe.objective, self.recipe.label_smoothing)

    @property
    def keeps_scene(self) -> bool:
        """See `RunConfig`."""
        return self.recipe.keeps_scene

    @property
    def code(self) -> frozenset[str]:
        """Modules of others that these settings name. Who trains with them allows these (`allow_code`)."""
        recipe = self.recipe
        parts = [recipe, recipe.generator, *recipe.discriminators]
        paths = [part.kind for part in parts if is_import_path(part.kind)] + [*self.data.readers.values()]
        return frozenset(map(module_of, paths))

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        crop, generator = self.data.crop_size, self.recipe.generator
        objective, smoothing = _game(self.recipe)
        if (generator.in_channels, generator.out_channels) != (3, 3):
            raise ValueError("pictures have 3 channels, so the generator's in_channels and out_channels must be 3")
        if self.name_reverse == self.name:
            raise ValueError(
                f"name and name_reverse are both {self.name!r}: the models of both directions need names of their own"
            )
        for side in (crop, *(stage.crop_size for stage in self.data.stages)):
            if side % generator.size_multiple:
                raise ValueError(
                    f"data.crop_size is {side}, but a {generator.kind} generator of these settings takes multiples of "
                    f"{generator.size_multiple} pixels"
                )
        if self.training.compile and self.training.checkpoint_blocks:
            raise ValueError(
                "training.compile does not go with training.checkpoint_blocks: a compiled network decides by itself "
                "what it computes again"
            )
        if self.training.compile and objective == "wgan_gp":
            raise ValueError(
                "training.compile does not go with recipe.objective wgan_gp, since PyTorch cannot compile the second "
                "derivatives of its gradient penalty"
            )
        if self.training.iterations is not None and (self.training.warm_up or 0) >= self.training.iterations:
            raise ValueError(
                f"training.warm_up is {self.training.warm_up} of {self.training.iterations} iterations, so the "
                "generators would never learn"
            )
        if smoothing > 0 and objective in ("hinge", "wgan_gp"):
            raise ValueError(
                f"recipe.label_smoothing has no meaning with recipe.objective {objective}, which knows no "
                "labels: leave it at 0, or take nonsaturating or lsgan"
            )
        for judge in self.recipe.discriminators:
            if objective == "wgan_gp" and judge.mixes_batch:
                raise ValueError(
                    "a gradient penalty needs a gradient for each picture, which BatchNorm mixes up: with "
                    'recipe.objective wgan_gp the norm of each of recipe.discriminators must be "instance" or "none"'
                )
            if crop < judge.smallest_picture:
                sizes = {key: value for key, value in judge.model_dump().items() if type(value) is int}
                raise ValueError(
                    f"data.crop_size is {crop}, but a {judge.kind} discriminator with "
                    f"{' and '.join(f'{key} = {value}' for key, value in sizes.items())} judges pictures of at least "
                    f"{judge.smallest_picture} pixels"
                )
        return self


def _game(recipe: RecipeConfig) -> tuple[Objective | None, float]:
    """What generators and discriminators play for, and the label smoothing; of a method of others nothing is known."""
    return (None, 0.0) if isinstance(recipe, CustomRecipeConfig) else (recipe.objective, recipe.label_smoothing)


Settings = TypeVar("Settings", bound=RunConfig)


def with_overrides(config: Settings, overrides: Iterable[str]) -> Settings:
    """The config with `key.subkey=value` settings applied; values are written as in TOML, bare words are strings.

    A list is replaced as a whole; so is a table, where what is not given gets its default:
    recipe.generator={kind="resnet", n_blocks=6}. Elements of lists have numbers: recipe.discriminators.0.n_layers=2.

    Raises:
        ConfigError: not of that form, an unknown key (the nearest known one is named), or a value that does not fit.
    """
    settings = config.model_dump(mode="json")
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise ConfigError(
                f"A setting is written as key=value, for example recipe.lambda_cycle=5, not {override!r}."
            )
        _set(settings, type(config), key.strip(), _value(text.strip()))
    return validated_as(type(config), settings)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(settings: dict[str, Any], model: type[BaseModel], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    table: Any = settings
    for depth, parent in enumerate(parents, start=1):
        table = table[_place(table, parent, key)]
        if not isinstance(table, dict | list):
            raise ConfigError(
                f"{key!r} cannot be set: {'.'.join(parents[:depth])} is not a table now. Give its whole value, lists "
                'as [...] and tables as {key = value, ...}, for example recipe.discriminators=[{kind="pixel"}].'
            )
    place = _place(table, last, key)
    if place == "kind" and value != table[place]:
        raise ConfigError(
            f"Another kind has other settings, so {key!r} cannot be set alone. Give the whole table: "
            f'{".".join(parents)}={{kind="{value}"}}, with those settings in it that shall differ from its defaults.'
        )
    here = tuple(part for part in key.split(".") if not part.isdigit())
    table[place] = (
        [_complete(each, here, model) for each in value] if isinstance(value, list) else _complete(value, here, model)
    )


def _place(table: dict[str, Any] | list[Any], part: str, key: str) -> str | int:
    if isinstance(table, dict):
        if part not in table and kind_of(table) != CUSTOM:
            raise ConfigError(_unknown(key, part, table))
        return part
    if not part.isdigit() or int(part) >= len(table):
        raise ConfigError(f"{key!r} cannot be set: a number from 0 to {len(table) - 1} was wanted, not {part!r}.")
    return int(part)


def _complete(value: Any, place: tuple[str, ...], model: type[BaseModel]) -> Any:
    """A table with the defaults of its kind where it says nothing, so that later settings can change these."""
    if not isinstance(value, dict):
        return value
    for known in _models_at(place, model):
        if kind_of_model(known) in (None, kind_of(value)):
            with suppress(ValidationError):  # The whole is checked, and complained about, at the end.
                return known.model_validate(value).model_dump(mode="json")
    return value


def _unknown(full_key: str, part: str, known: Iterable[str]) -> str:
    guess = did_you_mean(part, known)
    return f"There is no setting {full_key!r}: {part!r} is unknown.{guess} Known there: {', '.join(sorted(known))}."


def validated(settings: Mapping[str, Any], source: str = "The training configuration") -> TrainConfig:
    """The config that a mapping describes.

    Args:
        settings: by their names, in tables.
        source: what the user knows them as, to begin an error with.

    Raises:
        ConfigError: an unknown key or a value that does not fit.
    """
    return validated_as(TrainConfig, settings, source)


def validated_as(
    model: type[Settings], settings: Mapping[str, Any], source: str = "The training configuration"
) -> Settings:
    """Likewise, for settings of another kind of run."""
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        complaints = " ".join(_complaint(problem, settings, model) for problem in error.errors())
        raise ConfigError(f"{source} is not valid. {complaints}") from error


def _complaint(problem: ErrorDetails, settings: Mapping[str, Any], model: type[BaseModel]) -> str:
    place = problem["loc"]
    key = _written_key(place, settings)
    if problem["type"] == "extra_forbidden":
        fields = {name for known in _models_at(place[:-1], model) for name in known.model_fields}
        return _unknown(key, str(place[-1]), fields)
    came = problem["input"]
    if problem["type"] == "kind":
        came = came.get("kind") if isinstance(came, Mapping) else came
        return f"{key}: {came!r} is {problem['msg']}."
    got = "" if isinstance(came, Mapping) else f" (got {came!r})"
    return f"{key or 'The settings together'}: {problem['msg'].removeprefix('Value error, ').rstrip('.')}{got}."


def _written_key(place: tuple[str | int, ...], settings: Any) -> str:
    """The key as the user writes it: without the kinds that pydantic puts between."""
    parts: list[str] = []
    for part in place:
        if isinstance(settings, Mapping) and part not in settings and part == kind_of(settings):
            continue
        parts.append(str(part))
        try:
            settings = settings[part]
        except (KeyError, IndexError, TypeError):  # Nothing is there: that is the complaint.
            settings = None
    return ".".join(parts)


def _models_at(place: tuple[str | int, ...], model: type[BaseModel]) -> list[type[BaseModel]]:
    """What may stand at a place in the config; a union's members are told apart by their `kind`."""
    models: list[type[BaseModel]] = [model]
    for part in place:
        if isinstance(part, int):
            continue  # Of a list, whose elements are of the models found already.
        chosen = [m for m in models if kind_of_model(m) == part]
        models = chosen or [inner for m in models if part in m.model_fields for inner in _models_in(m, part)]
    return models


def _models_in(model: type[BaseModel], field: str) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    todo: list[Any] = [model.model_fields[field].annotation]
    while todo:
        annotation = todo.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        todo.extend(getattr(annotation, "__args__", ()))
    return found


def read_config(path: Path) -> TrainConfig:
    """Read a TOML file.

    Raises:
        ConfigError: no such file, not TOML, an unknown key, or a value that does not fit.
    """
    return validated(read_settings(path), f"The configuration {path}")


def to_toml(config: RunConfig) -> str:
    """The config as TOML, which `read_config` reads back."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
