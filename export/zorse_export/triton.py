"""A model repository for NVIDIA's Triton Inference Server, which serves one model to many clients.

Source: https://docs.nvidia.com/deeplearning/triton-inference-server, "Model Repository", "Model Configuration".
"""

import json
from pathlib import Path

from zorse.errors import ExportError
from zorse.files.names import plain_name
from zorse.model.card import ModelCard, read_card
from zorse.model.model_file import read_onnx
from zorse.model.onnx_file import OnnxFile, Value
from zorse.system.atomic import replacing

CONFIG, MODEL = "config.pbtxt", "model.onnx"

MAX_BATCH = 8
"""Pictures of one size that are translated at a time, from however many clients they come."""
MAX_DELAY = 2000
"""Microseconds that a picture waits for others of its size."""

TYPES = {"uint8": "TYPE_UINT8", "float32": "TYPE_FP32", "float16": "TYPE_FP16", "int64": "TYPE_INT64"}


def write_repository(model: Path, folder: Path) -> Path:
    """Adds a model to a model repository: its folder with `config.pbtxt`, and the file as its next version.

    Args:
        model: an .onnx file with a card; its first dimension is the batch.
        folder: of the repository, which may hold other models; made if it is missing.

    Returns:
        The model file inside the repository; the newest version, if that is the same file already.

    Raises:
        WeightsError: the model cannot be read.
        ExportError: a model of that name is there with another configuration, or the folder cannot be written.
    """
    file = read_onnx(model)
    card = read_card(file.metadata, str(model))
    place = folder / plain_name(card.name)
    config = configuration(file, card)
    try:
        _check_configuration(place / CONFIG, config)
        newest = max((int(version.name) for version in place.glob("[0-9]*") if version.name.isdecimal()), default=0)
        present = place / str(newest) / MODEL
        if present.is_file() and present.read_bytes() == file.content:
            return present
        # The model before its configuration: a server that watches the folder finds a complete version.
        target = place / str(newest + 1) / MODEL
        with replacing(target) as output:
            output.write(file.content)
        with replacing(place / CONFIG) as output:
            output.write(config.encode())
    except OSError as error:
        raise ExportError(
            f"The folder {place} could not be written ({error.strerror or error}). Choose another one, or free space."
        ) from error
    return target


def configuration(file: OnnxFile, card: ModelCard) -> str:
    """The content of `config.pbtxt`: a ModelConfig message as text.

    Args:
        file: its inputs and outputs, each with the batch as its first dimension.
        card: name and, as parameters for clients to ask for, what the model is.
    """
    blocks = [
        "# Written by 'zorse export --triton'.",
        f"name: {_text(plain_name(card.name))}",
        'backend: "onnxruntime"',
        f"max_batch_size: {MAX_BATCH}",
        *(_tensor("input", value) for value in file.inputs),
        *(_tensor("output", value) for value in file.outputs),
        f"dynamic_batching {{\n  max_queue_delay_microseconds: {MAX_DELAY}\n}}",
        _warm_up(file, card),
        *(_parameter(key, value) for key, value in _labels(card).items()),
    ]
    return "\n".join(blocks) + "\n"


def _tensor(kind: str, value: Value) -> str:
    dims = ", ".join(str(side) if isinstance(side, int) else "-1" for side in value.shape[1:])
    return f"{kind} {{\n  name: {_text(value.name)}\n  data_type: {TYPES[value.element]}\n  dims: [ {dims} ]\n}}"


def _warm_up(file: OnnxFile, card: ModelCard) -> str:
    """One picture of the model's own size before the first client comes, who would wait for memory and kernels."""
    inputs = []
    for value in file.inputs:
        # Files with float values take multiples of the network's strides only.
        multiple = 1 if value.element == "uint8" else card.architecture.size_multiple
        own_size = -(-card.native_size // multiple) * multiple
        dims = ", ".join(str(side if isinstance(side, int) else own_size) for side in value.shape[1:])
        inputs.append(
            f"  inputs {{\n    key: {_text(value.name)}\n    value {{\n      data_type: {TYPES[value.element]}\n"
            f"      dims: [ {dims} ]\n      zero_data: true\n    }}\n  }}"
        )
    return "\n".join(['model_warmup {\n  name: "one picture"\n  batch_size: 1', *inputs, "}"])


def _labels(card: ModelCard) -> dict[str, str]:
    return {
        "task": card.task,
        "source_domain": card.source_domain,
        "target_domain": card.target_domain,
        "native_size": str(card.native_size),
        "keeps_detail": str(card.keeps_detail).lower(),
        "licence": card.licence,
        "state": card.state,
    }


def _parameter(key: str, value: str) -> str:
    return f"parameters {{\n  key: {_text(key)}\n  value {{ string_value: {_text(value)} }}\n}}"


def _check_configuration(file: Path, config: str) -> None:
    if file.is_file() and file.read_text(encoding="utf-8", errors="replace") != config:
        raise ExportError(
            f"{file} describes another model of that name, or was changed. Nothing was written there. Choose "
            "another folder, or delete that file if it is of no use: a new one is written, and the model becomes the "
            "next version."
        )


def _text(value: str) -> str:
    """A string of protobuf's text format; what JSON escapes is escaped there likewise."""
    return json.dumps(value, ensure_ascii=False)
