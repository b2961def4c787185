"""Samples of a generator, all moved the same way through its noise; needs no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zorse.gans.architecture import LatentConfig
from zorse.gans.onnx_model import Floats, SampleModel
from zorse.gans.sheets import Pixels, plane, sheet

SHOWN, COLUMNS = 16, 4
POINTS = 1000
"""Of a generator of points."""
DIRECTIONS = 6
REACH = 4.0
"""Of a slider, in standard deviations of the noise."""
SMALLEST = 64
"""Side of a sample as it is shown, in pixels."""


@dataclass(frozen=True)
class Wanted:
    """What shall be drawn."""

    seed: int = 0
    label: int | None = None
    """None: each sample has its own."""
    code: int | None = None
    """Value of the first discrete code, if there is one; None: each sample has its own."""
    continuous: Sequence[float] = ()
    """Values of the first continuous codes, in [-1, 1]."""
    moves: Sequence[float] = ()
    """How far to go in each direction, up to `REACH` either way."""


def drawn(model: SampleModel, wanted: Wanted) -> Pixels:
    """A sheet of samples, or points in the plane."""
    card = model.card
    n = POINTS if card.draws_points else SHOWN
    latents = _latents(card.latent, wanted, n)
    samples = model.draw(latents, _labels(card.latent, wanted, n))
    if card.draws_points:
        return plane(None, samples, 1.25 * max(float(np.abs(samples).max()), 1e-3))
    return sheet(_pixels(samples), COLUMNS, smallest=SMALLEST)


def _latents(latent: LatentConfig, wanted: Wanted, n: int) -> Floats:
    """(n, L), as `SampleModel.draw` wants them."""
    chance = np.random.default_rng(wanted.seed)
    uniform = latent.distribution == "uniform"
    noise = chance.uniform(-1, 1, (n, latent.noise)) if uniform else chance.standard_normal((n, latent.noise))
    noise = noise + np.asarray(wanted.moves) @ _directions(latent.noise, len(wanted.moves))
    parts = [np.clip(noise, -1, 1) if uniform else noise]
    for place, values in enumerate(latent.categories):
        chosen = chance.integers(values, size=n)
        if place == 0 and wanted.code is not None:
            chosen = np.full(n, wanted.code)
        parts.append(np.eye(values)[chosen])
    continuous = chance.uniform(-1, 1, (n, latent.continuous))
    given = list(wanted.continuous)[: latent.continuous]
    continuous[:, : len(given)] = given
    return np.concatenate([*parts, continuous], axis=1).astype(np.float32)


def _directions(noise: int, n: int) -> NDArray[np.float64]:
    """(n, noise): at right angles to each other as far as there is room, of length 1, always the same ones."""
    square, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((noise, noise)))
    return square[np.arange(n) % noise]


def _labels(latent: LatentConfig, wanted: Wanted, n: int) -> NDArray[np.int64] | None:
    if latent.classes == 0:
        return None
    return np.arange(n) % latent.classes if wanted.label is None else np.full(n, wanted.label)


def _pixels(samples: Floats) -> NDArray[np.uint8]:
    """(N, C, H, W) in [-1, 1] -> (N, H, W', 3); pairs, which have 2 or 6 channels, come side by side."""
    if samples.shape[1] in (2, 6):
        samples = np.concatenate(np.split(samples, 2, axis=1), axis=3)
    pixels = np.clip(np.rint((samples + 1) * 127.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (len(pixels), 3, *pixels.shape[2:])).transpose(0, 2, 3, 1))
