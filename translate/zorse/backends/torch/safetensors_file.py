"""Generators as .safetensors files: tensors and the model card, nothing that could run."""

import hashlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from zorse.errors import ChecksumMismatch, IncompatibleWeights, WeightsError
from zorse.model.architecture import CustomGeneratorConfig, GeneratorConfig
from zorse.model.card import CARD_KEY, ModelCard, read_card
from zorse.networks.build import generator_module
from zorse.system.atomic import replacing

Precision = Literal["fp32", "fp16"]
"""In how many bits weights are stored; networks always compute in 32."""

_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""torch.save writes a zip archive around a pickle; older versions, and pickle itself, the bare pickle."""


def save_generator(path: Path, network: nn.Module, card: ModelCard, precision: Precision = "fp32") -> ModelCard:
    """Writes a generator and its card to one .safetensors file, which appears complete or not at all.

    Args:
        path: of the file; missing folders are made.
        network: what `card.architecture` describes, on any device.
        card: its `weights_sha256` is filled in here.
        precision: "fp16" halves the file; the weights lose their last 13 of 24 significant bits. Running averages of
            BatchNorm stay at 32 bits.

    Returns:
        The card as it was written.

    Raises:
        IncompatibleWeights: the network is not of the card's architecture.
        WeightsError: the file cannot be written (a full disk); what stood at `path` before is untouched.
    """
    tensors = stored_weights(network, precision)
    difference = first_difference(blank_generator(card.architecture).state_dict(), tensors)
    if difference is not None:
        raise IncompatibleWeights(
            f"The generator for {path} is not the {card.architecture.kind} network that its card describes: "
            f"{difference}. Save it with the card of its own architecture."
        )
    card = card.model_copy(update={"weights_sha256": weights_sha256(tensors)})
    write_model_file(path, safetensors.torch.save(tensors, metadata={CARD_KEY: card.model_dump_json()}))
    return card


def load_generator(path: Path) -> tuple[nn.Module, ModelCard]:
    """Rebuilds the generator that `save_generator` wrote, on the CPU, in 32 bits and in training mode.

    Raises:
        WeightsError: missing, damaged, cut off, not a safetensors file, a pickle, or without card.
        IncompatibleWeights: the tensors are not those of the architecture that the card names.
        ChecksumMismatch: the tensors are not those that the card was written for.
    """
    tensors, card = _read(path)
    network = blank_generator(card.architecture)
    expected = network.state_dict()
    difference = first_difference(expected, tensors)
    if difference is not None:
        raise IncompatibleWeights(
            f"The weights in {path} are not those of the {card.architecture.kind} network that its card describes: "
            f"{difference}. It was changed, or written by another version of Zorse "
            f"({card.zorse_version or 'unknown'}); get it again from its source, or use that version."
        )
    if card.weights_sha256:
        found = weights_sha256(tensors)
        if found != card.weights_sha256:
            raise ChecksumMismatch(
                f"The weights in {path} are not those that its card was written for: their sha256 is {found}, "
                f"{card.weights_sha256} was expected. The file was changed or damaged; get it again from its source."
            )
    network.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()}, assign=True)
    return network, card


def stored_weights(network: nn.Module, precision: Precision) -> dict[str, Tensor]:
    """The state of a network as contiguous tensors on the CPU, its parameters at the wanted precision.

    Raises:
        WeightsError: a parameter is too large for 16 bits.
    """
    parameters = {name for name, _ in network.named_parameters()}
    tensors: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        stored = tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype)
        if precision == "fp16" and name in parameters:
            half = stored.to(torch.float16)
            if half.isinf().any() and not stored.isinf().any():
                raise WeightsError(
                    f"The weights {name} reach {float(stored.abs().max()):g}; 16 bits hold at most 65504. Keep this "
                    "model at fp32."
                )
            stored = half
        tensors[name] = stored.contiguous()
    return tensors


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, in the order of the names: the same whatever file they are in."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_model_file(path: Path, content: bytes) -> None:
    """Writes a file that appears complete or not at all; missing folders are made.

    Raises:
        WeightsError: it cannot be written; what stood at `path` before is untouched.
    """
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise WeightsError(
            f"{path} could not be written ({error.strerror or error}); a file that was there before is untouched. "
            f"{len(content) / 1e6:.1f} MB are needed: free some space or choose another place."
        ) from error


def _read(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    tensors, metadata = read_tensors(path)
    return tensors, read_card(metadata, str(path))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a .safetensors file and its metadata, whatever they are.

    Raises:
        WeightsError: missing, damaged, cut off, or not a safetensors file.
    """
    _check_kind(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} begins like a safetensors file but is damaged or cut off ({error}). A copy or download that broke "
            "off? Get the file again."
        ) from error
    return tensors, metadata


def _check_kind(path: Path) -> None:
    """Raises WeightsError for everything that does not begin like a safetensors file: 8 bytes of length, then JSON."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except FileNotFoundError as error:
        raise WeightsError(f"There is no model file {path}. Check the path.") from error
    except IsADirectoryError as error:
        raise WeightsError(f"{path} is a folder; a .safetensors file was expected. Name a file in it.") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}). Check its permissions.") from error
    if not start:
        raise WeightsError(f"{path} is empty (0 bytes). A copy or download that broke off? Get the file again.")
    # A length of 640 begins like a pickle, but the upper half of a length is zero.
    if start.startswith(_PICKLE_STARTS) and start[4:] != b"\0\0\0\0{":
        raise WeightsError(
            f"{path} is a pickle (a .pth, .pt or .ckpt file of PyTorch), whatever its name says. Opening a pickle can "
            "run any program that its author hid in it, so Zorse does not. 'zorse models import' reads nothing but the "
            "tensors of such a file, and makes a .safetensors file of them."
        )
    if start[8:] != b"{":
        raise WeightsError(f"{path} is not a safetensors file. Wanted: a file that 'zorse train' wrote.")


def blank_generator(architecture: GeneratorConfig) -> nn.Module:
    """The network to compare with and to load into: without memory behind its tensors, which is quick.

    One of others is made as it is, since its class may compute something that it keeps beside its weights; what chance
    it draws, nobody misses.

    Raises:
        CustomCodeError: it is of others, and may not run, is not installed, or is no generator.
    """
    if isinstance(architecture, CustomGeneratorConfig):
        with _untouched_chance():
            return generator_module(architecture)
    with torch.device("meta"):
        return generator_module(architecture)


@contextmanager
def _untouched_chance() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def first_difference(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str | None:
    """In words, the first tensor that is missing, of another shape, or not expected; None where all fit."""
    for name, tensor in expected.items():
        if name not in found:
            return f"the tensor {name} of shape {tuple(tensor.shape)} is missing"
        if found[name].shape != tensor.shape:
            return f"{name} has shape {tuple(found[name].shape)} where {tuple(tensor.shape)} is needed"
    surplus = next((name for name in found if name not in expected), None)
    return None if surplus is None else f"the tensor {surplus} has no place in it"
