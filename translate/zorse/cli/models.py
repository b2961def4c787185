"""`zorse models`: what is shipped, what a model says of itself, and downloads."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from zorse.cli import app

if TYPE_CHECKING:
    from zorse.card import ModelCard
    from zorse.registry import Entry

models = typer.Typer(no_args_is_help=True, help="List, describe and download models.")
app.add_typer(models, name="models")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@models.command("list")
def list_models(as_json: Json = False) -> None:
    """List the shipped models."""
    from rich.table import Table

    from zorse.registry import find_file, shipped_models

    entries = shipped_models()
    if as_json:
        rows = {name: entry.model_dump() | {"present": find_file(entry) is not None} for name, entry in entries.items()}
        typer.echo(json.dumps(rows, indent=2))
        return
    if not entries:
        typer.echo("No models are shipped with this installation. 'zorse train' makes some.")
        return
    table = Table("name", "task", "state", "file", box=None, header_style="bold", pad_edge=False)
    for name, entry in entries.items():
        table.add_row(name, entry.task, entry.state, _place(name, entry))
    Console(soft_wrap=True, highlight=False).print(table)


@models.command()
def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A shipped model's name or a model file.")],
    as_json: Json = False,
) -> None:
    """Show the card of a model: what it does, how it was trained, how good it is, on what terms."""
    from zorse.loading import locate, read_file_card

    file = locate(model)
    card = read_file_card(file)
    if as_json:
        typer.echo(json.dumps({"file": str(file)} | card.model_dump(mode="json"), indent=2))
        return
    lines = {"file": f"{file} ({file.stat().st_size / 1e6:.1f} MB)"} | _described(card)
    width = max(map(len, lines))
    for label, value in lines.items():
        typer.echo(f"{label:{width}}  {value}")


@models.command()
def download(name: Annotated[str, typer.Argument(metavar="MODEL", help="A shipped model's name.")]) -> None:
    """Download a shipped model that is not in the package; it is verified and kept for later."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from zorse import registry

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)
        file = registry.download(name, lambda done, total: progress.update(task, completed=done, total=total))
    typer.echo(file)


def _place(name: str, entry: "Entry") -> str:
    from zorse.registry import find_file

    file = find_file(entry)
    if file is not None:
        return f"{entry.file} ({file.stat().st_size / 1e6:.1f} MB)"
    return f"zorse models download {name}" if entry.url else f"{entry.file} is missing"


def _described(card: "ModelCard") -> dict[str, str]:
    """The card as label -> text, without what is empty."""
    data = card.training_data
    architecture = card.architecture.model_dump(exclude={"kind"})
    lines = {
        "name": card.name,
        "task": card.task,
        "from": card.source_domain,
        "to": card.target_domain,
        "state": card.state,
        "network": f"{card.architecture.kind} ({', '.join(f'{key} {value}' for key, value in architecture.items())})",
        "native size": f"{card.native_size} px",
        "licence": card.licence,
        "training data": f"{data.name}, {data.n_pictures} pictures, {data.licence}, {data.origin}" if data else "",
        "training": card.training,
        "notes": card.notes,
        "made with": f"zorse {card.zorse_version}" if card.zorse_version else "",
    }
    metrics = {metric.name: f"{metric.value:g} ({metric.protocol})" for metric in card.metrics}
    return {label: text for label, text in (lines | metrics).items() if text}
