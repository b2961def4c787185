"""Tiny generators with strong weights, for tests of the export."""

from pathlib import Path

import numpy as np
import onnxruntime
from torch import nn

from zorse.imaging.io import Picture, write_picture
from zorse.model.card import ModelCard
from zorse.networks.build import build_generator


def card(architecture, **changes) -> ModelCard:
    settings = {"name": "tiny", "task": "dark to light", "domain_a": "dark", "domain_b": "light", "native_size": 48}
    return ModelCard.model_validate(settings | {"architecture": architecture} | changes)


def trained(architecture) -> nn.Module:
    """A generator with strong weights, biases and running averages, none of them at its initial value."""
    network = build_generator(architecture)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point():
            tensor.normal_(0, 0.2 if tensor.ndim == 1 else tensor[0].numel() ** -0.5)
    return network


def session(file: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def photos(folder: Path, n: int) -> list[Path]:
    """Smooth coloured pictures of several sizes, as files."""
    random = np.random.default_rng(0)
    files = [folder / f"{number}.png" for number in range(n)]
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        rows, columns = np.mgrid[0 : 40 + 3 * number, 0 : 70 - 2 * number]
        waves = random.uniform(0.02, 0.3, (3, 2))
        planes = [np.sin(rows * down + columns * across + number) for down, across in waves]
        write_picture(file, Picture(np.uint8(127.5 + 120 * np.stack(planes, axis=2))))
    return files
