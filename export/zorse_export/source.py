"""Which generator is meant, and what its ONNX file is called."""

from pathlib import Path

from torch import nn

from zorse.backends.torch.onnx_weights import load_onnx_generator
from zorse.backends.torch.safetensors_file import load_generator
from zorse.files.names import plain_name
from zorse.loading import check_direction, locate, read_file_card
from zorse.model.card import Direction, ModelCard
from zorse.model.registry import OFFICIAL
from zorse.training.config import TrainConfig, read_config
from zorse.training.files import Checkpoint, RunFolder, check_of_run, generator_of_run, names_a_folder


def find_generator(source: Path, direction: Direction | None = None, checkpoint: Checkpoint = "last") -> Path:
    """The file of a generator.

    Args:
        source: the .safetensors or .onnx file itself, the folder of a training run, or a shipped model's name.
        direction: of the translation; None takes AtoB where a run has both.
        checkpoint: which one of a run.

    Raises:
        WeightsError: there is no generator, or none of that direction.
        ConfigError: the best checkpoint of what is no run.
    """
    if not names_a_folder(source):
        check_of_run(source, checkpoint)
        is_name = not source.suffix and (len(source.parts) == 1 or source.as_posix().startswith(OFFICIAL))
        file = locate(source.as_posix()) if is_name else source
        if direction is not None:
            check_direction(file, read_file_card(file), direction)
        return file
    return generator_of_run(source, direction, checkpoint)


def run_config(source: Path) -> TrainConfig | None:
    """The settings of the run in whose folder a generator is; None for a lone file.

    Raises:
        ConfigError: they cannot be read.
    """
    return read_config(RunFolder(source).config) if names_a_folder(source) else None


def load_source(file: Path) -> tuple[nn.Module, ModelCard]:
    """The generator in a .safetensors file, or in an .onnx file that Zorse exported.

    Raises:
        WeightsError: missing, damaged, or no model.
        IncompatibleWeights: an .onnx file no longer holds the weights as they were trained.
    """
    return load_onnx_generator(file) if file.suffix.lower() == ".onnx" else load_generator(file)


def default_target(source: Path, card: ModelCard) -> Path:
    """The model's name with .onnx, in the run folder or beside the .safetensors file."""
    return (source if names_a_folder(source) else source.parent) / f"{plain_name(card.name)}.onnx"
