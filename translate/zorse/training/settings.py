"""What settings there are: key, value, default, choices and meaning of each, read from the models that check them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from zorse.model.architecture import kind_of_model

_WORDS: dict[Any, str] = {int: "integer", float: "number", str: "text", NoneType: "none"}
_BOUNDS: dict[type, str] = {Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}


@dataclass(frozen=True)
class Setting:
    """One setting, as `--set KEY=VALUE` and a table of config.toml write it."""

    key: str
    """With the tables that it is in: "recipe.generator.n_blocks", "recipe.discriminators.0.n_layers"."""
    value: Any
    """As JSON has it; None: nothing is set."""
    default: Any
    """Likewise; None also where a value has to be given."""
    required: bool
    """Whether a value has to be given."""
    choices: str
    """Words to choose from, or what is allowed: "integer >= 1"."""
    meaning: str
    """With its unit, and the paper's value where there is one."""

    def as_json(self) -> dict[str, Any]:
        """By the names above."""
        return asdict(self)


def settings_of(config: BaseModel, table: str = "", kinds: str = "") -> Iterator[Setting]:
    """All settings of a configuration in the order of its file, those of its tables included.

    Args:
        config: of a run, or a part of it.
        table: key of that part.
        kinds: that it may be of.
    """
    for name, field in type(config).model_fields.items():
        key, value = f"{table}.{name}" if table else name, getattr(config, name)
        tables = _tables(key, value)
        if not isinstance(value, BaseModel):
            setting = _setting(key, field, config.model_dump(mode="json")[name], config)
            yield replace(setting, choices=kinds) if name == "kind" and kinds else setting
        for inner, part in tables:
            yield from settings_of(part, inner, _kinds(field.annotation))


def kinds_of(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table that such a configuration may hold, of all kinds, once: its key and its model."""
    yield table, model
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            yield from kinds_of(inner, f"{table}.{name}" if table else name)


def defaults_of(model: type[BaseModel], table: str = "") -> Iterator[Setting]:
    """The settings of one table of one kind, with their defaults."""
    for name, field in model.model_fields.items():
        yield _setting(f"{table}.{name}" if table else name, field, None, model)


def _setting(key: str, field: FieldInfo, value: Any, owner: BaseModel | type[BaseModel]) -> Setting:
    default = None if field.is_required() else _plain(field.get_default(call_default_factory=True, validated_data={}))
    meaning = " ".join((field.description or "").split())
    if key.rpartition(".")[2] == "kind":
        meaning = " ".join((owner.__doc__ or "").split("\n\n")[0].split())
    return Setting(key, value, default, field.is_required(), _allowed(field.annotation, field.metadata), meaning)


def _tables(key: str, value: Any) -> list[tuple[str, BaseModel]]:
    if isinstance(value, BaseModel):
        return [(key, value)]
    parts = value if isinstance(value, tuple) else ()
    return [(f"{key}.{number}", part) for number, part in enumerate(parts) if isinstance(part, BaseModel)]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _allowed(annotation: Any, metadata: list[Any]) -> str:
    """In words: "linear | cosine | constant", "number >= 0 and < 1", "list of integer > 0"."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _allowed(arguments[0], [part for extra in arguments[1:] for part in _constraints(extra)] + metadata)
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin in (Union, UnionType):
        kinds = _models(annotation)
        plain = [_allowed(each, [] if each is NoneType else metadata) for each in arguments if not _models(each)]
        return " | ".join([*(_kind(each) for each in kinds), *plain])
    if origin is tuple:
        inner = [_allowed(each, []) for each in arguments if each is not Ellipsis]
        return f"list of {inner[0]}" if Ellipsis in arguments else f"[{', '.join(inner)}]"
    if origin is dict:
        return f"table of {_allowed(arguments[1], [])}"
    if annotation is bool:
        return "true | false"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _kind(annotation)
    bounds = [f"{sign} {getattr(part, type(part).__name__.lower())}" for part in metadata if (sign := _sign(part))]
    nonempty = ["not empty"] if any(isinstance(part, MinLen) for part in metadata) else []
    return " ".join([_WORDS.get(annotation, "value"), " and ".join(bounds + nonempty)]).strip()


def _constraints(extra: Any) -> list[Any]:
    return list(extra.metadata) if isinstance(extra, FieldInfo) else [extra]


def _sign(constraint: Any) -> str:
    return _BOUNDS.get(type(constraint), "")


def _kind(model: type[BaseModel]) -> str:
    kind = model.model_fields.get("kind")
    return "{...}" if kind is None else f'{{kind="{kind_of_model(model)}", ...}}'


def _kinds(annotation: Any) -> str:
    kinds = (kind_of_model(model) for model in _models(annotation))
    return " | ".join(kind for kind in kinds if kind is not None)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """All that may stand there."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
