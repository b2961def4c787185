"""The settings of a training run: read from presets, TOML files and `--set key=value`; an unknown key is an error."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError

from zorse.architecture import Frozen
from zorse.card import TrainingData
from zorse.data.config import DataConfig
from zorse.errors import ConfigError
from zorse.recipes.cyclegan import CycleGANConfig
from zorse.recipes.pix2pix import Pix2PixConfig

RecipeConfig = Annotated[Pix2PixConfig | CycleGANConfig, Field(discriminator="kind")]


class LoopConfig(Frozen):
    """Settings of the loop, the same for every recipe."""

    epochs: PositiveFloat = 200.0
    """Passes through the data; 200 in both papers."""
    iterations: PositiveInt | None = None
    """Steps in all; stands in for `epochs` where given."""
    batch_size: PositiveInt = 1
    """Samples per step; 1 in both papers."""
    accumulate: PositiveInt = 1
    """Steps whose gradients are added up before the parameters move."""
    seed: NonNegativeInt = 0
    """Of the initial weights, the data's order and every other chance."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls to zero."""
    decay_from: float = Field(default=0.5, ge=0, le=1)
    """Share of the run after which it begins to fall; half in both papers."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = False
    """Store activations as NHWC: faster on GPUs with bf16 or fp16."""
    compile: bool = False
    """Compile the networks with torch.compile: slow to start, then faster."""
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


class TrainConfig(Frozen):
    """Everything that makes a run what it is."""

    name: str
    """Of the model: "horse2zebra" for the direction A to B."""
    name_reverse: str | None = None
    """Of the model for the direction B to A, for recipes that learn both."""
    domain_a: str
    """What the pictures of domain A show."""
    domain_b: str
    training_data: TrainingData | None = None
    """Origin and licence of the pictures, for the model card."""
    data: DataConfig
    recipe: RecipeConfig
    training: LoopConfig = LoopConfig()


def with_overrides(config: TrainConfig, overrides: Iterable[str]) -> TrainConfig:
    """The config with `key.subkey=value` settings applied; values are written as in TOML, bare words are strings.

    Raises:
        ConfigError: not of that form, an unknown key (the nearest known one is named), or a value that does not fit.
    """
    settings = config.model_dump()
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise ConfigError(
                f"A setting is written as key=value, for example recipe.lambda_cycle=5, not {override!r}."
            )
        _set(settings, key.strip().split("."), _value(text.strip()), key.strip())
    return validated(settings)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(settings: dict[str, Any], path: list[str], value: Any, full_key: str) -> None:
    *parents, last = path
    for parent in parents:
        inner = settings.get(parent)
        if not isinstance(inner, dict):
            raise ConfigError(_unknown(full_key, parent, settings))
        settings = inner
    if last not in settings:
        raise ConfigError(_unknown(full_key, last, settings))
    # A table replaces what was there: its kind may be another one, with other keys.
    settings[last] = value


def _unknown(full_key: str, part: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(part, list(known), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no setting {full_key!r}: {part!r} is unknown.{hint} Known there: {', '.join(sorted(known))}."


def validated(settings: Mapping[str, Any]) -> TrainConfig:
    """The config that a mapping describes.

    Raises:
        ConfigError: an unknown key or a value that does not fit.
    """
    try:
        return TrainConfig.model_validate(settings)
    except ValidationError as error:
        raise ConfigError("The training configuration is not valid. " + " ".join(_complaints(error))) from error


def _complaints(error: ValidationError) -> list[str]:
    complaints = []
    for problem in error.errors():
        place = [str(part) for part in problem["loc"]]
        if problem["type"] == "extra_forbidden":
            complaints.append(_unknown(".".join(place), place[-1], _fields_at(place[:-1])))
        else:
            complaints.append(f"{'.'.join(place) or 'configuration'}: {problem['msg']} (got {problem['input']!r}).")
    return complaints


def _fields_at(place: list[str]) -> list[str]:
    """Names of the settings at a place in the config; a union's members are told apart by their `kind`."""
    models: list[type[BaseModel]] = [TrainConfig]
    for part in place:
        chosen = [m for m in models if "kind" in m.model_fields and m.model_fields["kind"].default == part]
        models = chosen or [inner for m in models if part in m.model_fields for inner in _models_in(m, part)]
    return sorted({name for model in models for name in model.model_fields})


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
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The configuration {path} cannot be read ({error.strerror or error}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {path} is not valid TOML: {error}.") from error
    return validated(settings)


def to_toml(config: TrainConfig) -> str:
    """The config as TOML, which `read_config` reads back."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
