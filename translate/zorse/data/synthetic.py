"""Small data sets drawn by code: free of licences, quick to make, and a fair test of whether training works."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.data.decode import Picture
from zorse.data.layout import check_new
from zorse.errors import ConfigError
from zorse.imaging import io

SyntheticKind = Literal["blobs", "shapes"]

Values = NDArray[np.floating[Any]]
"""(size, size) or (size, size, 3), mostly 0..1."""


def synthesize(kind: SyntheticKind, out: Path, n: int, size: int, seed: int) -> None:
    """Draw a data set into a new folder.

    Args:
        kind: `blobs` is unpaired: brown blobs on a meadow in `trainA`, striped ones in `trainB`. `shapes` is paired:
            AB files of outlines and the same shapes filled, in `train`; the number of corners decides the colour.
        out: folder to make; it must not exist, or be empty.
        n: training pictures per domain, or pairs, >= 1; a quarter as many are drawn for `testA`/`testB` or `val`.
        size: side of a picture, in pixels, >= 16.
        seed: the same seed draws the same set.

    Raises:
        ConfigError: `n` or `size` is too small.
        DatasetError: `out` is not empty.
    """
    if n < 1 or size < 16:
        raise ConfigError(f"A set of at least 1 picture of at least 16 pixels was wanted, not {n} of {size}.")
    check_new(out)
    few = (n + 3) // 4
    match kind:
        case "blobs":
            _draw_folder(out / "trainA", n, brown_blobs, size, [seed, 0])
            _draw_folder(out / "trainB", n, striped_blobs, size, [seed, 1])
            _draw_folder(out / "testA", few, brown_blobs, size, [seed, 2])
            _draw_folder(out / "testB", few, striped_blobs, size, [seed, 3])
        case "shapes":
            _draw_folder(out / "train", n, outlines_and_shapes, size, [seed, 4])
            _draw_folder(out / "val", few, outlines_and_shapes, size, [seed, 5])
        case _:
            assert_never(kind)


def brown_blobs(size: int, rng: np.random.Generator) -> Picture:
    """Brown blobs on a meadow: (size, size, 3) uint8."""
    return _blobs_on_meadow(size, rng, _brown_coat)


def striped_blobs(size: int, rng: np.random.Generator) -> Picture:
    """Black and white striped blobs on a meadow: (size, size, 3) uint8."""
    return _blobs_on_meadow(size, rng, _striped_coat)


def outlines_and_shapes(size: int, rng: np.random.Generator) -> Picture:
    """One to four shapes as outlines (left) and filled and shaded (right): (size, 2 * size, 3) uint8."""
    outlines = np.ones((size, size, 3), np.float32)
    filled = _gradient(size, np.array([0.97, 0.95, 0.92]), np.array([0.84, 0.85, 0.88]))
    pen = max(size / 128, 0.75)
    for _ in range(rng.integers(1, 5)):
        corners = int(rng.choice(list(_COLOURS)))
        shape = _regular_shape(size, rng, corners)
        line = np.clip(pen + 0.5 - np.abs(shape.distance), 0, 1)
        outlines = _over(_over(outlines, np.ones(3), shape.mask), np.zeros(3), line)
        filled = _over(filled, np.zeros(3), 0.25 * shape.shadow)
        filled = _over(filled, np.array(_COLOURS[corners]) * shape.light[:, :, None], shape.mask)
    return _to_picture(np.hstack([outlines, filled]))


_COLOURS: dict[int, tuple[float, float, float]] = {
    0: (0.90, 0.36, 0.30),
    3: (0.98, 0.74, 0.25),
    4: (0.24, 0.58, 0.84),
    5: (0.36, 0.70, 0.42),
    6: (0.62, 0.42, 0.78),
}
"""Colour of a shape by its number of corners; 0 is round."""


@dataclass(frozen=True, eq=False)
class _Shape:
    """A shape around a centre, each field (size, size)."""

    u: Values
    """Position in the shape's own frame, about -1..1 from left to right."""
    v: Values
    """Likewise from top to bottom."""
    distance: Values
    """To the outline, in pixels, about; negative outside."""
    shadow: Values
    """Darkness, 0..1, of what it throws onto the ground."""

    @property
    def mask(self) -> Values:
        """1 inside, 0 outside, between them at the rim."""
        return np.asarray(np.clip(self.distance + 0.5, 0, 1))

    @property
    def light(self) -> Values:
        """Brightness of its surface, lit from the upper left as if it were round."""
        bulge = np.sqrt(np.clip(1 - self.u**2 - self.v**2, 0.05, 1))
        return np.asarray(np.clip(0.55 - 0.22 * self.u - 0.32 * self.v + 0.38 * bulge, 0.2, 1.1))


def _draw_folder(
    folder: Path, count: int, draw: Callable[[int, np.random.Generator], Picture], size: int, seed: list[int]
) -> None:
    for number in range(count):
        picture = draw(size, np.random.default_rng([*seed, number]))
        io.write_picture(folder / f"{number:04d}.png", io.Picture(picture))


def _blobs_on_meadow(
    size: int, rng: np.random.Generator, coat: Callable[[_Shape, np.random.Generator], Values]
) -> Picture:
    scene = _meadow(size, rng)
    for depth in sorted(rng.uniform(0.58, 0.78, size=rng.integers(1, 4))):
        blob = _blob(size, rng, depth)
        scene = _over(scene, np.array([0.10, 0.14, 0.05]), 0.45 * blob.shadow)
        scene = _over(scene, coat(blob, rng) * blob.light[:, :, None], blob.mask)
    return _to_picture(scene)


def _meadow(size: int, rng: np.random.Generator) -> Values:
    """Sky with clouds over grass."""
    x = np.linspace(0, 1, size, dtype=np.float32)
    y = x[:, None]
    sky = _gradient(size, np.array([0.42, 0.62, 0.88]) + rng.uniform(-0.06, 0.06), np.array([0.86, 0.91, 0.95]))
    sky = _over(sky, np.ones(3), 0.8 * np.clip(_noise(size, rng, 5) - 0.1, 0, 1) * (1 - y))
    grass = np.array([0.50, 0.60, 0.26]) + rng.uniform(-0.08, 0.08, 3)
    shade = 0.85 + 0.25 * y + 0.10 * _noise(size, rng, 6) + 0.07 * _noise(size, rng, size // 3)
    horizon = rng.uniform(0.38, 0.5) + 0.04 * np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * x + rng.uniform()))
    return _over(sky, grass * shade[:, :, None], np.clip((y - horizon) * size, 0, 1))


def _brown_coat(blob: _Shape, rng: np.random.Generator) -> Values:
    brown = np.array([0.62, 0.38, 0.20]) * rng.uniform(0.75, 1.2)
    patches = 1 + 0.12 * _noise(len(blob.u), rng, 9)
    return np.asarray(brown * patches[:, :, None])


def _striped_coat(blob: _Shape, rng: np.random.Generator) -> Values:
    """Bands that follow the roundness of the body."""
    angle = rng.uniform(-0.35, 0.35)
    along = blob.u * np.cos(angle) + blob.v * np.sin(angle) + rng.choice([-1, 1]) * 0.25 * blob.v**2
    wave = np.sin(rng.uniform(11, 16) * along + 0.9 * _noise(len(blob.u), rng, 5) + rng.uniform(0, 6))
    white = np.clip(0.5 + 2.5 * wave, 0, 1)[:, :, None]
    return np.asarray(np.array([0.10, 0.09, 0.09]) * (1 - white) + np.array([0.97, 0.96, 0.92]) * white)


def _blob(size: int, rng: np.random.Generator, depth: float) -> _Shape:
    """A wobbly oval that lies at `depth` (0 top, 1 bottom of the picture), larger when nearer."""
    half_height = size * (0.13 + 0.30 * (depth - 0.58)) * rng.uniform(0.9, 1.2)
    half_width = half_height * rng.uniform(1.2, 1.7)
    wobble = [(k, rng.uniform(0, 0.16 / k), rng.uniform(0, 2 * np.pi)) for k in range(2, 6)]

    def radius(angle: Values) -> Values:
        return np.asarray(1 + sum(size_k * np.cos(k * angle + phase) for k, size_k, phase in wobble), np.float32)

    return _shape(size, (rng.uniform(0.15, 0.85) * size, depth * size), (half_width, half_height), 0, radius)


def _regular_shape(size: int, rng: np.random.Generator, corners: int) -> _Shape:
    """An oval (no corners) or a polygon, turned and stretched."""

    def radius(angle: Values) -> Values:
        if corners == 0:
            return np.ones_like(angle)
        sector = 2 * np.pi / corners
        return np.asarray(np.cos(sector / 2) / np.cos(np.mod(angle, sector) - sector / 2), np.float32)

    side = rng.uniform(0.14, 0.26) * size
    centre = (rng.uniform(0.25, 0.75) * size, rng.uniform(0.25, 0.75) * size)
    return _shape(size, centre, (side * rng.uniform(0.8, 1.25), side), rng.uniform(0, 2 * np.pi), radius)


def _shape(
    size: int,
    centre: tuple[float, float],
    half_axes: tuple[float, float],
    turn: float,
    radius: Callable[[Values], Values],
) -> _Shape:
    """The shape whose outline is at `radius(angle)` of a unit circle stretched to `half_axes` (pixels)."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    u, v = (x - centre[0]) / half_axes[0], (y - centre[1]) / half_axes[1]
    reach = radius(np.arctan2(v, u) + turn)
    ground = ((x - centre[0]) / half_axes[0] / 1.05) ** 2 + (
        (y - centre[1] - 0.9 * half_axes[1]) / half_axes[1] / 0.3
    ) ** 2
    return _Shape(
        u=u / reach,
        v=v / reach,
        distance=(reach - np.hypot(u, v)) * min(half_axes),
        shadow=np.clip(1.2 - ground, 0, 1),
    )


def _noise(size: int, rng: np.random.Generator, cells: int) -> Values:
    """Smooth noise of about -1..1 with `cells` bumps across the picture."""
    coarse = rng.uniform(-1, 1, (max(cells, 2), max(cells, 2))).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _gradient(size: int, top: Values, bottom: Values) -> Values:
    share = np.linspace(0, 1, size)[:, None, None]
    return np.broadcast_to((1 - share) * top + share * bottom, (size, size, 3)).astype(np.float32)


def _over(scene: Values, colour: Values, mask: Values) -> Values:
    """`colour` ((3,) or (size, size, 3)) painted onto the scene where the mask is 1."""
    opaque = mask[:, :, None]
    return np.asarray(scene * (1 - opaque) + colour * opaque, np.float32)


def _to_picture(values: Values) -> Picture:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
