"""`zorse benchmark`: what methods can do, measured here and now."""

from pathlib import Path
from typing import Annotated

import typer

from zorse.cli.command import app
from zorse.cli.console import Console, echo, echo_json
from zorse.system.extras import require

benchmark_app = typer.Typer(help="Measure what methods can do, on this computer.", no_args_is_help=True)
app.add_typer(benchmark_app, name="benchmark")


@benchmark_app.callback()
def benchmark() -> None:
    """Measure what methods can do, on this computer."""


@benchmark_app.command()
def gans(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with MNIST's idx files; without it only points in the plane are measured."),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="PRESET",
            help="Only these presets. May be repeated.",
            show_default="ring and grid of the methods for points; with --data six on digits; with --tricks gan_ring",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Runs of each; intervals need at least two.")] = 3,
    iterations: Annotated[
        int | None, typer.Option(min=1, help="Of each run.", show_default="those of the presets")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of all runs. May be repeated."),
    ] = None,
    tricks: Annotated[
        bool,
        typer.Option(
            "--tricks",
            help="Measure the presets (gan_ring, if none is named) also with each trick, and what it changes.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table for a Markdown page.")] = False,
) -> None:
    """Train each baseline with several seeds and print what came of it as one table.

    Points in the plane: modes covered, share of good points, reverse KL. Digits (--data): accuracy, balance, score and
    Frechet distance through a small classifier that is trained first; for InfoGAN, what codes and classes have in
    common. --tricks adds label smoothing, minibatch discrimination and so on, one at a time, to the same seeds.
    """
    if as_json and markdown:
        raise typer.BadParameter("--json and --markdown cannot go together: choose one.")
    require("Measuring GANs", "train")
    from zorse.cli.gans.gan_table import markdown_tables, print_table
    from zorse.gans.training.benchmark import benchmark_gans

    console = Console(stderr=True)
    result = benchmark_gans(methods or (), data, seeds, iterations, console, settings=settings or (), tricks=tricks)
    if as_json:
        echo_json(result)
    elif markdown:
        echo(*markdown_tables(result).splitlines())
    else:
        print_table(result, Console())
