"""`zorse settings`: every setting of a run, with its default, what may be chosen, and what it means."""

import json
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from zorse.cli.command import app
from zorse.cli.console import Console, echo_json
from zorse.system.extras import require

if TYPE_CHECKING:
    from zorse.training.settings import Setting

_INDENT = 4


@app.command()
def settings(
    preset: Annotated[
        str | None, typer.Argument(metavar="[PRESET|CONFIG.toml]", help="A preset's name or a TOML file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Print the JSON schema of config.toml, by which editors complete and check."),
    ] = False,
) -> None:
    """Show the settings of a training run: value, default, choices and meaning of each.

    Without PRESET: those of every method, network and kind of data that there is.

    An editor with a TOML extension completes and checks the settings if the file begins with
    "#:schema config.schema.json" and 'zorse settings --schema > config.schema.json' was run beside it.
    """
    require("Looking at the settings", "train")
    if schema:
        if preset is not None or as_json:
            raise typer.BadParameter("--schema describes every config.toml: leave PRESET and --json out.")
        echo_json(_schema())
    elif preset is None:
        _every_kind(as_json=as_json)
    else:
        _of_preset(preset, as_json=as_json)


def _of_preset(preset: str, *, as_json: bool) -> None:
    from zorse.cli.gans.baselines import find_baseline
    from zorse.cli.presets import find_translator
    from zorse.training.settings import settings_of

    found = list(settings_of(find_baseline(preset) or find_translator(preset)))
    if as_json:
        echo_json([each.as_json() for each in found])
    else:
        _print(found, shows_values=True)


def _every_kind(*, as_json: bool) -> None:
    from zorse.gans.training.config import BaselineConfig
    from zorse.training.config import TrainConfig
    from zorse.training.settings import defaults_of, kinds_of

    tables = dict.fromkeys(each for config in (TrainConfig, BaselineConfig) for each in kinds_of(config))
    if as_json:
        report = [
            {"table": key, "settings": [each.as_json() for each in defaults_of(model, key)]} for key, model in tables
        ]
        echo_json(report)
        return
    for key, model in tables:
        console = Console()
        console.print()
        console.print(f"{f'[{key}]  ' if key else ''}{(model.__doc__ or '').splitlines()[0]}", style="bold")
        _print(defaults_of(model, key), shows_values=False)


def _schema() -> dict[str, Any]:
    from pydantic import TypeAdapter

    from zorse.gans.training.config import BaselineConfig
    from zorse.training.config import TrainConfig

    described = TypeAdapter[Any](TrainConfig | BaselineConfig).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Settings of a Zorse run", **described}


def _print(found: "Iterable[Setting]", *, shows_values: bool) -> None:
    """Two lines or more for each: what is set, and what that means."""
    console = Console()
    for each in found:
        default = "must be given" if each.required else f"default {_written(each.default)}"
        value = f" = {_written(each.value)}" if shows_values else ""
        console.print(Text.assemble((each.key, "bold"), value))
        text = f"{each.meaning} ({each.choices}; {default})" if each.meaning else f"{each.choices}; {default}"
        console.print(Text(textwrap.indent(textwrap.fill(text, console.width - _INDENT), " " * _INDENT)))


def _written(value: Any) -> str:
    """As TOML has it, in one line; a table by its kind."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        return f'{{kind="{value["kind"]}", ...}}' if "kind" in value else "{...}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value)
