"""`zorse data`: make data sets for training, and check them."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import track

from zorse.cli.command import app
from zorse.cli.console import Console, echo, echo_json
from zorse.errors import ZorseError

if TYPE_CHECKING:
    from zorse.data.config import DataConfig
    from zorse.data.doctor.repair import Change
    from zorse.data.prepare import Task

data_app = typer.Typer(name="data", help="Make data sets for training, and check them.", no_args_is_help=True)
app.add_typer(data_app)

Out = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.", show_default=False)]
EndingA = Annotated[
    str | None,
    typer.Option(
        metavar="ENDING",
        help="What does not count at the end of A's file names, before the extension; others are left out.",
        show_default="what all share, if no two names are equal",
    ),
]
EndingB = Annotated[str | None, typer.Option(metavar="ENDING", help="Likewise for B.", show_default="likewise")]
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
    echo(f"Drew the set {kind!r} into {out}")


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

    _run(edge_tasks(photos, out, size, method, detail, file_type), out, "pairs", photos)


@data_app.command()
def cutout(
    photos: Annotated[Path, typer.Argument(metavar="DIR", help="Photos, subfolders included.", show_default=False)],
    out: Out,
    size: Annotated[int, typer.Option(min=16, help="Short side of a picture written, in pixels.")] = 256,
    square: Annotated[bool, typer.Option("--square", help="Centre the object on a square.")] = False,
    file_type: FileTypeOption = "jpg",
) -> None:
    """Cut the thing in the middle of each photo out of its ground. OUT mirrors the tree of DIR.

    A JPEG shows it on white, a PNG is transparent around it. For one object on a ground of other colours: a garment on
    the floor, a shoe, a cup. Photos where that cannot be told are named and left out.
    """
    from zorse.data.prepare import cutout_tasks

    _run(cutout_tasks(photos, out, size, square, file_type), out, "pictures", photos)


@data_app.command()
def pair(
    folder_a: Annotated[Path, typer.Argument(metavar="DIR_A", help="Left sides.", show_default=False)],
    folder_b: Annotated[Path, typer.Argument(metavar="DIR_B", help="Right sides.", show_default=False)],
    out: Out,
    file_type: Annotated[
        Literal["auto", "jpg", "png"],
        typer.Option("--format", help="Of the files written. auto: png where a side holds label maps, else jpg."),
    ] = "auto",
    ending_a: EndingA = None,
    ending_b: EndingB = None,
    nearest: Annotated[
        Literal["auto", "neither", "A", "B", "both"],
        typer.Option(help="Sides of label maps, whose colours are kept. auto: sides with up to 64 colours."),
    ] = "auto",
    crop: Annotated[
        bool, typer.Option("--crop", help="Cut the wider of two sides to the shape of the other, around its middle.")
    ] = False,
) -> None:
    """Put pictures of the same name side by side for pix2pix. B is resized to the size of A.

    Pictures longer than 3:2 are cut to their middle.
    """
    from zorse.data.prepare import pair_tasks

    tasks = pair_tasks(
        folder_a, folder_b, out, file_type, ending_a=ending_a, ending_b=ending_b, nearest=nearest, crop=crop
    )
    _run(tasks, out, "pairs", folder_a, folder_b)


@data_app.command()
def levels(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Pictures, subfolders included.", show_default=False)],
    out: Out,
    classes: Annotated[
        bool, typer.Option("--classes", help="Grey levels are class numbers: give each class a colour.")
    ] = False,
    levels: Annotated[
        tuple[int, int] | None,
        typer.Option("--range", metavar="LOW HIGH", help="Levels that become black and white.", show_default=False),
    ] = None,
) -> None:
    """Make visible what is stored in the lowest levels: class numbers, or 12 bits in files of 16. OUT mirrors DIR.

    For example '--range 0 4095' for 12 bits. PNGs are written: with palettes for classes, else with 8 bits. Pictures
    to translate later need the same as those for training.
    """
    from zorse.data.prepare import class_tasks, range_tasks

    if classes == (levels is not None):
        raise typer.BadParameter("Give either --classes or --range LOW HIGH.")
    _run(class_tasks(folder, out) if levels is None else range_tasks(folder, out, *levels), out, "pictures", folder)


@data_app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The data set.", show_default=False)],
    kind: Annotated[
        Literal["auto", "unpaired", "paired", "edges"],
        typer.Option(help="What DIR holds. auto: pairs if the sides correspond, else two domains or photos."),
    ] = "auto",
    fix: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write a clean copy to this new folder.", show_default=False)
    ] = None,
    crop: Annotated[int, typer.Option(min=16, help="Side of the crops to train on, in pixels.")] = 256,
    ending_a: EndingA = None,
    ending_b: EndingB = None,
    nearest: Annotated[
        Literal["auto", "neither", "A", "B", "both"],
        typer.Option(help="Sides of label maps, as data.nearest in training. auto: sides of palette files."),
    ] = "auto",
    everything: Annotated[bool, typer.Option("--all", help="List all files, not only some.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what is wrong with a data set, what it does to the training, and what to do. Nothing in DIR is changed.

    --fix copies the set: what cannot be used, copies, and training pictures that are also in the test set are left out;
    swapped pairs are turned round; rotated, transparent, 16-bit and CMYK pictures are written as training reads them.

    Exit code 1 if training would stop at a file; with --fix, 0 once the clean copy is written.
    """
    from zorse.data.doctor.diagnosis import diagnose
    from zorse.data.doctor.findings import Severity
    from zorse.data.doctor.repair import check_out, repair
    from zorse.data.doctor.report import as_json as to_json
    from zorse.data.doctor.report import progress, show

    console, errors = Console(), Console(stderr=True)
    if fix is not None:
        check_out(folder, fix)
    config = _config(folder, kind, crop)
    if config.kind == "paired":
        config = config.model_copy(update={"ending_a": ending_a, "ending_b": ending_b})
    if config.kind != "edges":
        config = config.model_copy(update={"nearest": nearest})
    with progress(errors, "Checking") as on_file:
        diagnosis = diagnose(folder, config, on_file)
    if not as_json:
        show(diagnosis, console, most=None if everything else 4)
    changes: list[Change] = []
    if fix is not None:
        with progress(errors, "Copying") as on_file:
            changes = repair(diagnosis, fix, on_file)
        if not as_json:
            _show_changes(console, changes, fix, most=None if everything else 8)
    if as_json:
        echo_json({**to_json(diagnosis), "changes": [asdict(change) for change in changes]})
    if fix is None and diagnosis.of(Severity.ERROR):
        raise typer.Exit(1)


def _config(folder: Path, kind: Literal["auto", "unpaired", "paired", "edges"], crop: int) -> "DataConfig":
    from zorse.data.config import EdgesConfig, PairedConfig, UnpairedConfig
    from zorse.data.doctor.sets import guess_config

    load_size = round(crop * 286 / 256)
    match kind:
        case "auto":
            return guess_config(folder, crop)
        case "unpaired":
            return UnpairedConfig(load_size=load_size, crop_size=crop)
        case "paired":
            return PairedConfig(load_size=load_size, crop_size=crop)
        case "edges":
            return EdgesConfig(load_size=load_size, crop_size=crop)


def _show_changes(console: Console, changes: "list[Change]", out: Path, most: int | None) -> None:
    """What is in the clean copy, and what became of files that are not simply copied."""
    from zorse.data.doctor.repair import CHANGES_FILE, Deed

    console.print()
    told = [change for change in changes if change.deed is not Deed.COPIED]
    for change in told[:most]:
        console.print(f"{change.deed:9}{change.file}: {change.why}", style="dim")
    if most is not None and len(told) > most:
        console.print(f"{'':9}and {len(told) - most:,} more", style="dim")
    counts = ", ".join(f"{sum(change.deed is deed for change in changes):,} {deed}" for deed in Deed)
    console.print(f"Clean copy in {out}: {counts}. {CHANGES_FILE} there lists every file.")


def _run(tasks: "list[Task]", out: Path, what: str, *folders: Path) -> None:
    """Runs all tasks; what fails is reported and skipped, and makes the exit code 1. What the folders hold besides
    pictures is named."""
    from zorse.data.layout import left_out_of

    console = Console(stderr=True)
    for line in (line for folder in folders for line in left_out_of(folder)):
        console.print(line, style="yellow")
    skipped = 0
    for task in track(tasks, what.capitalize(), console=console, disable=not console.is_terminal, transient=True):
        try:
            task()
        except ZorseError as error:
            skipped += 1
            console.print(f"Skipped: {error}", style="red")
    echo(f"Wrote {len(tasks) - skipped} of {len(tasks)} {what} to {out}")
    if skipped:
        raise typer.Exit(1)
