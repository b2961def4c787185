"""`zorse sample`: draw from a generator that was trained on noise."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zorse.cli.command import app
from zorse.cli.console import echo
from zorse.errors import ConfigError, WeightsError
from zorse.system.extras import require

if TYPE_CHECKING:
    from zorse.gans.sampling.sampler import Sampler
    from zorse.gans.sheets import Pixels, Points
    from zorse.training.files import Checkpoint

SAMPLES = 64
POINTS = 1024
ROWS = 8
"""Of a sheet of interpolations or codes."""
STOPS = 6
"""Of a walk."""
FRAME_MS = 80
FILM_MS = 250


@app.command()
def sample(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|MODEL",
            help="A run of a baseline GAN, a .safetensors or .onnx file of one, or the name of a shipped one.",
        ),
    ],
    n: Annotated[
        int | None,
        typer.Option(
            "-n",
            min=1,
            max=10_000,
            help="Samples on the sheet, in whole rows of classes; rows of --interpolate, --traverse; stops of a walk.",
            show_default="64 pictures, 1024 points; 8 rows; 6 stops",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Picture to write; .gif for walks and films.")
    ] = Path("samples.png"),
    label: Annotated[
        str | None, typer.Option(metavar="K", help="Number or name of the class to draw.", show_default="all")
    ] = None,
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="The way from one sample to another; with a .gif, a walk.")
    ] = False,
    linear: Annotated[
        bool, typer.Option("--linear", help="Interpolate along straight lines, not around the origin.")
    ] = False,
    traverse: Annotated[bool, typer.Option("--traverse", help="Change one code of InfoGAN at a time.")] = False,
    arithmetic: Annotated[
        str | None,
        typer.Option(
            metavar="SUM",
            help='Means of latents added up, by the numbers of their samples on the sheet: "1,4,9-2,3+5".',
        ),
    ] = None,
    neighbours: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Beside each sample the nearest picture of this training set."),
    ] = None,
    film: Annotated[bool, typer.Option("--film", help="The sheets of a run, one after the other, as a .gif.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the chance.")] = 0,
    checkpoint: Annotated[Literal["last", "best"], typer.Option(help="Which one of a run.")] = "last",
) -> None:
    """Draw samples from a trained baseline GAN: sheets, one class, interpolations, walks, sums of latents, codes.

    The same seed gives the same samples. Without --label, each class has its own column.
    """
    require("Drawing samples", "train")
    chosen = {
        "--interpolate": interpolate,
        "--traverse": traverse,
        "--arithmetic": arithmetic is not None,
        "--neighbours": neighbours is not None,
        "--film": film,
    }
    named = [option for option, given in chosen.items() if given]
    if len(named) > 1:
        raise typer.BadParameter(f"{' and '.join(named)} cannot go together: choose one.")
    if linear and not interpolate:
        raise typer.BadParameter("--linear goes with --interpolate.")
    moves = out.suffix.lower() == ".gif"
    if film and not moves:
        raise typer.BadParameter("--film needs an --out that ends with .gif.")
    if moves and not (film or interpolate):
        raise typer.BadParameter("A .gif is for --interpolate or --film.")
    if film and (n is not None or label is not None or seed or checkpoint != "last"):
        raise typer.BadParameter("--film shows the run's own sheets: leave -n, --label, --seed and --checkpoint out.")
    if film:
        frames, milliseconds = _film(model), FILM_MS
    else:
        sampler = _sampler(model, checkpoint)
        number = _label(sampler, label)
        if interpolate and moves:
            from zorse.gans.sampling.sheets import walk

            frames, milliseconds = walk(sampler, max(2, n or STOPS), number, seed, spherical=not linear), FRAME_MS
        else:
            frames = [
                _sheet(
                    sampler,
                    model,
                    n,
                    number,
                    seed,
                    interpolate,
                    linear,
                    traverse,
                    arithmetic,
                    neighbours,
                )
            ]
            milliseconds = 0
    _write(out, frames, milliseconds)
    echo(f"Wrote {out}")


def _sheet(
    sampler: "Sampler",
    model: Path,
    n: int | None,
    label: int | None,
    seed: int,
    interpolate: bool,
    linear: bool,
    traverse: bool,
    arithmetic: str | None,
    neighbours: Path | None,
) -> "Pixels":
    from zorse.gans.sampling import sheets

    if interpolate:
        return sheets.interpolation_sheet(sampler, n or ROWS, label, seed, spherical=not linear)
    if traverse:
        return sheets.traversal_sheet(sampler, n or ROWS, label, seed)
    n = n or (POINTS if sampler.card.draws_points else SAMPLES)
    if arithmetic is not None:
        return sheets.arithmetic_sheet(sampler, arithmetic, n, label, seed)
    if neighbours is not None:
        labels = None if label is None else [label] * n
        latents = sampler.latents(n, labels, seed)
        return sheets.neighbours_sheet(sampler, latents, _training_pictures(model, neighbours))
    return sheets.samples_sheet(sampler, n, label, seed, _real_points(model) if sampler.card.draws_points else None)


def _sampler(model: Path, checkpoint: "Checkpoint") -> "Sampler":
    from zorse.gans.sampling.sampler import Sampler
    from zorse.model.registry import sample_model_file
    from zorse.training.files import RunFolder, check_of_run, names_a_folder

    if names_a_folder(model):
        return Sampler.load(RunFolder(model).generator_files(checkpoint)[0])
    check_of_run(model, checkpoint)
    is_name = model == Path(model.name) and not model.suffix and not model.is_file()
    return Sampler.load(sample_model_file(model.name) if is_name else model)


def _label(sampler: "Sampler", label: str | None) -> int | None:
    from zorse.gans.sampling.sheets import check_label

    if label is None:
        return None
    names = sampler.card.class_names
    if label not in names and not label.isdecimal():
        raise ConfigError(
            f"No class is called {label!r}. {sampler.card.name!r} knows: {', '.join(names[:20]) or 'none'}. Name one "
            "of these, or its number, counted from 0."
        )
    number = names.index(label) if label in names else int(label)
    check_label(sampler, number)
    return number


def _config_of(model: Path) -> Path:
    if not (model / "config.toml").is_file():
        raise WeightsError(
            f"{model} is not the folder of a run, and only a run knows what it was trained on. Wanted: the folder that "
            "'zorse train --out' wrote."
        )
    return model / "config.toml"


def _training_pictures(model: Path, data: Path) -> "Pixels":
    """(M, H, W, 3): the pictures that a run has learned from, in their order."""
    import numpy as np

    from zorse.gans.data.dataset import open_samples
    from zorse.gans.sampling.sampler import as_pixels
    from zorse.gans.training.config import read_baseline_config

    config = read_baseline_config(_config_of(model)).data
    if config.kind == "mixture":
        raise ConfigError("--neighbours is for pictures, but this run has learned from points in the plane.")
    samples = open_samples(config, data)
    parts = range(0, len(samples), 1024)
    return np.concatenate([as_pixels(samples.batch(at, min(1024, len(samples) - at))["x"]) for at in parts])


def _real_points(model: Path) -> "Points | None":
    from zorse.gans.data.dataset import open_samples
    from zorse.gans.training.config import read_baseline_config

    if not (model / "config.toml").is_file():
        return None
    points = open_samples(read_baseline_config(model / "config.toml").data, None).batch(0, POINTS)["x"]
    real: Points = points.numpy()
    return real


def _film(model: Path) -> "list[Pixels]":
    from zorse.data.decode import decode
    from zorse.training.files import RunFolder

    pictures = sorted(RunFolder(model).samples.glob("*.png"))
    if not pictures:
        raise WeightsError(
            f"{model} holds no sheets of samples to make a film of. Wanted: the folder of a run; training.sample_every "
            "says how often it draws one."
        )
    return [decode(picture) for picture in pictures]


def _write(out: Path, frames: "list[Pixels]", milliseconds: int) -> None:
    from io import BytesIO

    from PIL import Image

    from zorse.imaging.animation import paletted
    from zorse.imaging.io import Picture, encode_picture, write_file

    content = BytesIO()
    if len(frames) > 1:
        first, *others = [paletted(Image.fromarray(frame)) for frame in frames]
        first.save(content, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)
    else:
        content.write(encode_picture(Picture(frames[0]), out.suffix))
    write_file(out, content.getvalue())
