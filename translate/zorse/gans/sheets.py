"""Drawings of samples: pictures in rows and columns, points in the plane, what a discriminator thinks of the plane."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(height, width, 3) RGB."""
Points = NDArray[np.float32]
"""(N, 2): x to the right, y upwards."""

PLOT = 512
"""Side of a drawing of the plane, in pixels."""
REAL, FAKE, FLOW = (60, 90, 200), (230, 110, 20), (40, 40, 40)
"""Colours of real points, generated points and arrows."""
_DOT, _SHIFT = 2, 4
"""Radius of a point in pixels; bits of a pixel's fractions."""


def sheet(pictures: NDArray[np.uint8], columns: int | None = None, smallest: int = 32) -> Pixels:
    """Pictures (N, H, W, 3) in rows from left to right, as square as may be; what is left over is white.

    Args:
        pictures: at least one.
        columns: in a row.
        smallest: short side, in pixels, up to which tiny pictures are enlarged by whole factors.
    """
    n, height, width, _ = pictures.shape
    factor = max(1, smallest // min(height, width))
    pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    columns = columns or int(np.ceil(np.sqrt(n * height / width)))
    rows = -(-n // columns)
    full = np.full((rows * columns, *pictures.shape[1:]), 255, np.uint8)
    full[:n] = pictures
    lines = full.reshape(rows, columns, *pictures.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(lines.reshape(rows * pictures.shape[1], columns * pictures.shape[2], 3))


def plane(
    real: Points | None,
    fake: Points | None,
    reach: float,
    *,
    belief: NDArray[np.float32] | None = None,
    flow: tuple[Points, Points] | None = None,
) -> Pixels:
    """Points in the square [-reach, reach] both ways.

    Args:
        real: drawn in blue.
        fake: drawn in orange.
        reach: of the square.
        belief: (K, K) in [0, 1], what a discriminator thinks of the points of a grid, rows from top to bottom: the
            paper is tinted blue where it believes in real samples, orange where it does not.
        flow: points and the vectors that they are moved by, drawn as arrows.
    """
    paper = np.full((PLOT, PLOT, 3), 255, np.uint8)
    if belief is not None:
        share = cv2.resize(belief, (PLOT, PLOT), interpolation=cv2.INTER_LINEAR)[:, :, None]
        tint = share * np.array((170, 195, 255), np.float32) + (1 - share) * np.array((255, 205, 160), np.float32)
        paper = np.clip(np.rint(tint), 0, 255).astype(np.uint8)
    for points, colour in ((real, REAL), (fake, FAKE)):
        for x, y in _places(points, reach) if points is not None else []:
            cv2.circle(paper, (x, y), _DOT << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)
    if flow is not None:
        starts, ends = _places(flow[0], reach), _places(flow[0] + flow[1], reach)
        for start, end in zip(starts, ends, strict=True):
            a, b = (tuple(int(v) >> _SHIFT for v in place) for place in (start, end))
            cv2.arrowedLine(paper, a, b, FLOW, 1, cv2.LINE_AA, tipLength=0.3)
    return paper


def grid_points(reach: float, side: int) -> Points:
    """Points of a grid over the square, (side * side, 2), row by row from top to bottom, as `belief` wants them."""
    steps = np.linspace(-reach, reach, side, dtype=np.float32)
    x, y = np.meshgrid(steps, steps[::-1])
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _places(points: Points, reach: float) -> NDArray[np.int32]:
    """Where points are drawn, in fractions of pixels; what lies far outside stays outside."""
    scaled = (np.clip(np.nan_to_num(points), -10 * reach, 10 * reach) / reach * (1, -1) + 1) / 2 * (PLOT - 1)
    places: NDArray[np.int32] = np.rint(scaled * 2**_SHIFT).astype(np.int32)
    return places
