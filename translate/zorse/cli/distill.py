"""`zorse distill`: a small, fast model learns what a large one does."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from zorse.cli.command import app
from zorse.cli.options import AllowCodeOption
from zorse.cli.stopping import say_stopped
from zorse.errors import ConfigError
from zorse.model.card import Direction
from zorse.system.extras import is_installed, require

if TYPE_CHECKING:
    from zorse.model.architecture import GeneratorConfig
    from zorse.runtime.devices import Device
    from zorse.runtime.translator import Translator
    from zorse.training.config import TrainConfig
    from zorse.training.distillation.student import StudentReport
    from zorse.training.distillation.teacher import FoundTeacher
    from zorse.training.files import RunFolder

WANTED_RATIO, WANTED_SHARE = 1.1, 1 / 8
"""A distillation aims at a KID within 10 % of the teacher's, at an eighth of its processor time."""


@app.command()
def distill(
    context: typer.Context,
    teacher: Annotated[
        str, typer.Argument(metavar="TEACHER", help="A shipped model, a model file, or the folder of a run.")
    ],
    data: Annotated[Path, typer.Option(help="Folder of the pictures.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Run folder.", show_default="runs/distill-TEACHER-DATE")] = None,
    preset: Annotated[
        Literal["cpu", "gpu"] | None,
        typer.Option(help="How long and with which batches to train.", show_default="gpu where CUDA runs"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, e.g. recipe.lambda_l1=5. May be repeated."),
    ] = None,
    kind: Annotated[
        Literal["unpaired", "paired", "edges"] | None,
        typer.Option(help="What --data holds.", show_default="as the teacher was trained, or by the folders' names"),
    ] = None,
    direction: Annotated[
        Direction | None, typer.Option(help="Which generator of a CycleGAN run.", show_default="AtoB")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the last checkpoint in --out, with its settings and those of --set."),
    ] = False,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")] = "auto",
    allow_code: AllowCodeOption = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Let the data doctor look at the pictures first.")
    ] = True,
) -> None:
    """Distil a compact model from a large one, and measure both.

    The teacher translates the pictures of its domain in --data while the student learns to do the same; real pictures
    of the other domain, and a discriminator, see to it that the results look real. At the end both are timed in turn
    on this computer and measured on the test pictures of --data. The settings are those of a training run: samples,
    the best checkpoint, Ctrl-C and --resume work as in 'zorse train'.
    """
    require("Distilling", "train")
    import torch

    from zorse.training.config import with_overrides
    from zorse.training.custom_code import own_code
    from zorse.training.distillation.config import distillation_config
    from zorse.training.distillation.teacher import find_teacher
    from zorse.training.files import RunFolder
    from zorse.training.run import train as run_training

    if resume and out is None:
        raise typer.BadParameter("--resume needs --out, the folder of the run to go on with.")
    if resume and (kind or preset or direction):
        raise typer.BadParameter(
            "A distillation that goes on keeps its settings: leave --kind, --preset and --direction out with --resume."
        )
    found = find_teacher(teacher, direction)
    if resume and out is not None and RunFolder(out).config.exists():
        source = _resumed(RunFolder(out), found)
    else:
        on_gpu = device != "cpu" and torch.cuda.is_available()
        source = distillation_config(found, data, kind, preset or ("gpu" if on_gpu else "cpu"))
    config = with_overrides(source, settings or [])
    context.with_resource(own_code(config))
    folder = out or Path("runs") / f"distill-{found.card.name}-{datetime.now():%Y%m%d-%H%M%S}"
    console = Console(soft_wrap=True, highlight=False, markup=False)
    sizes = [_parameters(architecture) for architecture in (found.card.architecture, config.recipe.generator)]
    console.print(
        f"Distilling {config.name} in {folder}: {sizes[0] / 1e6:.2f} M parameters teach {sizes[1] / 1e6:.2f} M"
    )
    state = run_training(config, data, folder, resume=resume, device=device, console=console, check=check)
    if state.interrupted:
        say_stopped(state, folder, console)
    _finish(config, data, RunFolder(folder), found, device, console)


def _resumed(run: "RunFolder", found: "FoundTeacher") -> "TrainConfig":
    """The settings of a run that goes on, with its teacher where it is now."""
    from zorse.recipes.distillation import DistillationConfig
    from zorse.training.config import read_config

    config = read_config(run.config)
    recipe = config.recipe
    if not isinstance(recipe, DistillationConfig):
        raise ConfigError(f"The run in {run.root} is no distillation but {recipe.kind}. Choose another --out.")
    if recipe.teacher.weights_sha256 != found.config.weights_sha256:
        raise ConfigError(
            f"The run in {run.root} learns from {recipe.teacher.name}, whose weights are not those of "
            f"{found.config.model}. Name the teacher that it was started with ({recipe.teacher.model}), or choose "
            "another --out."
        )
    return config.model_copy(update={"recipe": recipe.model_copy(update={"teacher": found.config})})


def _finish(
    config: "TrainConfig", data: Path, run: "RunFolder", found: "FoundTeacher", device: "Device", console: Console
) -> None:
    """Measures teacher and student, and says how the student did."""
    from zorse.loading import load
    from zorse.metrics.latency import compare_latency
    from zorse.training.distillation.student import keep_report, report_student, summary

    (student,) = run.generator_files("best" if run.best_generators.is_dir() else "last")
    console.print("Measuring teacher and student ...")
    with _teacher_file(found) as teacher, _timed(student, teacher) as timed:
        latency = compare_latency(timed)
        report = report_student(config, data, load(student, device), load(teacher, device), latency)
    keep_report(report, run.root / "distillation.json", student)
    console.print(summary(report))
    console.print(_verdict(report))
    console.print(f"Done. The student is {student}; next: zorse export {student}")


def _verdict(report: "StudentReport") -> str:
    fast = f"{'at most' if report.processor_share <= WANTED_SHARE else 'more than'} an eighth of the time"
    if not report.ratios:
        return f"The aim is an eighth of the time: it takes {fast}. Without test pictures its KID is not known."
    near = "within" if report.ratios[0].value <= WANTED_RATIO else "not within"
    return f"The aim is a KID within 10 % at an eighth of the time: it is {near} 10 %, at {fast}."


@contextmanager
def _teacher_file(found: "FoundTeacher") -> Iterator[Path]:
    """The teacher as a model file; a checkpoint of another program is converted for the moment."""
    from zorse.backends.torch.safetensors_file import save_generator
    from zorse.loading import PICKLES, locate
    from zorse.training.distillation.teacher import read_teacher
    from zorse.training.files import names_a_folder

    path = Path(found.config.model)
    if not names_a_folder(found.config.model) and path.suffix.lower() not in PICKLES:
        yield locate(found.config.model)
        return
    with TemporaryDirectory() as folder:
        network, card = read_teacher(found.config.model)
        file = Path(folder) / "teacher.safetensors"
        save_generator(file, network, card)
        yield file


@contextmanager
def _timed(*files: Path) -> "Iterator[list[Translator]]":
    """The models with one thread, as users run them: with ONNX Runtime, or with PyTorch where export is missing."""
    from zorse.loading import load

    with TemporaryDirectory() as folder:
        runnable = [
            _as_onnx(file, Path(folder) / f"{number}.onnx") if is_installed("export") else file
            for number, file in enumerate(files)
        ]
        yield [load(file, "cpu", threads=1) for file in runnable]


def _as_onnx(file: Path, target: Path) -> Path:
    from zorse.backends.torch.safetensors_file import load_generator
    from zorse_export import export_onnx

    if file.suffix.lower() == ".onnx":
        return file
    network, card = load_generator(file)
    export_onnx(network, card, target)
    return target


def _parameters(architecture: "GeneratorConfig") -> int:
    from zorse.backends.torch.safetensors_file import blank_generator

    return sum(parameter.numel() for parameter in blank_generator(architecture).parameters())
