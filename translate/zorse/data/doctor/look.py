"""What the doctor remembers of a picture: small enough to keep for every picture of a large set."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.data.decode import Picture
from zorse.data.labels import has_few_colours

SIDE = 32
"""Of the thumbnail and of the structure maps, in cells."""
_WORKING_SIZE = 256
"""Larger pictures are measured at this short side, in pixels."""
_CONSTANT = 3.0
"""Levels: noise and JPEG stay below, the palest real photo of five known sets has 6.6."""


@dataclass(frozen=True, eq=False)
class Look:
    """One picture, or one side of an AB file, upright and 8-bit."""

    width: int
    height: int
    """In pixels."""
    digest: bytes
    """Of the pixels: equal for equal pictures."""
    thumbnail: NDArray[np.uint8]
    """(32, 32) grey."""
    structure: NDArray[np.uint8]
    """(2, 32, 32): strength of vertical and of horizontal edges in each cell."""
    statistics: NDArray[np.float32]
    """(19,): of colours, tones and edges; see `_statistics`."""
    spread: float
    """Standard deviation, in levels, of the channel that varies most."""
    is_grey: bool
    """Practically all pixels are neutral."""
    is_drawing: bool
    """Thin dark lines on white paper."""

    highest: int
    """Level of the brightest channel anywhere, 0..255."""
    has_few_colours: bool
    """As few as label maps."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.height, self.width

    @property
    def is_constant(self) -> bool:
        """One colour, but for noise."""
        return self.spread < _CONSTANT


def look_at(picture: Picture) -> Look:
    """Measure a picture: (height, width, 3) uint8."""
    height, width = picture.shape[:2]
    small = _shrunk(picture)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    red, green, blue = cv2.split(small)
    strongest, weakest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    chroma = np.asarray(cv2.subtract(strongest, weakest), np.uint8)
    structure = np.stack([_edges(grey, 1, 0), _edges(grey, 0, 1)])
    thumbnail = np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    tones, colours = _histogram(grey), _histogram(chroma)
    paper, ink, solid = _paper_and_ink(grey, tones)
    means, deviations = (np.asarray(values, np.float64).ravel() for values in cv2.meanStdDev(small))
    mean_chroma = float(colours @ np.arange(256))
    return Look(
        width=width,
        height=height,
        digest=hashlib.blake2b(picture.tobytes(), digest_size=16, salt=width.to_bytes(8)).digest(),
        thumbnail=thumbnail,
        structure=structure,
        statistics=_statistics(tones, colours, means, deviations, np.array([paper, ink, solid]), thumbnail, structure),
        spread=float(deviations.max()),
        highest=int(picture.max()),
        has_few_colours=has_few_colours(picture),
        is_grey=bool(colours[:3].sum() >= 0.99),
        is_drawing=bool(tones[200:].sum() > paper > 0.6 and ink > 0.005 and solid < 0.25 * ink and mean_chroma < 10),
    )


def _shrunk(picture: Picture) -> Picture:
    factor = _WORKING_SIZE / min(picture.shape[:2])
    if factor >= 1:
        return np.ascontiguousarray(picture)
    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _histogram(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Share of each level, (256,)."""
    return np.asarray(cv2.calcHist([values], [0], None, [256], [0, 256]).ravel() / values.size, np.float32)


_ROOTS = np.rint(np.sqrt(np.minimum(np.arange(256), 200)) * 255 / np.sqrt(200)).astype(np.uint8)
"""Square roots, so that a few strong edges do not outweigh all others."""


def _edges(grey: NDArray[np.uint8], dx: int, dy: int) -> NDArray[np.uint8]:
    strength = cv2.LUT(cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, dx, dy)), _ROOTS)
    return np.asarray(cv2.resize(strength, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _paper_and_ink(grey: NDArray[np.uint8], tones: NDArray[np.float32]) -> tuple[float, float, float]:
    """Shares of the pixels near the commonest tone, of those much darker, and of those in dark areas, not lines."""
    mode = int(np.convolve(tones, np.ones(9), "same").argmax())
    paper = float(tones[max(0, mode - 12) : mode + 13].sum())
    ink = (grey < mode - 60).astype(np.uint8)
    solid = cv2.erode(ink, np.ones((5, 5), np.uint8))
    return paper, cv2.countNonZero(ink) / grey.size, cv2.countNonZero(solid) / grey.size


def _statistics(
    tones: NDArray[np.float32],
    colours: NDArray[np.float32],
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
    areas: NDArray[np.float64],
    thumbnail: NDArray[np.uint8],
    structure: NDArray[np.uint8],
) -> NDArray[np.float32]:
    """Figures by which kinds of pictures differ: photo, painting, label map, line drawing."""
    levels = np.arange(256)
    chroma = float(colours @ levels)
    coarse = tones.reshape(64, 4).sum(axis=1)
    entropy = -float(coarse @ np.log2(coarse + 1e-9))
    half = SIDE // 2
    upper = float(thumbnail[:half].mean()) - float(thumbnail[half:].mean())
    edges = structure.mean(axis=0)
    return np.array(
        [
            chroma,
            np.sqrt(colours @ (levels - chroma) ** 2),
            colours[5:].sum(),
            *areas,
            tones[40:216].sum(),
            entropy,
            np.log1p(edges.mean()),
            edges.std() / (edges.mean() + 1),
            edges[:half].sum() / (edges.sum() + 1),
            upper,
            *means,
            *deviations,
        ],
        np.float32,
    )
