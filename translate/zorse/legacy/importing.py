"""A foreign generator with a card that says what is known of it, and no more."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from zorse import __version__
from zorse.backends.torch.safetensors_file import blank_generator
from zorse.errors import ConfigError, IncompatibleWeights, WeightsError
from zorse.legacy.files import Found, networks_in
from zorse.legacy.reading import file_sha256
from zorse.legacy.recognise import ForeignGenerator
from zorse.model.architecture import UnetConfig
from zorse.model.card import Direction, ModelCard

RGB = 3
ORIGINAL_SIZE = 256
"""Pixels to which both programs crop unless they are told otherwise."""


def import_generator(
    path: Path, card: Mapping[str, Any], *, place: str | None = None, dropout: bool | None = None
) -> tuple[nn.Module, ModelCard]:
    """The generator in a checkpoint of pytorch-CycleGAN-and-pix2pix or CUT, as our own network with a card.

    At test time it works as their test.py does: BatchNorm with the statistics of each picture, dropout active where
    the network has it.

    Args:
        path: a .pth file, or a folder checkpoints/NAME with such files.
        card: fields of the card that the user knows; the others are guessed from the names, or say that it is unknown.
        place: which network is meant, where a file holds several.
        dropout: whether a U-Net was trained with dropout, which cannot be seen; None: if it has BatchNorm.

    Raises:
        ConfigError: the card says what the network has no layers for.
        WeightsError: there is no generator, or several that may be meant.
        IncompatibleWeights: it is none that Zorse knows, or not one of colour pictures.
    """
    _check_foreign(path)
    found, generator = _choose(path, place, card.get("direction"))
    architecture = generator.config
    if (architecture.in_channels, architecture.out_channels) != (RGB, RGB):
        raise IncompatibleWeights(
            f"{found.where} turns {architecture.in_channels} channels into {architecture.out_channels}; Zorse works on "
            "RGB pictures, 3 into 3."
        )
    if dropout is not None and dropout != architecture.dropout:
        if not isinstance(architecture, UnetConfig):
            had = "with" if architecture.dropout else "without"
            raise WeightsError(
                f"{found.where} is a ResNet, whose layers show that it was trained {had} dropout. Leave --dropout and "
                "--no-dropout out: they are for U-Nets, which do not show it."
            )
        architecture = architecture.model_copy(update={"dropout": dropout})
    if card.get("norm_at_test") == "running" and architecture.norm != "batch":
        raise ConfigError(f"{found.where} has no BatchNorm with running statistics: leave --norm-at-test out.")
    if card.get("dropout_at_test") and not architecture.dropout:
        raise ConfigError(f"{found.where} has no dropout: leave --dropout-at-test out.")
    network = blank_generator(architecture)
    network.load_state_dict(generator.state, assign=True)
    domains = _domains(found.model_name)
    known = {
        "name": found.model_name,
        "domain_a": domains[0],
        "domain_b": domains[1],
        "direction": found.direction or "AtoB",
        "architecture": architecture,
        "native_size": min(2**architecture.depth, ORIGINAL_SIZE)
        if isinstance(architecture, UnetConfig)
        else ORIGINAL_SIZE,
        # A U-Net was trained on pairs, where the input may be edges or labels.
        "keeps_detail": not isinstance(architecture, UnetConfig),
        "norm_at_test": "picture",
        "dropout_at_test": architecture.dropout,
        "licence": "unknown",
        "state": "preview",
        "training": f"Imported from {found.file.name} (sha256 {file_sha256(found.file)}), a checkpoint of "
        "pytorch-CycleGAN-and-pix2pix or CUT; on what and for how long it was trained is not known.",
        "zorse_version": __version__,
        **card,
    }
    task = "{domain_a} to {domain_b}" if known["direction"] == "AtoB" else "{domain_b} to {domain_a}"
    return network, ModelCard.model_validate({"task": task.format_map(known), **known})


def _check_foreign(path: Path) -> None:
    if path.suffix.lower() in (".onnx", ".safetensors"):
        raise WeightsError(
            f"{path} is no checkpoint of another program by its name, but a model file. Use it as it is: 'zorse models "
            "info' says what it holds."
        )


def _choose(path: Path, place: str | None, direction: Direction | None) -> tuple[Found, ForeignGenerator]:
    """The only generator that can be meant; of two for both directions the one from A to B."""
    all_found = networks_in(path)
    generators = [(found, found.network) for found in all_found if isinstance(found.network, ForeignGenerator)]
    if not generators:
        raise WeightsError(
            f"{path} holds no generator, only {', '.join(f'a {found.network.config.kind}' for found in all_found)}: a "
            "discriminator, which cannot translate. The generator is in a file such as latest_net_G.pth."
        )
    meant = [entry for entry in generators if place is None or entry[0].place == place]
    if len(meant) > 1:
        wanted = direction or "AtoB"
        meant = [entry for entry in meant if entry[0].direction == wanted] or meant
    if len(meant) == 1:
        return meant[0]
    places = ", ".join(found.place or "(the file itself)" for found, _ in generators)
    raise WeightsError(
        f"{path} holds {'several generators' if meant else f'no generator at {place!r}'}. Name one of these with "
        f"--place: {places}."
    )


def _domains(name: str) -> tuple[str, str]:
    """What the name says: "horse2zebra" are horse and zebra."""
    both = re.fullmatch(r"([A-Za-z]+)2([A-Za-z]+)(?:[_-].*)?", name)
    return (both[1], both[2]) if both else ("domain A", "domain B")
