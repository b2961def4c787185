"""`zorse models`: what is shipped, what a model says of itself, downloads, and checkpoints of other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zorse.cli.command import app
from zorse.cli.console import Console, echo, echo_json
from zorse.model.card import Direction
from zorse.system.extras import READS_TENSORS, require

if TYPE_CHECKING:
    from zorse.model.card import Metric, ModelCard
    from zorse.model.parity import ParityReport
    from zorse.model.registry import Entry

models = typer.Typer(no_args_is_help=True, help="List, describe, download and import models.")
app.add_typer(models, name="models")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@models.command("list")
def list_models(as_json: Json = False) -> None:
    """List the shipped models, and the official ones that can be downloaded."""
    from rich.table import Table

    from zorse.model.registry import find_file, official_file, official_models, sample_models, shipped_models

    entries, official = shipped_models() | sample_models(), official_models()
    if as_json:
        rows = {name: entry.model_dump() | {"present": find_file(entry) is not None} for name, entry in entries.items()}
        rows |= {
            name: entry.model_dump()
            | {"task": entry.task, "state": "official", "present": official_file(name).is_file()}
            for name, entry in official.items()
        }
        echo_json(rows)
        return
    if not entries and not official:
        echo("No models are shipped with this installation. 'zorse train' makes some.")
        return
    table = Table("name", "task", "state", "file", box=None, header_style="bold", pad_edge=False)
    table.columns[0].min_width = max(map(len, (*entries, *official)))  # A name that is cut off is of no use.
    for name, entry in entries.items():
        table.add_row(name, entry.task, entry.state, _place(name, entry))
    for name, published in official.items():
        file = official_file(name)
        place = f"{file.stat().st_size / 1e6:.1f} MB in the cache" if file.is_file() else "to download"
        table.add_row(name, published.task, "official", place)
    Console().print(table)
    if official:
        echo("Official models are fetched with: zorse models download NAME")


@models.command()
def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A shipped model's name or a model file.")],
    as_json: Json = False,
) -> None:
    """Show the card of a model: what it does, how it was trained, how good it is, on what terms.

    For an exported file also what it takes and gives, and how it was compared with PyTorch.
    """
    from zorse.cli.gans.sample_info import described_sample_card, find_sample_card, sample_card_data
    from zorse.loading import locate, read_file_card
    from zorse.model.parity import described_parity

    if (found := find_sample_card(model)) is not None:
        if as_json:
            echo_json(sample_card_data(*found))
        else:
            _print_lines(described_sample_card(*found))
        return
    file = locate(model)
    card = read_file_card(file)
    parity = _parity(file)
    if as_json:
        report = {} if parity is None else {"parity": parity.model_dump(mode="json")}
        echo_json({"file": str(file)} | card.model_dump(mode="json") | report)
        return
    lines = {"file": f"{file} ({file.stat().st_size / 1e6:.1f} MB)"} | _described(card)
    lines["at test time"] = _at_test(card)
    _print_lines(lines if parity is None else lines | described_parity(parity, card.value_range))


@models.command()
def download(name: Annotated[str, typer.Argument(metavar="MODEL", help="A shipped model's name.")]) -> None:
    """Download a shipped model that is not in the package; it is verified and kept for later.

    official/horse2zebra and the like are checkpoints that the authors of CycleGAN and pix2pix have published: they are
    converted (this needs torch), and nothing in them is run.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from zorse.model import registry

    is_official = name.startswith(registry.OFFICIAL)
    if is_official:
        require("Converting a published checkpoint", "train", *READS_TENSORS)
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)

        def report(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        if is_official:
            from zorse.legacy.official import download_official

            sha256 = download_official(name, report)
            file = registry.official_file(name)
        else:
            sha256, file = "", registry.download(name, report)
    if sha256 and registry.official_entry(name).sha256 is None:
        console.print(
            f"The sha256 of what came is {sha256}. Its publisher gives none to compare it with: it is noted in the "
            "model's card, and only tensors were read, so nothing in the file could run.",
        )
    echo(file)


@models.command("import")
def import_model(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .pth file, or a folder checkpoints/NAME with such files.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="A .safetensors file.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="Of the model.", show_default="from the file")] = None,
    task: Annotated[str | None, typer.Option(help='What it does: "horse to zebra".', show_default="A to B")] = None,
    domain_a: Annotated[str | None, typer.Option(help="What pictures of domain A show.")] = None,
    domain_b: Annotated[str | None, typer.Option(help="What pictures of domain B show.")] = None,
    direction: Annotated[
        Direction | None, typer.Option(help="Of the translation.", show_default="from the file")
    ] = None,
    native_size: Annotated[
        int | None, typer.Option(min=1, help="Short side, in pixels, that it was trained on.", show_default="256")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights.", show_default="unknown")] = None,
    notes: Annotated[str | None, typer.Option(help="What a user should know.")] = None,
    keeps_detail: Annotated[
        bool | None,
        typer.Option(
            "--keeps-detail/--no-keeps-detail",
            help="Whether both domains show the same things in the same places.",
            show_default="for a ResNet",
        ),
    ] = None,
    dropout: Annotated[
        bool | None,
        typer.Option("--dropout/--no-dropout", help="Whether it was trained with dropout.", show_default="recognised"),
    ] = None,
    dropout_at_test: Annotated[
        bool | None,
        typer.Option("--dropout-at-test/--no-dropout-at-test", help="Keep dropout active.", show_default="as trained"),
    ] = None,
    norm_at_test: Annotated[
        Literal["picture", "running"] | None,
        typer.Option(help="Statistics of BatchNorm: each picture's or the training's.", show_default="picture"),
    ] = None,
    place: Annotated[
        str | None, typer.Option(help='Which network, where the file holds several: "netG_A".', show_default="found")
    ] = None,
) -> None:
    """Turn a generator of pytorch-CycleGAN-and-pix2pix or CUT into a model file with a card.

    The architecture is recognised from the weights' names and shapes. Only tensors are read: nothing in the file is
    run. Without options the model works as test.py of those programs does.
    """
    require("Importing a checkpoint", "train", *READS_TENSORS)
    from zorse.backends.torch.safetensors_file import load_generator, save_generator
    from zorse.legacy.importing import import_generator

    if out.suffix.lower() != ".safetensors":
        raise typer.BadParameter(f"{out} does not end in .safetensors.", param_hint="--out")
    options: dict[str, Any] = {
        "name": name,
        "task": task,
        "domain_a": domain_a,
        "domain_b": domain_b,
        "direction": direction,
        "native_size": native_size,
        "licence": licence,
        "notes": notes,
        "keeps_detail": keeps_detail,
        "dropout_at_test": dropout_at_test,
        "norm_at_test": norm_at_test,
    }
    given = {field: value for field, value in options.items() if value is not None}
    network, card = import_generator(file, given, place=place, dropout=dropout)
    save_generator(out, network, card)
    load_generator(out)  # Read back: what is written can be used.
    lines = {"recognised": _network(card), "at test time": _at_test(card)} | _described(card)
    del lines["network"]
    _print_lines({"file": f"{out} ({out.stat().st_size / 1e6:.1f} MB)"} | lines)


def _parity(file: Path) -> "ParityReport | None":
    """The report in an exported file."""
    from zorse.model.model_file import read_onnx
    from zorse.model.parity import read_parity

    return read_parity(read_onnx(file).metadata, str(file)) if file.suffix.lower() == ".onnx" else None


def _place(name: str, entry: "Entry") -> str:
    from zorse.model.registry import find_file

    file = find_file(entry)
    if file is not None:
        return f"{entry.file} ({file.stat().st_size / 1e6:.1f} MB)"
    return f"zorse models download {name}" if entry.url else f"{entry.file} is missing"


def _print_lines(lines: dict[str, str]) -> None:
    width = max(map(len, lines))
    for label, value in lines.items():
        echo(f"{label:{width}}  {value}")


def _network(card: "ModelCard") -> str:
    settings = card.architecture.model_dump(exclude={"kind"})
    return f"{card.architecture.kind} ({', '.join(f'{key} {value}' for key, value in settings.items())})"


def _at_test(card: "ModelCard") -> str:
    statistics = {"picture": "each picture normalised by itself", "running": "normalised by the training's averages"}
    return f"{statistics[card.norm_at_test]}, {'with' if card.dropout_at_test else 'without'} dropout"


def _described(card: "ModelCard") -> dict[str, str]:
    """The card as label -> text, without what is empty."""
    data = card.training_data
    lines = {
        "name": card.name,
        "task": card.task,
        "from": card.source_domain,
        "to": card.target_domain,
        "state": card.state,
        "network": _network(card),
        "native size": f"{card.native_size} px",
        "licence": card.licence,
        "training data": f"{data.name}, {data.n_pictures} pictures, {data.licence}, {data.origin}" if data else "",
        "training": card.training,
        "notes": card.notes,
        "made with": f"zorse {card.zorse_version}" if card.zorse_version else "",
    }
    metrics = {metric.name: _measured(metric) for metric in card.metrics}
    return {label: text for label, text in (lines | metrics).items() if text}


def _measured(metric: "Metric") -> str:
    identifier = f"{metric.protocol_id}: " if metric.protocol_id else ""
    return f"{metric.value:g} ({identifier}{metric.protocol})"
