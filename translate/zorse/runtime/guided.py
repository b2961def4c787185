"""The change that a network made to a small picture, brought to the large one along its own contours.

Around each place of the small picture the change is fitted as a linear function of the colours there,

    change = a . colour + b.

Slopes a and offsets b can be enlarged; with the colours of the large picture they give the change at full detail. What
the network paints ends where the picture has an edge, and stripes that it wipes out (a = -1) go at full resolution too,
instead of staying behind as thin lines. What colours do not explain, such as stripes on a plain coat, is part of b, so
that nothing of the change is lost.

Source: He and Sun 2015, Fast Guided Filter; that b keeps the residual is our addition.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]

RADIUS = 2
"""Pixels of the small picture to each side that a fit looks at."""
NOISE = 0.01
"""Variance of colours, in [-1, 1], below which a fit does not trust them: 13 levels of 255. Where the network paints on
a plain coat, a fit to its faint shades would be steep, and would multiply the grain of the large picture."""
STRIP = 64
"""Rows that are fitted at a time: the sums that a fit needs take several times what it gives."""
COLUMNS = 1024
"""And columns: 22 MB of sums. The fit is the same, bit for bit."""

FIT_PLANES = 18
"""What a fit takes besides its strips, as planes of the small picture: itself (12), picture and change."""


class LinearChange(NamedTuple):
    """A change as a linear function of the colours at each place."""

    slopes: Planes
    """(3, 3, h, w): of each channel of the change by each channel of the picture."""
    offsets: Planes
    """(3, h, w)."""


def linear_change(picture: Planes, change: Planes) -> LinearChange:
    """Fit a change by the colours around each place; at the small size, slopes . picture + offsets is the change.

    Args:
        picture: (3, h, w) in [-1, 1].
        change: (3, h, w), what was added to it.
    """
    slopes = np.empty((3, *change.shape), np.float32)
    for rows, seen_rows, inner_rows in _strips(change.shape[1], STRIP):
        for columns, seen, inner in _strips(change.shape[2], COLUMNS):
            fitted = _slopes(picture[:, seen_rows, seen], change[:, seen_rows, seen])
            slopes[:, :, rows, columns] = fitted[:, :, inner_rows, inner]
    return LinearChange(slopes, change - np.einsum("ijhw,jhw->ihw", slopes, picture))


def _strips(side: int, most: int) -> Iterator[tuple[slice, slice, slice]]:
    """Places of an axis, those that their fits look at, and where the former are among the latter."""
    reach = 2 * RADIUS
    for start in range(0, side, most):
        stop, first = min(start + most, side), max(start - reach, 0)
        yield slice(start, stop), slice(first, stop + reach), slice(start - first, stop - first)


def _slopes(picture: Planes, change: Planes) -> Planes:
    """(3, h, w) and (3, h, w) -> (3, 3, h, w)."""
    means, mean_changes = _smoothed(picture), _smoothed(change)
    # At each place, of each channel with each: (h, w, 3, 3).
    own = _smoothed(picture[:, None] * picture[None]) - means[:, None] * means[None]
    shared = _smoothed(change[:, None] * picture[None]) - mean_changes[:, None] * means[None]
    spread = own.transpose(2, 3, 0, 1) + NOISE * np.eye(3, dtype=np.float32)
    fitted = np.linalg.solve(spread, shared.transpose(2, 3, 1, 0))
    return _smoothed(np.ascontiguousarray(fitted.transpose(3, 2, 0, 1), np.float32))


def _smoothed(planes: Planes) -> Planes:
    """(..., h, w): the mean around each place."""
    side = 2 * RADIUS + 1
    flat = planes.reshape(-1, *planes.shape[-2:])
    means = [cv2.blur(plane, (side, side), borderType=cv2.BORDER_REPLICATE) for plane in flat]
    return np.asarray(means, np.float32).reshape(planes.shape)
