"""`zorse export`: from a trained generator to one ONNX file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zorse.cli.command import app
from zorse.cli.options import AllowCodeOption
from zorse.model.card import Direction
from zorse.system.extras import require

if TYPE_CHECKING:
    from zorse_export import ExportReport


@app.command()
def export(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|MODEL",
            help="A training run's folder, a .safetensors or .onnx file, or a shipped model's name.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="OUT",
            help="An .onnx file or a folder.",
            show_default="in the run folder, or beside a .safetensors file",
        ),
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "fp16-compute", "int8"],
        typer.Option(
            help="fp16 stores weights in 16 bits, which halves the file; fp16-compute also computes in 16 bits, for "
            "GPUs; int8 computes in 8 bits, for CPUs, and is written only if it is faster here."
        ),
    ] = "fp32",
    io: Annotated[
        Literal["uint8", "float"],
        typer.Option(
            help="uint8: pictures of any size in and out, (N, H, W, 3). float: (N, 3, H, W) in [-1, 1], sides "
            "multiples of the card's size multiple."
        ),
    ] = "uint8",
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Real pictures of what the model translates: int8 needs them, and all are compared on them.",
            show_default=False,
        ),
    ] = None,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A data set with test pictures: says what int8 does to KID.", show_default=False
        ),
    ] = None,
    keep_slower: Annotated[
        bool, typer.Option("--keep-slower", help="Write an int8 file though it is not faster on this computer.")
    ] = False,
    norm_at_test: Annotated[
        Literal["picture", "running"] | None,
        typer.Option(help="Statistics of BatchNorm: each picture's or the training's.", show_default="as in the card"),
    ] = None,
    dropout_at_test: Annotated[
        bool | None,
        typer.Option(
            "--dropout-at-test/--no-dropout-at-test",
            help="Keep pix2pix's dropout active, in one fixed pattern.",
            show_default="no dropout",
        ),
    ] = None,
    direction: Annotated[
        Direction | None, typer.Option(help="Which generator of a CycleGAN run.", show_default="AtoB")
    ] = None,
    checkpoint: Annotated[
        Literal["last", "best"], typer.Option(help="Which checkpoint of a run: the newest, or the best by KID.")
    ] = "last",
    web: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also write a page that translates in the visitor's browser, ready to host, or add the model to one.",
            show_default=False,
        ),
    ] = None,
    triton: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Also add the model to a repository for NVIDIA's Triton server.", show_default=False
        ),
    ] = None,
    web_runtime: Annotated[
        Path | None,
        typer.Option(
            metavar="TGZ",
            help="The tarball of onnxruntime-web, for --web without a connection.",
            show_default="downloaded once",
        ),
    ] = None,
    allow_code: AllowCodeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Export a generator to one ONNX file, and prove that it computes what PyTorch computes.

    The file runs with ONNX Runtime alone, in any language, or with 'zorse translate -m model.onnx'. It is compared with
    the network at seven sizes and written only if what it computes is the same: in 32 bits up to 1e-4 on [-1, 1] and
    one of 255 levels, with fewer up to a PSNR of 50 dB (fp16, fp16-compute) or 35 dB (int8).
    """
    require("Export to ONNX", "export")
    if evaluate is not None and precision != "int8":
        raise typer.BadParameter("It measures what int8 does to a model; leave it out.", param_hint="--evaluate")
    if keep_slower and precision != "int8":
        raise typer.BadParameter("Only int8 files are measured; leave it out.", param_hint="--keep-slower")
    if out is not None and out.suffix.lower() != ".onnx" and not out.is_dir():
        raise typer.BadParameter(f"{out} is neither an .onnx file nor a folder.", param_hint="--out")
    if web_runtime is not None and web is None:
        raise typer.BadParameter("It is a part of the page; leave it out, or add --web.", param_hint="--web-runtime")
    if web is not None and io != "uint8":
        raise typer.BadParameter("The page runs uint8 files; leave --io out.", param_hint="--web")
    from zorse.cli.bundles import write_bundles
    from zorse.cli.gans.sample_export import export_sample_generator
    from zorse.data.layout import list_pictures
    from zorse.imaging.custom_readers import reading_with
    from zorse_export import (
        at_test,
        default_target,
        evaluation_pictures,
        export_onnx,
        find_generator,
        load_source,
        run_config,
    )
    from zorse_export.samples import find_sample_generator

    samples = find_sample_generator(source, checkpoint)
    if samples is not None:
        chosen = {
            f"--precision {precision}": precision not in ("fp32", "fp16"),
            "--io": io != "uint8",
            "--calibrate": calibrate is not None,
            "--norm-at-test": norm_at_test is not None,
            "--dropout-at-test": dropout_at_test is not None,
            "--direction": direction is not None,
            "--web": web is not None,
            "--triton": triton is not None,
        }
        stored: Literal["fp32", "fp16"] = "fp16" if precision == "fp16" else "fp32"
        refused = [option for option, given in chosen.items() if given]
        export_sample_generator(samples, source, out, stored, refused, as_json)
        return
    file = find_generator(source, direction, checkpoint)
    as_it_is = (web is not None or triton is not None) and out is None and file.suffix.lower() == ".onnx"
    if as_it_is and (precision, io, calibrate, norm_at_test, dropout_at_test) == ("fp32", "uint8", None, None, None):
        lines = write_bundles(file, web, triton, web_runtime)
        typer.echo(json.dumps({"file": str(file)}) if as_json else "\n".join(lines))
        return
    network, card = load_source(file)
    target = out or default_target(source, card)
    if target.is_dir():
        target = target / default_target(source, card).name
    if target.resolve() == file.resolve() or (out is None and file.suffix.lower() == ".onnx"):
        raise typer.BadParameter("Name another file than the one that is exported.", param_hint="--out")
    if not as_json:
        typer.echo(f"Exporting {card.name} ({card.task}) from {file} ...")
    config = run_config(source)
    if config is not None and (calibrate is not None or evaluate is not None):
        context.with_resource(reading_with(config.data.readers))
    report = export_onnx(
        network,
        at_test(network, card, norm_at_test, dropout_at_test),
        target,
        precision,
        io,
        pictures=list_pictures(calibrate) if calibrate is not None else (),
        evaluation=evaluation_pictures(evaluate, card, config) if evaluate is not None else None,
        keep_slower=keep_slower,
    )
    # First what was made: a folder that cannot be written to does not undo it.
    typer.echo(report.model_dump_json(indent=2) if as_json else _described(report))
    for line in write_bundles(report.file, web, triton, web_runtime):
        if not as_json:
            typer.echo(line)


def _described(report: "ExportReport") -> str:
    from zorse.model.parity import described_change

    parity = report.parity
    lines = [f"{'compared with PyTorch':24}{'pictures':>9}{'difference':>12}{'levels':>8}{'PSNR':>8}"]
    for check in report.checks:
        seen = check.compared
        size = f"{seen.batch} x {seen.width}x{seen.height}"
        least = "" if check.psnr is None else f"{check.psnr:.0f} dB"
        lines.append(f"  {size:22}{seen.pictures:>9}{check.difference:12.1e}{check.levels:8}{least:>8}")
    bounds = parity.bounds
    allowed = (
        f"{'' if bounds.difference is None else format(bounds.difference, '.0e'):>12}"
        f"{'' if bounds.levels is None else bounds.levels:>8}"
        f"{'' if bounds.psnr is None else format(bounds.psnr, 'g') + ' dB':>8}"
    )
    lines.append(f"  {'allowed':31}{allowed}")
    if parity.calibration:
        lines.append(f"calibrated {parity.calibration}")
    if report.speed is not None:
        side = report.card.native_size
        lines.append(
            f"{side}x{side} pixels on this computer: {report.speed.here:.0f} ms, {report.speed.fp32:.0f} ms in 32 bits"
        )
    lines += [f"{each.name}: {described_change(each)}" for each in parity.kid]
    if parity.precision == "int8" and not parity.kid:
        lines.append("KID: not measured; --evaluate DIR states what 8 bits do to it")
    statistics = {"picture": "of each picture", "running": "of the training"}[report.card.norm_at_test]
    dropout = "in a fixed pattern" if report.card.dropout_at_test else "off"
    lines.append(f"at test time: statistics {statistics}, dropout {dropout}")
    lines.append(
        f"{report.file}: {report.size / 1e6:.2f} MB, {parity.precision}, {parity.io}, ONNX opset {parity.opset}, IR "
        f"version {parity.ir_version}"
    )
    lines.append(f"sha256 {report.sha256}")
    return "\n".join(lines)
