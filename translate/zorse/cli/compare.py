"""`zorse compare`: is one model better than another, or could it be chance?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zorse.cli.command import app
from zorse.cli.console import Console, echo_json
from zorse.cli.options import shown
from zorse.errors import ConfigError
from zorse.system.extras import require

if TYPE_CHECKING:
    from zorse.metrics.compare import ComparedFigure, ComparedModels, Comparison

COLOURS = {"better": "green", "worse": "red", "undecided": "yellow", "not comparable": "dim"}


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="What 'zorse evaluate -o A.json' wrote.")],
    second: Annotated[Path, typer.Argument(metavar="B.json", help="Likewise, of the model to judge.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Lay two results of 'zorse evaluate' side by side and say where B is better or worse than A.

    A difference counts if its 95 % interval, by bootstrap over the same pictures for both, leaves out zero. Figures of
    different protocols (other pictures, another network) are shown, but not compared.
    """
    require("Comparing", "train")
    from zorse.metrics.compare import compare as lay_side_by_side

    comparison = lay_side_by_side(first, second)
    if as_json:
        echo_json(comparison)
    else:
        for models in comparison.models:
            _print(Console(), comparison, models)
    if not any(models.n_comparable for models in comparison.models):
        raise ConfigError(
            f"No figure of {first} compares with one of {second}: they were measured by different protocols, as said "
            "above. Measure both models on the same pictures with the same version of Zorse."
        )


def _print(console: Console, comparison: "Comparison", models: "ComparedModels") -> None:
    """A line for each figure, its protocol's identifier, or why it has no verdict, below it."""
    for letter, model, file in (("A", models.first, comparison.first), ("B", models.second, comparison.second)):
        console.print(f"{letter}: {model} ({models.direction}), {file}", style="bold")
    console.print(f"{'':40}{'A':>8}{'B':>8}{'B - A':>9}{'95 % interval':>20}  B is")
    for figure in models.figures:
        console.print(f"{_row(figure)}  ", end="")
        console.print(figure.verdict, style=COLOURS[figure.verdict])
        console.print(f"    {figure.reason or figure.protocol_id}", style="dim")
    if models.alone:
        console.print(f"Only in one of both: {', '.join(models.alone)}", style="dim")


def _row(figure: "ComparedFigure") -> str:
    change, between = "", ""
    if figure.difference is not None and figure.interval is not None:
        low, high = figure.interval
        change, between = _signed(figure.difference), f"{_signed(low)} to {_signed(high)}"
    return f"{figure.name:40}{shown(figure.first):>8}{shown(figure.second):>8}{change:>9}{between:>20}"


def _signed(value: float) -> str:
    return f"{value:+.1f}" if abs(value) >= 2 else f"{value:+.3f}"
