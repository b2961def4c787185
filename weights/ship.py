"""Put a trained generator among the shipped models: card, ONNX file, registry.

    python weights/ship.py ship RUN/generators/G_AB.safetensors --evaluation result.json --title "Horse to zebra"
    python weights/ship.py samples RUN/generators_best/G.safetensors digits --title "Digits" --licence "CC BY-SA 3.0"
    python weights/ship.py renew --pictures DIR

The figures in a translator's card are those that `zorse evaluate RUN --data DIR -o result.json` measured; those in the
card of a generator of samples were measured while it was trained.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
import typer
from torch import nn

from zorse import __version__
from zorse.backends.torch.onnx_weights import load_onnx_generator
from zorse.backends.torch.safetensors_file import load_generator
from zorse.errors import ConfigError
from zorse.gans.safetensors_file import load_sample_generator
from zorse.imaging.io import find_pictures
from zorse.metrics.evaluation import Evaluation, Report
from zorse.model.card import ModelCard, TrainingData
from zorse.model.registry import shipped_models
from zorse_export import export_onnx
from zorse_export.samples import export_samples

app = typer.Typer(no_args_is_help=True, add_completion=False)

WEIGHTS = Path(__file__).parent
HEADER = """\
# The shipped models, in the order in which they are listed; weights/ship.py writes this file. One table per model:
#
# [models.horse2zebra]
# file = "horse2zebra.onnx"      in this folder, or in the cache after a download
# sha256 = "64 hex digits"       of the file
# title = "Horse to zebra"
# task = "horse to zebra"
# state = "preview"              or "release"
# url = "https://..."            only for files that are not in this folder
#
# Generators that draw samples from noise have tables [samples.NAME] with the same keys; their task is what they draw.
#
# One table per generator that the authors of CycleGAN and pix2pix have published, under its name in their scripts
# download_cyclegan_model.sh and download_pix2pix_model.sh (with "pix2pix_" before it where both have one of that name):
#
# [official.horse2zebra]
# url = "http://..."             a checkpoint of PyTorch, which is converted on the user's computer
# sha256 = "64 hex digits"       of the checkpoint; its authors publish none, so that no entry has one yet
# domain_a, domain_b             what the pictures show
# direction = "AtoB"             or "BtoA"
# keeps_detail = true            as in a card
# data, data_origin, data_licence   what it was trained on

"""


def find_evaluation(file: Path, model: str) -> Evaluation:
    """What was measured of a model.

    Raises:
        ConfigError: the file holds no evaluation of it.
    """
    for evaluation in Report.model_validate_json(file.read_text(encoding="utf-8")).evaluations:
        if evaluation.model == model:
            return evaluation
    raise ConfigError(f"{file} holds no evaluation of {model!r}. Make one with 'zorse evaluate'.")


def register(group: Literal["models", "samples"], name: str, title: str, task: str, state: str, sha256: str) -> None:
    """Add or replace a model's entry in registry.toml."""
    file = WEIGHTS / "registry.toml"
    registry = tomllib.loads(file.read_text(encoding="utf-8"))
    registry.setdefault(group, {})[name] = {
        "file": f"{name}.onnx",
        "sha256": sha256,
        "title": title,
        "task": task,
        "state": state,
    }
    file.write_text(HEADER + tomli_w.dumps(registry), encoding="utf-8")


def source(name: str) -> TrainingData:
    """What a shipped model learned from.

    Raises:
        ConfigError: sources.toml does not know it.
    """
    known = tomllib.loads((WEIGHTS / "sources.toml").read_text(encoding="utf-8"))
    if name not in known:
        raise ConfigError(f"sources.toml describes {', '.join(known)}, but not {name!r}. Add it there.")
    return TrainingData.model_validate(known[name])


@app.command()
def ship(
    generator: Annotated[Path, typer.Argument(help="A generator's .safetensors file.")],
    evaluation: Annotated[Path, typer.Option(help="What 'zorse evaluate -o' wrote.")],
    title: Annotated[str, typer.Option(help='For people: "Horse to zebra".')],
    name: Annotated[str | None, typer.Option(help="That it is shipped under, if not the one in its card.")] = None,
    state: Annotated[Literal["release", "preview"], typer.Option()] = "preview",
    native_size: Annotated[int | None, typer.Option(help="Short side to work at, in pixels.")] = None,
    training: Annotated[str | None, typer.Option(help="How it was trained, if not in one run.")] = None,
    trained_on: Annotated[str | None, typer.Option(help="Its set in sources.toml, if its card names none.")] = None,
    notes: Annotated[str, typer.Option(help="What a user should know.")] = "",
) -> None:
    """Write NAME.onnx with its card beside this script, and its entry in registry.toml."""
    network, card = load_generator(generator)
    card = card.model_copy(
        update={
            "name": name or card.name,
            "training_data": source(trained_on) if trained_on else card.training_data,
            "metrics": find_evaluation(evaluation, card.name).metrics,
            "state": state,
            "native_size": native_size or card.native_size,
            "training": training or card.training,
            "licence": "MIT",
            "notes": notes,
            "zorse_version": __version__,
        }
    )
    write(network, card, title)


@app.command()
def samples(
    generator: Annotated[Path, typer.Argument(help="A .safetensors file of a generator that draws from noise.")],
    name: Annotated[str, typer.Argument(help='That it is shipped under: "digits".')],
    title: Annotated[str, typer.Option(help='For people: "Handwritten digits".')],
    licence: Annotated[str, typer.Option(help="Of the weights.")],
    trained_on: Annotated[str | None, typer.Option(help="Its set in sources.toml, if its card names none.")] = None,
    state: Annotated[Literal["release", "preview"], typer.Option()] = "preview",
    notes: Annotated[str, typer.Option(help="What a user should know.")] = "",
) -> None:
    """Write NAME.onnx with its card beside this script, and its entry in registry.toml."""
    network, card = load_sample_generator(generator)
    told = {"name": name, "licence": licence, "state": state, "notes": notes, "zorse_version": __version__}
    data = source(trained_on) if trained_on else card.training_data
    report = export_samples(
        network, card.model_copy(update={**told, "training_data": data}), WEIGHTS / f"{name}.onnx", "fp16"
    )
    register("samples", name, title, card.shows, state, report.sha256)
    typer.echo(f"{report.file.name}: {report.size / 1e6:.2f} MB, at most {report.difference:.1e} from PyTorch")


@app.command()
def renew(
    pictures: Annotated[
        Path | None,
        typer.Option(help="Holds a folder NAME for each model, of pictures as it takes them: they are compared, too."),
    ] = None,
) -> None:
    """Write all translators and the registry again, from the weights in the files, as the present version exports."""
    for name, entry in shipped_models().items():
        network, card = load_onnx_generator(WEIGHTS / entry.file)
        write(network, card, entry.title, find_pictures(pictures / name) if pictures else ())


def write(network: nn.Module, card: ModelCard, title: str, pictures: Sequence[Path] = ()) -> None:
    """Export a model to this folder and register it."""
    report = export_onnx(network, card, WEIGHTS / f"{card.name}.onnx", precision="fp16", pictures=pictures)
    register("models", card.name, title, card.task, card.state, report.sha256)
    worst = max(check.difference for check in report.checks)
    typer.echo(f"{report.file.name}: {report.size / 1e6:.2f} MB, at most {worst:.1e} from PyTorch, {report.sha256}")


if __name__ == "__main__":
    app()
