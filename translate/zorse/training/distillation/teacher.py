"""The teacher of a distillation: any model that Zorse can open, as a network that works and does not learn."""

from pathlib import Path
from typing import NamedTuple

from torch import nn

from zorse.backends.torch.backend import as_tested
from zorse.backends.torch.onnx_weights import load_onnx_generator
from zorse.backends.torch.safetensors_file import load_generator, stored_weights, weights_sha256
from zorse.data.config import DataConfig
from zorse.errors import ChecksumMismatch, WeightsError
from zorse.legacy.importing import import_generator
from zorse.loading import PICKLES, check_direction, locate, read_file_card
from zorse.model.card import Direction, ModelCard
from zorse.recipes.distillation import TeacherConfig
from zorse.training.config import read_config
from zorse.training.files import RunFolder, check_translates, names_a_folder
from zorse.training.start import check_trains


class FoundTeacher(NamedTuple):
    """A teacher that was found by what the user called it."""

    config: TeacherConfig
    card: ModelCard
    data: DataConfig | None
    """What it was trained on; None where only the model is there, without its run."""


def read_teacher(model: str) -> tuple[nn.Module, ModelCard]:
    """The network and the card of a model that shall teach.

    Raises:
        UnknownModel, WeightsError: there is none, or it cannot be read.
    """
    path = Path(model)
    if names_a_folder(model) or path.suffix.lower() in PICKLES:
        return import_generator(path, {})
    file = locate(model)
    return load_onnx_generator(file) if file.suffix.lower() == ".onnx" else load_generator(file)


def find_teacher(model: str, direction: Direction | None = None) -> FoundTeacher:
    """Open a model that shall teach.

    Args:
        model: a shipped name, a model file, the folder of a run, or a checkpoint of another program.
        direction: which generator, where a run has both; None: from A to B.

    Raises:
        UnknownModel, WeightsError: there is none, or it cannot be read.
    """
    data, path = None, Path(model)
    if (run := RunFolder(path)).config.exists():
        check_translates(run)
        data = read_config(run.config).data
        model = str(_of_direction(run, direction))
    elif path.exists():
        model = str(path.resolve())
    network, card = read_teacher(model)
    check_direction(model, card, direction)
    check_trains(model, card)
    config = TeacherConfig(
        model=model,
        weights_sha256=weights_sha256(stored_weights(network, "fp32")),
        name=card.name,
        task=card.task,
        direction=card.direction,
        keeps_detail=card.keeps_detail,
        licence=card.licence,
    )
    return FoundTeacher(config, card, data)


def teacher_at_work(config: TeacherConfig) -> nn.Module:
    """The teacher's network, on the CPU, without gradients and without dropout.

    Raises:
        UnknownModel, WeightsError: it is not there any more.
        ChecksumMismatch: it has changed since it was chosen.
    """
    network, card = read_teacher(config.model)
    found = weights_sha256(stored_weights(network, "fp32"))
    if found != config.weights_sha256:
        raise ChecksumMismatch(
            f"The teacher {config.model} has changed since it was chosen: the sha256 of its weights is {found[:16]}, "
            f"{config.weights_sha256[:16]} was expected. Put the old file back, or start a new run in another folder."
        )
    # Dropout would have the student learn the mean of what chance makes, which is a blur.
    return as_tested(network, card.model_copy(update={"dropout_at_test": False})).requires_grad_(False)


def _of_direction(run: RunFolder, direction: Direction | None) -> Path:
    files = run.generator_files("best" if any(run.best_generators.glob("*.safetensors")) else "last")
    by_direction = {read_file_card(file).direction: file.resolve() for file in files}
    wanted = direction or ("AtoB" if "AtoB" in by_direction else "BtoA")
    if wanted not in by_direction:
        raise WeightsError(
            f"The training run {run.root} has no generator for {wanted}, only for {', '.join(by_direction)}. Leave "
            "--direction out."
        )
    return by_direction[wanted]
