"""What `zorse export` does with a generator that draws from noise."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zorse.cli.console import echo, echo_json

if TYPE_CHECKING:
    from zorse_export.samples import SamplePrecision


def export_sample_generator(
    file: Path, source: Path, out: Path | None, precision: "SamplePrecision", refused: Sequence[str], as_json: bool
) -> None:
    """Export, and say what the file takes and gives.

    Args:
        file: of the generator.
        source: what the user named: the file, or its run.
        out: an .onnx file, a folder, or None for a file beside the source.
        precision: of the weights.
        refused: options that were given and are for translators only.
        as_json: print the report as JSON.
    """
    from zorse.gans.safetensors_file import load_sample_generator
    from zorse_export.samples import export_samples, sample_target

    if refused:
        raise typer.BadParameter(
            f"{source} draws samples from noise; {' and '.join(refused)} are for models that translate. Leave them out."
        )
    network, card = load_sample_generator(file)
    target = out or sample_target(source, card)
    if target.is_dir():
        target = target / sample_target(source, card).name
    if not as_json:
        echo(f"Exporting {card.name} ({card.shows}) from {file} ...")
    report = export_samples(network, card, target, precision)
    if as_json:
        echo_json(report)
        return
    counts = ", ".join(map(str, report.compared))
    echo(f"compared with PyTorch: {counts} samples at a time, at most {report.difference:.1e} apart")
    echo(f"takes {' and '.join(report.inputs)}, gives {report.output}")
    echo(f"{report.file}: {report.size / 1e6:.2f} MB, ONNX opset {report.opset}")
    echo(f"sha256 {report.sha256}")
