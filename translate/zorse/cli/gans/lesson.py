"""`zorse lesson`: what GAN lectures teach, computed and drawn."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zorse.cli.command import app
from zorse.cli.console import Console, echo
from zorse.system.extras import MODULES, require

if TYPE_CHECKING:
    from zorse.gans.lessons.lesson import Lesson


@app.command()
def lesson(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Of a lesson.", show_default="all are listed")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="Picture to write: .png, .svg, .pdf.", show_default="NAME.png"),
    ] = None,
) -> None:
    """What GAN lectures teach, shown: computes a lesson in seconds, prints its figures and draws its picture."""
    require("A lesson", "train", *MODULES["train"], "matplotlib")
    from zorse.gans.lessons.catalogue import LESSONS, check_picture, find_lesson, hold, save_picture

    if name is None:
        if out is not None:
            raise typer.BadParameter("Name the lesson whose picture you want.", param_hint="NAME")
        width = max(map(len, LESSONS))
        echo(*(f"{each:{width}}  {entry.title}" for each, entry in LESSONS.items()))
        return
    entry, picture = find_lesson(name), out or Path(f"{name}.png")
    check_picture(picture)
    taught = hold(entry)
    save_picture(taught, picture)
    _print(entry.title, taught, picture)


def _print(title: str, taught: "Lesson", picture: Path) -> None:
    from rich.table import Table

    console = Console()
    heads, *rows = taught.table
    table = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(title, style="bold")
    console.print(table, soft_wrap=False)
    console.print(taught.explanation, soft_wrap=False)
    console.print(f"Wrote {picture}")
