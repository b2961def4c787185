"""`zorse evaluate`: how good a model is, in figures that can be compared."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zorse.cli.command import app
from zorse.cli.console import Console, echo_json
from zorse.cli.options import AllowCodeOption, parse_size, shown
from zorse.errors import ConfigError, MissingExtraError, WeightsError
from zorse.model.card import Direction
from zorse.system.extras import require
from zorse.system.texts import json_text

if TYPE_CHECKING:
    from zorse.data.decode import Picture
    from zorse.metrics.evaluation import Evaluation, Instruments
    from zorse.metrics.pictures import EvaluationSet, Example, Kind
    from zorse.model.card import Metric
    from zorse.runtime.devices import Device
    from zorse.runtime.translator import Size, Translator
    from zorse.training.config import TrainConfig
    from zorse.training.files import Checkpoint


@app.command()
def evaluate(
    context: typer.Context,
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
            help="What --data holds. auto: as the run was trained; else two folders are unpaired, one holds pairs or, "
            "for models that take strokes, photos whose edges are drawn."
        ),
    ] = "auto",
    direction: Annotated[
        Literal["auto", "AtoB", "BtoA"],
        typer.Option(
            help="Which side of --data is translated. auto: as the model's card says. Of a run with two generators it "
            "chooses one; auto measures both."
        ),
    ] = "auto",
    size: Annotated[
        str,
        typer.Option(
            metavar="auto|native|keep|N", help="Size at which the network sees the pictures, as in translate."
        ),
    ] = "auto",
    grid: Annotated[
        Path | None,
        typer.Option(
            help="Write 16 inputs and outputs side by side to this picture; for two generators two, named after them.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Literal["last", "best"], typer.Option(help="Which checkpoint of a run: the newest, or the best by KID.")
    ] = "last",
    back: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Model for the other direction, to measure the error of going there and back.",
            show_default="the run's other generator",
        ),
    ] = None,
    fid: Annotated[
        bool, typer.Option("--fid", help="Also FID, KID, precision and recall on Inception-v3 (downloads 95 MB once).")
    ] = False,
    lpips: Annotated[
        bool, typer.Option("--lpips", help="Also LPIPS (AlexNet) of pairs (downloads 233 MB once).")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the result to this JSON file.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to translate.")] = "auto",
    allow_code: AllowCodeOption = None,
) -> None:
    """Translate a data set's test pictures and measure them.

    KID tells how far the translations are from real pictures of the target domain (0: not to be told apart), through
    two networks, since a model that was trained against one of them (projected discriminators look through Lite0) is
    judged by the other. Precision tells how many translations look real, recall how much of reality they cover. Pairs
    are also compared picture by picture. Below each figure stands the identifier of its protocol: figures of different
    identifiers do not compare, and 'zorse compare' sees to it. The protocols in words are in the JSON.
    """
    require("Evaluating", "train")
    from zorse import __version__
    from zorse.files.names import plain_name
    from zorse.imaging.custom_readers import reading_with
    from zorse.imaging.write import write_file
    from zorse.metrics.evaluation import Report

    wanted_size = parse_size(size)
    _check_writable(grid, out)
    opened, config = _opened(model, checkpoint, device)
    if config is not None:
        context.with_resource(reading_with(config.data.readers))
    backs = _backs(opened, back, device)
    translators = _chosen(opened, direction, real)
    test_sets = [_pictures(translator, config, data, real, kind, direction) for translator in translators]
    if lpips and not all(pictures.brings_truths for pictures in test_sets):
        raise ConfigError(f"--lpips compares translations with true pictures, but {data} holds no pairs. Leave it out.")
    console = Console(stderr=True)
    instruments, failures = _instruments(fid, lpips)
    evaluations, grids = [], []
    for translator, pictures in zip(translators, test_sets, strict=True):
        way_back = backs[opened.index(translator)]
        measured, rows = _measured(console, translator, way_back, pictures, wanted_size, instruments)
        for reason in measured.missing:
            console.print(reason, style="yellow")
        evaluations.append(measured.model_copy(update={"missing": (*measured.missing, *failures)}))
        grids.append(rows)
    report = Report(zorse_version=__version__, evaluations=tuple(evaluations))
    # First what took minutes to find out: a file may not be writable after all.
    if as_json:
        echo_json(report)
    else:
        for evaluation in evaluations:
            _print(Console(), evaluation)
    if out is not None:
        write_file(out, f"{json_text(report.model_dump(mode='json'), 2)}\n".encode())
        console.print(f"Result written to {out}")
    if grid is not None:
        for translator, rows in zip(translators, grids, strict=True):
            name = plain_name(translator.card.name)
            file = grid if len(translators) == 1 else grid.with_stem(f"{grid.stem}_{name}")
            _write_grid(file, rows)
            console.print(f"Grid written to {file}")
    if failures:
        raise WeightsError(f"The other figures were measured, but some are missing. {' '.join(failures)}")


def _opened(model: str, checkpoint: "Checkpoint", device: "Device") -> "tuple[list[Translator], TrainConfig | None]":
    """The translators of a run folder, with its settings, or the one of a model."""
    from zorse.loading import load
    from zorse.training.config import read_config
    from zorse.training.files import RunFolder, check_of_run, names_a_folder

    if not names_a_folder(model):
        check_of_run(model, checkpoint)
        return [load(model, device)], None
    run = RunFolder(Path(model))
    return [load(file, device) for file in run.generator_files(checkpoint)], read_config(run.config)


def _backs(translators: "list[Translator]", back: str | None, device: "Device") -> "list[Translator | None]":
    """For each translator the one of the other direction: the run's own, or the given one."""
    from zorse.loading import load

    if len(translators) == 1:
        return [load(back, device) if back is not None else None]
    if back is not None:
        raise ConfigError("A run with two generators brings the models for both directions: leave --back out.")
    return [
        next((other for other in translators if other.card.direction != translator.card.direction), None)
        for translator in translators
    ]


def _chosen(
    opened: "list[Translator]", direction: 'Direction | Literal["auto"]', real: Path | None
) -> "list[Translator]":
    """Those that are measured: of two the one that --direction names."""
    if len(opened) == 1:
        if direction != "auto" and real is not None:
            raise ConfigError("--direction chooses a side of --data, but with --real all of it is translated.")
        return opened
    if direction == "auto" and real is not None:
        raise ConfigError(
            "--data and --real hold pictures of one direction, but the run has generators for both. Say with "
            "--direction which one is meant."
        )
    return [translator for translator in opened if direction in ("auto", translator.card.direction)]


def _instruments(fid: bool, lpips: bool) -> "tuple[Instruments, list[str]]":
    """The networks to measure with, and why some that were asked for are not among them."""
    from zorse.metrics.evaluation import offline_instruments
    from zorse.metrics.inception import inception_extractor
    from zorse.metrics.perceptual import lpips as lpips_measure

    instruments, failures = offline_instruments(), []
    if fid:
        try:
            instruments = replace(instruments, extractors=(inception_extractor(), *instruments.extractors))
        except (WeightsError, MissingExtraError) as error:
            failures.append(str(error))
    if lpips:
        try:
            instruments = replace(instruments, perceptual=(lpips_measure(), *instruments.perceptual))
        except (WeightsError, MissingExtraError) as error:
            failures.append(str(error))
    return instruments, failures


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
        kind = trained_on.kind if trained_on is not None else detect_kind(data, translator.card)
    way = direction if direction != "auto" else translator.card.direction
    match kind:
        case "unpaired":
            return unpaired_set(data, trained_on if isinstance(trained_on, UnpairedConfig) else UnpairedConfig(), way)
        case "paired":
            paired = trained_on if isinstance(trained_on, PairedConfig) else None
            if direction == "auto" and paired is not None:
                way = paired.direction
            return paired_set(data, way, config=paired)
        case "edges":
            if direction != "auto":
                raise ConfigError(
                    "Edges are drawn from the photos in --data, which has no sides: leave --direction out."
                )
            return edges_set(data, translator.card.native_size)


def _measured(
    console: Console,
    translator: "Translator",
    back: "Translator | None",
    pictures: "EvaluationSet",
    size: "Size",
    instruments: "Instruments",
) -> "tuple[Evaluation, list[list[Picture]]]":
    """The figures, and rows of pictures for a grid."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from zorse.metrics.evaluation import evaluate as measure
    from zorse.metrics.grid import shown_numbers

    console.print(
        f"{translator.card.task}: {pictures.n_examples} pictures of {pictures.source_name} against "
        f"{pictures.n_targets} of {pictures.target_name}, {translator.provider}",
    )
    for remark in pictures.remarks:
        console.print(remark, style="dim")
    shown = shown_numbers(pictures.n_examples)
    examples: list[list[Picture]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Evaluating", total=pictures.n_examples + len(pictures.targets))
        done = 0

        def look(example: "Example", translated: "Picture") -> None:
            nonlocal done
            if done in shown:
                truth = [] if example.truth is None else [example.truth]
                examples.append([example.source, translated, *truth])
            done += 1
            progress.advance(task)

        evaluation = measure(
            translator,
            pictures,
            size=size,
            back=back,
            instruments=instruments,
            on_example=look,
            on_target=lambda: progress.advance(task),
        )
    return evaluation, examples


def _print(console: Console, evaluation: "Evaluation") -> None:
    """A line for each figure, its protocol's identifier below it."""
    console.print(f"{evaluation.model} ({evaluation.task})", style="bold")
    console.print(f"{'':40}{'model':>8}{'95 % interval':>18}{'untouched':>11}  better")
    untouched = {metric.name: shown(metric.value) for metric in evaluation.untouched}
    for metric in evaluation.metrics:
        row = f"{metric.name:40}{shown(metric.value):>8}{_interval(metric):>18}{untouched.get(metric.name, ''):>11}"
        console.print(f"{row}  {metric.better}")
        console.print(f"    {metric.protocol_id}", style="dim")
    console.print(f"{evaluation.sets}.")


def _interval(metric: "Metric") -> str:
    return "" if metric.interval is None else f"{shown(metric.interval[0])} to {shown(metric.interval[1])}"


def _check_writable(grid: Path | None, out: Path | None) -> None:
    """Measuring takes minutes: say before, not after, that its result cannot be written."""
    from zorse.imaging.io import WRITE_FORMATS

    if grid is not None and grid.suffix.lower() not in WRITE_FORMATS:
        raise ConfigError(f"The grid {grid} cannot be written: its name must end in one of {', '.join(WRITE_FORMATS)}.")
    for file in (grid, out):
        if file is None:
            continue
        folder = file.absolute().parent
        if not folder.is_dir():
            raise ConfigError(f"{file} cannot be written: there is no folder {file.parent}. Make it first.")
        if file.is_dir():
            raise ConfigError(f"{file} cannot be written: it is a folder. Name a file in it.")
        if not os.access(file if file.exists() else folder, os.W_OK):
            raise ConfigError(f"{file} cannot be written: that is not permitted. Choose another place.")


def _write_grid(file: Path, rows: "list[list[Picture]]") -> None:
    from zorse.imaging.io import Picture as WrittenPicture
    from zorse.imaging.io import write_picture
    from zorse.metrics.grid import grid

    write_picture(file, WrittenPicture(grid(rows)))
