"""Runs of baselines that take a second: small networks on points, drawn digits and drawn pictures."""

import gzip
import struct
from pathlib import Path

import cv2
import numpy as np

from zorse.gans.training.config import BaselineConfig
from zorse.gans.training.presets import BASELINE_PRESETS
from zorse.training.config import with_overrides

QUICK = ("training.iterations=6", "training.log_every=2", "training.sample_every=4", "training.save_every=3")


def idx_bytes(array: np.ndarray) -> bytes:
    """An idx file of bytes."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def draw_digits(folder: Path, n: int = 60, n_test: int = 20) -> Path:
    """Squares of ten sizes and places as MNIST's files; the test pictures packed, the others not."""
    folder.mkdir(parents=True)
    for part, count, pack in (("train", n, False), ("t10k", n_test, True)):
        labels = np.arange(count, dtype=np.uint8) % 10
        pictures = np.zeros((count, 28, 28), np.uint8)
        for picture, label in zip(pictures, labels, strict=True):
            picture[2 * label : 2 * label + 6, 4 : 8 + label] = 255
        for array, name in ((pictures, "images-idx3"), (labels, "labels-idx1")):
            content = idx_bytes(array)
            file = folder / f"{part}-{name}-ubyte{'.gz' if pack else ''}"
            file.write_bytes(gzip.compress(content) if pack else content)
    return folder


def draw_classes(folder: Path, per_class: int = 4, size: int = 40) -> Path:
    """Two folders: red pictures, and green ones with a disc."""
    for label, colour in (("green", (0, 200, 0)), ("red", (0, 0, 200))):
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            picture = np.full((size, size + 8, 3), colour, np.uint8)
            cv2.circle(picture, (10 + 3 * number, 12), 6, (255, 255, 255), -1)
            cv2.imwrite(str(folder / label / f"{number}.png"), picture)
    return folder


def tiny(preset: str, *overrides: str) -> BaselineConfig:
    """A preset with few steps, small batches and, where it convolves, few channels."""
    config = BASELINE_PRESETS[preset]()
    small = list(QUICK)
    if config.data.kind != "mixture":
        critic_steps = config.training.batch_size // 64
        small += [f"training.batch_size={4 * critic_steps}", "training.evaluate_every=0"]
        for part in (config.recipe.generator, config.recipe.discriminator):
            if part.kind != "mlp":
                name = "generator" if part is config.recipe.generator else "discriminator"
                small.append(f"recipe.{name}.base_channels=4")
    return with_overrides(config, [*small, *overrides])
