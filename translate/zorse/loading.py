"""From a name or a file to a Translator, and from a file to its card."""

import json
import re
import struct
from collections.abc import Iterable
from pathlib import Path

from zorse.errors import WeightsError
from zorse.model.card import Direction, ModelCard, read_card
from zorse.model.model_file import read_onnx
from zorse.model.registry import OFFICIAL, model_file
from zorse.runtime.devices import Arena, Device, Setting
from zorse.runtime.translator import Translator
from zorse.system.extras import READS_TENSORS, require
from zorse.system.import_paths import allow_code as allowing

PICKLES = frozenset({".pth", ".pt", ".pkl", ".pickle", ".ckpt", ".bin"})
"""Endings of the files that torch.save and pickle write."""

_NAME = re.compile(rf"({OFFICIAL})?[\w-]+")
"""Of a shipped model, or of one that others have published."""


def load(
    name_or_path: str | Path,
    device: Device = "auto",
    threads: int | None = None,
    arena: Arena = "auto",
    allow_code: str | Iterable[str] = (),
) -> Translator:
    """Opens a model for translating.

    Args:
        name_or_path: a shipped model's name ("horse2zebra"), an .onnx file, or a .safetensors file (needs the extra
            `train`).
        device: "auto": CUDA where it runs, else the CPU. "cpu", "cuda", "directml", "coreml", "openvino": that or an
            error. `Translator.provider` says what runs the network.
        threads: CPU threads for one picture; None for one per core. Who translates several pictures at the same time
            from threads of their own gives each fewer.
        arena: memory of ONNX Runtime, which runs .onnx files, between pictures. "auto": used again, given back after
            large pictures. "keep": used again, whatever it takes. "off": given back at once; least memory, and slower.
        allow_code: packages whose code may run, where a .safetensors file holds a network of others. An .onnx file
            needs no code.

    Returns:
        A `Translator`: call it with a picture.

    Raises:
        UnknownModel: neither a shipped model nor a file has that name.
        WeightsError: the file is damaged, not a model, or not the published one.
        DeviceError: a device was asked for and does not run here.
        ConfigError: an option makes no sense.
        MissingExtraError: a .safetensors file where torch is not installed.
        CustomCodeError: a .safetensors file of a network of others, whose code is not allowed or not installed.
    """
    file = locate(name_or_path)
    if file.suffix.lower() == ".safetensors":
        require(f"Translating with {file.name}", "train", *READS_TENSORS)
        from zorse.backends.torch.backend import load_torch  # imports torch

        with allowing((allow_code,) if isinstance(allow_code, str) else allow_code):
            return load_torch(file, Setting(device, threads, arena))
    from zorse.backends.onnx.backend import OnnxBackend  # imports ONNX Runtime

    backend = OnnxBackend(file, device, threads, arena)
    return Translator(backend.card, backend, backend.provider)


def locate(name_or_path: str | Path) -> Path:
    """The model file that is meant; a shipped one is verified.

    Raises:
        UnknownModel: neither a shipped model nor a file has that name.
        WeightsError: the file is missing or of a kind that is not loaded.
    """
    path = Path(name_or_path)
    is_name = isinstance(name_or_path, str) and _NAME.fullmatch(name_or_path) and not path.is_file()
    if is_name:
        return model_file(str(name_or_path))
    suffix = path.suffix.lower()
    if not path.is_file():
        wanted = "is a folder" if path.is_dir() else "does not exist"
        raise WeightsError(
            f"The model file {path} {wanted}. Wanted: an .onnx or .safetensors file, or a shipped model ('zorse models "
            "list' shows them)."
        )
    if suffix in PICKLES:
        raise WeightsError(
            f"{path} is a pickle file, which can run any program while it is read; Zorse does not open it. Use the "
            "model's .onnx or .safetensors file, or make one: 'zorse models import' reads nothing but the tensors."
        )
    if suffix not in (".onnx", ".safetensors"):
        raise WeightsError(f"{path} is not a model file: its name ends in neither .onnx nor .safetensors.")
    return path


def read_file_card(file: Path) -> ModelCard:
    """The card inside an .onnx or .safetensors file, without torch.

    Raises:
        WeightsError: the file is damaged or holds no card.
    """
    if file.suffix.lower() == ".safetensors":
        return read_card(safetensors_metadata(file), str(file))
    return read_card(read_onnx(file).metadata, str(file))


def safetensors_metadata(file: Path) -> dict[str, str]:
    """What a safetensors file says of itself, without torch.

    It begins with the length of a JSON header, whose "__metadata__" maps strings to strings.

    Raises:
        WeightsError: it is damaged.
    """
    try:
        with file.open("rb") as content:
            (length,) = struct.unpack("<Q", content.read(8))
            if length > file.stat().st_size:
                raise ValueError("the header is longer than the file")
            metadata = json.loads(content.read(length)).get("__metadata__", {})
        return {str(key): str(value) for key, value in metadata.items()}
    except (OSError, ValueError, AttributeError, struct.error) as error:
        raise WeightsError(f"{file} is damaged or not a safetensors file ({error}). Get it again.") from error


def check_direction(model: str | Path, card: ModelCard, direction: Direction | None) -> None:
    """See that a single model translates as it was asked for.

    Args:
        model: what the user called it.
        card: its card.
        direction: that was asked for; None: whichever it has.

    Raises:
        WeightsError: it translates the other way.
    """
    if direction is not None and card.direction != direction:
        raise WeightsError(
            f"{model} translates {card.direction} ({card.source_domain} to {card.target_domain}), but --direction "
            f"{direction} was asked for. Leave it out, or name the file of the other generator."
        )
