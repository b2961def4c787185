"""`zorse data`: make data sets for training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import track

from zorse.cli import app
from zorse.errors import ZorseError

if TYPE_CHECKING:
    from zorse.data.prepare import Task

data_app = typer.Typer(name="data", help="Make data sets for training.", no_args_is_help=True)
app.add_typer(data_app)

Out = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.", show_default=False)]
FileTypeOption = Annotated[Literal["jpg", "png"], typer.Option("--format", help="Of the files written.")]


@data_app.command()
def synthesize(
    kind: Annotated[Literal["blobs", "shapes"], typer.Argument(metavar="KIND", help="blobs or shapes.")],
    out: Out,
    count: Annotated[int, typer.Option(min=1, help="Training pictures per domain, or pairs.")] = 100,
    size: Annotated[int, typer.Option(min=16, help="Side of a picture, in pixels.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same set.")] = 0,
) -> None:
    """Draw a small set that nobody owns: brown and striped blobs (unpaired), or shapes and their outlines (paired)."""
    from zorse.data import synthetic

    synthetic.synthesize(kind, out, count, size, seed)
    _say(f"Drew the set {kind!r} into {out}")


@data_app.command()
def edges(
    photos: Annotated[Path, typer.Argument(metavar="DIR", help="Photos, subfolders included.", show_default=False)],
    out: Out,
    size: Annotated[int, typer.Option(min=16, help="Short side of a photo, in pixels.")] = 256,
    method: Annotated[Literal["canny", "xdog", "contour"], typer.Option(help="How lines are found.")] = "canny",
    detail: Annotated[float, typer.Option(min=0, max=1, help="From few lines to many.")] = 0.5,
    file_type: FileTypeOption = "jpg",
) -> None:
    """Turn photos into pairs for pix2pix: lines left, photo right. OUT mirrors the tree of DIR.

    Photos longer than 3:2 are cut to their middle.
    """
    from zorse.data.prepare import edge_tasks

    _run(edge_tasks(photos, out, size, method, detail, file_type), out)


@data_app.command()
def pair(
    folder_a: Annotated[Path, typer.Argument(metavar="DIR_A", help="Left sides.", show_default=False)],
    folder_b: Annotated[Path, typer.Argument(metavar="DIR_B", help="Right sides.", show_default=False)],
    out: Out,
    file_type: FileTypeOption = "jpg",
) -> None:
    """Put pictures of the same name side by side for pix2pix. B is resized to the size of A.

    Pictures longer than 3:2 are cut to their middle.
    """
    from zorse.data.prepare import pair_tasks

    _run(pair_tasks(folder_a, folder_b, out, file_type), out)


def _run(tasks: "list[Task]", out: Path) -> None:
    """Runs all tasks; what fails is reported and skipped, and makes the exit code 1."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    skipped = 0
    for task in track(tasks, "Pairs", console=console, disable=not console.is_terminal, transient=True):
        try:
            task()
        except ZorseError as error:
            skipped += 1
            console.print(f"Skipped: {error}", style="red", markup=False)
    _say(f"Wrote {len(tasks) - skipped} of {len(tasks)} pairs to {out}")
    if skipped:
        raise typer.Exit(1)


def _say(text: str) -> None:
    Console(soft_wrap=True, highlight=False).print(text, markup=False)
