"""`zorse export`: from a trained generator to one ONNX file."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zorse.cli import app
from zorse.errors import MissingExtraError

if TYPE_CHECKING:
    from zorse_export import ParityReport

LEVELS = 127.5
"""Levels of an 8-bit picture in one unit of the value range [-1, 1]."""


@app.command()
def export(
    source: Annotated[Path, typer.Argument(metavar="RUN|FILE", help="A training run's folder or a .safetensors file.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="An .onnx file or a folder.", show_default="beside the source"),
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16"], typer.Option(help="How weights are stored. fp16 halves the file, not the time.")
    ] = "fp32",
    direction: Annotated[
        Literal["AtoB", "BtoA"] | None, typer.Option(help="Which generator of a CycleGAN run.", show_default="AtoB")
    ] = None,
    checkpoint: Annotated[
        Literal["last", "best"], typer.Option(help="Which checkpoint of a run: the newest, or the best by KID.")
    ] = "last",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Export a generator to one ONNX file, and prove that it computes what PyTorch computes.

    The file runs with ONNX Runtime alone, for example with 'zorse translate -m model.onnx'. It is compared with the
    network at three sizes and written only if no value differs by more than 1e-4.
    """
    if not all(find_spec(package) for package in ("torch", "safetensors", "onnx", "onnxscript")):
        raise MissingExtraError("Export to ONNX", "export")
    from zorse.generator_file import load_generator
    from zorse_export import default_target, export_onnx, find_generator

    if out is not None and out.suffix.lower() != ".onnx" and not out.is_dir():
        raise typer.BadParameter(f"{out} is neither an .onnx file nor a folder.", param_hint="--out")
    file = find_generator(source, direction, checkpoint)
    network, card = load_generator(file)
    target = out or default_target(source, card)
    if target.is_dir():
        target = target / default_target(source, card).name
    if not as_json:
        typer.echo(f"Exporting {card.name} ({card.task}) from {file} ...")
    report = export_onnx(network, card, target, precision)
    typer.echo(report.model_dump_json(indent=2) if as_json else _described(report))


def _described(report: "ParityReport") -> str:
    lines = [f"{'compared with PyTorch':24}{'pictures':>12}{'noise':>12}"]
    for check in report.checks:
        size = f"{check.batch} x {check.width}x{check.height}"
        lines.append(f"  {size:22}{check.pictures:12.1e}{check.noise:12.1e}")
    lines.append(f"  {'allowed':22}{report.tolerance:12.1e}{report.tolerance:12.1e}")
    if report.precision == "fp16":
        price = max(check.pictures_from_fp32 for check in report.checks)
        lines.append(
            f"Weights in 16 bits change pictures by at most {price:.2g}, {price * LEVELS:.2g} of 255 levels; the "
            "comparison above is with the network of the same weights."
        )
    lines.append(f"{report.file}: {report.size / 1e6:.2f} MB, {report.precision} weights, ONNX opset {report.opset}")
    lines.append(f"sha256 {report.sha256}")
    return "\n".join(lines)
