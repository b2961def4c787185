"""From a sketch as people make them, drawn, scanned or photographed, to the thin black lines that models know.

Broad strokes of colour are no lines: they say what colour things have, to models that take them.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.imaging.edges import Lines, thin
from zorse.imaging.io import Picture, on_white
from zorse.imaging.strokes import LEAST_COLOUR, Photo
from zorse.imaging.tensor import resize
from zorse.runtime.translator import working_size

_FAINTEST = 0.85
"""Ink reflects at most this share of what the paper around it does; paler marks are grain, creases and shadow."""

_COVERED = 0.2
"""A pixel of the small picture is ink when ink covers this share of its area."""

_LEAST_BREADTH = 1 / 52
"""Of the short side: narrower strokes are lines, whatever colour the pen had."""


def clean_lines(sketch: Picture, short_side: int) -> Lines:
    """The lines of a sketch, one pixel wide, at the size that a model works at.

    Uneven light and grey paper become white, chalk on a board becomes ink on paper, broad strokes become thin lines;
    those of colour (`colour_strokes`) are left out.

    Args:
        sketch: any picture; transparent parts are paper.
        short_side: wanted short side, in pixels.

    Returns:
        (height, width) uint8, 0 on 255.
    """
    height, width = working_size(sketch.height, sketch.width, "native", short_side)
    grey = _without_strokes(sketch, _grey(sketch), colour_strokes(sketch, short_side))
    if min(grey.shape) > 2 * short_side:  # finer than this the grain of the paper shows
        grey = resize(grey, 2 * height, 2 * width)
    covered = resize(_ink(grey).astype(np.float32), height, width)
    return np.asarray(255 * (1 - thin((covered > _COVERED).astype(np.uint8))), dtype=np.uint8)


def colour_strokes(sketch: Picture, short_side: int) -> Photo:
    """The broad strokes of colour in a sketch, on white, at the size that a model works at.

    Args:
        sketch: any picture on light paper; transparent parts are paper.
        short_side: wanted short side, in pixels.

    Returns:
        (height, width, 3) RGB uint8: the strokes' colours as they are on white paper.
    """
    height, width = working_size(sketch.height, sketch.width, "native", short_side)
    rgb = resize(on_white(sketch), height, width).astype(np.float32)
    paper = np.maximum(np.percentile(rgb, 90, axis=(0, 1)), 1)
    rgb = np.minimum(255 * rgb / paper, 255)
    is_coloured = (np.ptp(rgb, axis=2) >= 1.5 * LEAST_COLOUR).astype(np.uint8)  # the light on the paper may be coloured
    breadth = max(round(_LEAST_BREADTH * short_side), 2)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (breadth, breadth))
    is_broad = cv2.morphologyEx(is_coloured, cv2.MORPH_OPEN, brush) > 0
    core = cv2.erode(is_broad.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # without rims, which lines darken
    return _spread(np.rint(rgb).astype(np.uint8), core, reach=4)


def _spread(rgb: Photo, core: NDArray[np.bool_], reach: int) -> Photo:
    """The pixels of the core on white; around them, up to `reach` pixels away, the nearest one's colour."""
    distance, labels = cv2.distanceTransformWithLabels(
        (~core).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.full((labels.max() + 1, 3), 255, np.uint8)
    colours[labels[core]] = rgb[core]
    return np.where((distance <= reach)[:, :, None], colours[labels], 255).astype(np.uint8)


def _without_strokes(sketch: Picture, grey: NDArray[np.uint8], strokes: Photo) -> NDArray[np.uint8]:
    """Strokes and their rims become paper; black lines that cross them stay."""
    is_covered = cv2.dilate((strokes.min(axis=2) < 255).astype(np.uint8), np.ones((5, 5), np.uint8))
    if not is_covered.any():
        return grey
    is_covered = cv2.resize(is_covered, grey.shape[::-1], interpolation=cv2.INTER_NEAREST)
    paper = np.percentile(grey, 90)
    is_black = on_white(sketch).max(axis=2) < 0.3 * paper  # dark colours are bright in one channel
    return np.where((is_covered > 0) & ~is_black, np.uint8(paper), grey)


def _grey(sketch: Picture) -> NDArray[np.uint8]:
    """(H, W) uint8, dark on light."""
    grey = cv2.cvtColor(on_white(sketch), cv2.COLOR_RGB2GRAY)
    is_board = np.median(grey) < 128
    return np.asarray(255 - grey if is_board else grey, dtype=np.uint8)


def _ink(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a sketch is clearly darker than the paper around it."""
    reach = max(min(grey.shape) // 12, 3) | 1  # odd, wider than any stroke
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    paper = cv2.GaussianBlur(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, kernel), (0, 0), reach / 3)
    reflected = np.minimum(grey.astype(np.float32) / np.maximum(paper, 1), 1)
    otsu, _ = cv2.threshold((255 * reflected).astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return np.asarray(reflected < min((otsu + 1) / 255, _FAINTEST), dtype=np.bool_)
