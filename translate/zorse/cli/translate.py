"""`zorse translate`: pictures, folders or standard input through a model."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from zorse.cli import app
from zorse.cli.options import parse_size

if TYPE_CHECKING:
    from zorse.runtime.files import Job, Outcome


@app.command()
def translate(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT", help="Pictures, folders, or - for standard input.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="OUT", help="File, folder, or - for standard output.", show_default="beside INPUT"
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="MODEL", help="A shipped model's name or a model file.")
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            metavar="native|keep|N",
            help="Short side at which the network sees the picture: as in training, the picture's own, or N pixels. "
            "The result always has the picture's own size.",
        ),
    ] = "native",
    strength: Annotated[float, typer.Option(min=0.0, max=1.0, help="0 is the picture, 1 the translation.")] = 1.0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")] = "auto",
) -> None:
    """Translate pictures with a model.

    Without -o, photo.jpg becomes photo_MODEL.jpg beside it, and a folder farm becomes farm_MODEL. A picture that
    cannot be read is reported and skipped; the exit code is then 1.
    """
    from zorse.loading import load
    from zorse.runtime.files import plan, translate_files

    wanted_size = parse_size(size)
    name = model or _only_model()
    jobs = plan(inputs, out, Path(name).stem if Path(name).suffix else name)
    translator = load(name, device)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{translator.card.task}: {name} on {translator.provider}", markup=False)
    outcomes = translate_files(translator, jobs, wanted_size, strength)
    failed = _report(console, jobs, outcomes)
    if len(jobs) > 1:
        console.print(f"{len(jobs) - failed} of {len(jobs)} pictures translated.", markup=False)
    if failed:
        raise typer.Exit(1)


def _only_model() -> str:
    from zorse.registry import shipped_models

    models = list(shipped_models())
    if len(models) == 1:
        return models[0]
    known = f"Shipped models: {', '.join(models)}." if models else "No models are shipped with this installation."
    raise typer.BadParameter(f"Say which model to use. {known}", param_hint="--model")


def _report(console: Console, jobs: "list[Job]", outcomes: "Iterable[Outcome]") -> int:
    """Runs the jobs under a progress bar (on a terminal) and prints a line for each; gives the number of failures."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    failed = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Translating", total=len(jobs))
        for outcome in outcomes:
            progress.advance(task)
            if outcome.error is None:
                line = f"{outcome.job.source} -> {outcome.job.target} ({outcome.seconds:.2f} s)"
                console.print(line, markup=False)
            else:
                failed += 1
                console.print(f"Error: {outcome.error}", style="red", markup=False)
    return failed
