"""Strokes of colour in a drawing: with them somebody says what colour the things between the lines have."""

import cv2
import numpy as np
from numpy.typing import NDArray

Photo = NDArray[np.uint8]
"""(height, width, 3) RGB, 0..255."""

LEAST_COLOUR = 30
"""Levels between the strongest and the weakest channel of a stroke; with less it is ink, or paper, and says nothing."""
MOST = 16
"""Strokes in one drawing."""
WIDTHS = (4, 96)
"""Least and greatest width of a stroke in a photo of 256 px: from that of a pen to half a shirt."""
USUAL_SHARE = 0.8
"""Of the training drawings that have strokes, where nobody chose another: the others teach what lines alone mean."""


def random_strokes(photo: Photo, rng: np.random.Generator) -> Photo:
    """Strokes on white paper where the photo has those colours, as somebody might add them to its lines.

    Number, place, direction, length and width vary. What is white, grey or black in the photo gets none: its strokes
    could not be told from lines.

    Args:
        photo: (height, width, 3) RGB uint8.
        rng: the only source of chance.

    Returns:
        (height, width, 3) RGB uint8.
    """
    height, width = photo.shape[:2]
    scale = min(height, width) / 256
    paper = np.full_like(photo, 255)
    coloured = np.argwhere(np.ptp(photo, axis=2) >= LEAST_COLOUR)
    for _ in range(rng.integers(1, MOST + 1) if len(coloured) else 0):
        start = coloured[rng.integers(len(coloured)), ::-1]
        turn, length = rng.uniform(0, 2 * np.pi), scale * rng.uniform(8, 60)
        end = start + length * np.array([np.cos(turn), np.sin(turn)])
        stroke = np.zeros((height, width), np.uint8)
        ends = (tuple(map(int, start)), tuple(map(int, end)))
        cv2.line(stroke, *ends, color=1, thickness=max(2, round(scale * np.exp(rng.uniform(*np.log(WIDTHS))))))
        colour = np.median(photo[stroke > 0], axis=0)
        if np.ptp(colour) >= LEAST_COLOUR:
            paper[stroke > 0] = colour
    return paper


def with_strokes(lines: NDArray[np.uint8], strokes: Photo) -> Photo:
    """Lines over strokes.

    Args:
        lines: (height, width) uint8, dark on 255.
        strokes: (height, width, 3) RGB uint8 on white.
    """
    return np.minimum(lines[:, :, None], strokes)
