"""`zorse evaluate`: how good a model is, in figures that can be compared."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from zorse.cli import app
from zorse.cli.options import parse_size
from zorse.errors import ConfigError, MissingExtraError, WeightsError, ZorseError

if TYPE_CHECKING:
    from zorse.card import Metric
    from zorse.data.decode import Picture
    from zorse.metrics.evaluation import Evaluation
    from zorse.metrics.pictures import Direction, EvaluationSet, Example, Kind
    from zorse.runtime.onnx import Device
    from zorse.runtime.translator import Size, Translator
    from zorse.training.config import TrainConfig

HIGHER_IS_BETTER = ("PSNR", "SSIM")


@app.command()
def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="RUN|MODEL", help="A run folder, a shipped model's name or a model file.")
    ],
    data: Annotated[Path, typer.Option(help="Data set, or folder of pictures to translate.", show_default=False)],
    real: Annotated[
        Path | None,
        typer.Option(help="Real pictures of the target domain.", show_default="the other side of --data"),
    ] = None,
    kind: Annotated[
        Literal["auto", "unpaired", "paired", "edges"],
        typer.Option(
            help="What --data holds. auto: as the run was trained; else two folders are unpaired, one holds pairs."
        ),
    ] = "auto",
    direction: Annotated[
        Literal["auto", "AtoB", "BtoA"],
        typer.Option(help="Which side of --data is translated. auto: as the run or the model's card says."),
    ] = "auto",
    size: Annotated[
        str, typer.Option(metavar="native|keep|N", help="Size at which the network sees the pictures, as in translate.")
    ] = "native",
    grid: Annotated[
        Path | None, typer.Option(help="Write 16 inputs and outputs side by side to this picture.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the result to this JSON file.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to translate.")] = "auto",
) -> None:
    """Translate a data set's test pictures and measure them.

    KID tells how far the translations are from real pictures of the target domain (0: not to be told apart), through
    two networks, since a model that was trained against one of them (projected discriminators look through Lite0) is
    judged by the other. Pairs are also compared picture by picture.
    """
    try:
        from zorse.metrics.evaluation import Report
    except ImportError as error:
        raise MissingExtraError("Evaluating", "train") from error
    from zorse import __version__

    wanted_size = parse_size(size)
    _check_writable(grid, out)
    translators, config = _opened(model, device)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    evaluations = []
    for translator in translators:
        pictures = _pictures(translator, config, data, real, kind, direction)
        grid_file = (
            grid if grid is None or len(translators) == 1 else grid.with_stem(f"{grid.stem}_{translator.card.name}")
        )
        evaluations.append(_measured(console, translator, pictures, wanted_size, grid_file))
    report = Report(zorse_version=__version__, evaluations=tuple(evaluations))
    if out is not None:
        _write(out, report.model_dump_json(indent=2) + "\n")
        console.print(f"Result written to {out}", markup=False)
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
        return
    for evaluation in evaluations:
        _print(Console(highlight=False), evaluation)


def _opened(model: str, device: "Device") -> "tuple[list[Translator], TrainConfig | None]":
    """The translators of a run folder, with its settings, or the one of a model."""
    from zorse.loading import load

    if not Path(model).is_dir():
        return [load(model, device)], None
    from zorse.training.config import read_config
    from zorse.training.files import RunFolder

    run = RunFolder(Path(model))
    files = sorted(run.generators.glob("*.safetensors"))
    if not files:
        raise WeightsError(
            f"A run folder or a model was wanted, but the folder {model} holds no generators/*.safetensors. 'zorse "
            "train' writes them at its first checkpoint."
        )
    return [load(file, device) for file in files], read_config(run.config)


def _pictures(
    translator: "Translator",
    config: "TrainConfig | None",
    data: Path,
    real: Path | None,
    kind: 'Kind | Literal["auto"]',
    direction: 'Direction | Literal["auto"]',
) -> "EvaluationSet":
    """The test pictures that fit the model."""
    from zorse.data.config import PairedConfig, UnpairedConfig
    from zorse.data.layout import check_folder
    from zorse.metrics.pictures import detect_kind, edges_set, paired_set, two_sets, unpaired_set

    check_folder(data)
    trained_on = config.data if config is not None else None
    if real is not None:
        if kind not in ("auto", "unpaired"):
            raise ConfigError(
                f"--real names real pictures for unpaired sets; with --kind {kind} --data brings its own."
            )
        check_folder(real)
        return two_sets(data, real)
    if kind == "auto":
        kind = trained_on.kind if trained_on is not None else detect_kind(data)
    way = direction if direction != "auto" else translator.card.direction
    match kind:
        case "unpaired":
            return unpaired_set(data, trained_on if isinstance(trained_on, UnpairedConfig) else UnpairedConfig(), way)
        case "paired":
            if direction == "auto" and isinstance(trained_on, PairedConfig):
                way = trained_on.direction
            return paired_set(data, way)
        case "edges":
            return edges_set(data, translator.card.native_size)


def _measured(
    console: Console, translator: "Translator", pictures: "EvaluationSet", size: "Size", grid_file: Path | None
) -> "Evaluation":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from zorse.imaging.io import Picture as WrittenPicture
    from zorse.imaging.io import write_picture
    from zorse.metrics.evaluation import evaluate as measure
    from zorse.metrics.grid import grid, shown_numbers

    console.print(
        f"{translator.card.task}: {pictures.n_examples} pictures of {pictures.source_name} against "
        f"{pictures.n_targets} of {pictures.target_name}, {translator.provider}",
        markup=False,
    )
    shown = shown_numbers(pictures.n_examples)
    examples: list[list[Picture]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Evaluating", total=pictures.n_examples + len(pictures.targets))
        done = 0

        def look(example: "Example", translated: "Picture") -> None:
            nonlocal done
            if grid_file is not None and done in shown:
                truth = [] if example.truth is None else [example.truth]
                examples.append([example.source, translated, *truth])
            done += 1
            progress.advance(task)

        evaluation = measure(translator, pictures, size=size, on_example=look, on_target=lambda: progress.advance(task))
    if grid_file is not None:
        write_picture(grid_file, WrittenPicture(grid(examples)))
        console.print(f"Grid written to {grid_file}", markup=False)
    return evaluation


def _print(console: Console, evaluation: "Evaluation") -> None:
    table = Table(title=f"{evaluation.model} ({evaluation.task})", title_justify="left")
    table.add_column("measure")
    table.add_column("better")
    table.add_column("model", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("untouched", justify="right")
    for metric, untouched in zip(evaluation.metrics, evaluation.untouched, strict=True):
        better = "higher" if metric.name.startswith(HIGHER_IS_BETTER) else "lower"
        table.add_row(metric.name, better, _figure(metric.value), _interval(metric), _figure(untouched.value))
    console.print(table)
    for protocol in dict.fromkeys(metric.protocol for metric in evaluation.metrics):
        console.print(protocol, style="dim", markup=False, soft_wrap=True)


def _figure(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 2 else f"{value:.3f}"


def _interval(metric: "Metric") -> str:
    return "" if metric.interval is None else f"{_figure(metric.interval[0])} to {_figure(metric.interval[1])}"


def _check_writable(grid: Path | None, out: Path | None) -> None:
    """Measuring takes minutes: say before, not after, that its result cannot be written."""
    from zorse.imaging.io import WRITE_FORMATS

    if grid is not None and grid.suffix.lower() not in WRITE_FORMATS:
        raise ConfigError(f"The grid {grid} cannot be written: its name must end in one of {', '.join(WRITE_FORMATS)}.")
    for file in (grid, out):
        if file is not None and not file.absolute().parent.is_dir():
            raise ConfigError(f"{file} cannot be written: there is no folder {file.parent}. Make it first.")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ZorseError(f"{file} could not be written ({error.strerror or error}). Choose another place.") from error
