"""Lines found in photos, black on white, as somebody might draw them."""

from typing import Any, Literal, assert_never

import cv2
import numpy as np
from numpy.typing import NDArray

Photo = NDArray[np.uint8]
"""(height, width, 3) RGB, 0..255."""
Lines = NDArray[np.uint8]
"""(height, width): 0 where there is ink, 255 where there is paper, greys at the rim of soft lines."""
Mask = NDArray[np.uint8]
"""(height, width): 1 on a line, 0 elsewhere."""
EdgeMethod = Literal["canny", "xdog", "contour"]
EDGE_METHODS: tuple[EdgeMethod, ...] = ("canny", "xdog", "contour")


def extract_edges(photo: Photo, method: EdgeMethod = "canny", detail: float = 0.5, shortest: int = 8) -> Lines:
    """Lines of a photo, one pixel wide; the same photo always gives the same lines.

    Lines are searched at the scale of the pixels: resize the photo first to the size that the model works at.

    Args:
        photo: (height, width, 3) RGB uint8.
        method: `canny` follows every step of brightness or colour, `xdog` draws dark lines and seams as an ink
            drawing would, `contour` ignores texture and keeps outlines.
        detail: from 0, only the strongest lines, to 1, nearly all.
        shortest: lines of fewer pixels are left out.

    Returns:
        (height, width) uint8, 0 on 255.

    Source: Canny 1986; Winnemöller et al. 2012, XDoG; lines thinned with Guo and Hall 1989.
    """
    return _ink(_without_specks(find_lines(photo, method, detail, blur=1.2), shortest), width=1)


def random_edges(photo: Photo, rng: np.random.Generator) -> Lines:
    """Lines of a photo as one of many hands might draw them.

    Method, detail, smoothness, line width and softness, gaps and a little displacement vary, so that a model trained
    on them also understands a sketch that somebody drew. Lines of a 256 px photo are 1 to 4 pixels wide.

    Args:
        photo: (height, width, 3) RGB uint8.
        rng: the only source of chance.

    Returns:
        (height, width) uint8, dark on 255.
    """
    scale = min(photo.shape[:2]) / 256
    method = EDGE_METHODS[rng.integers(len(EDGE_METHODS))]
    lines = find_lines(photo, method, detail=rng.uniform(0.2, 0.8), blur=max(0.7, scale * rng.uniform(0.8, 2.2)))
    lines = _without_specks(lines, shortest=round(scale * rng.integers(5, 25)))
    lines = _with_gaps(lines, rng, share=rng.uniform(0, 0.08)) if rng.random() < 0.5 else lines
    drawn = _ink(lines, width=max(1, round(scale * rng.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))))
    drawn = _displaced(drawn, rng, pixels=scale * rng.uniform(0, 1.5)) if rng.random() < 0.5 else drawn
    return _soft(drawn) if rng.random() < 0.5 else drawn


def find_lines(photo: Photo, method: EdgeMethod, detail: float, blur: float) -> Mask:
    """One-pixel lines of a photo.

    Args:
        photo: (height, width, 3) RGB uint8.
        method: see `extract_edges`.
        detail: from 0, only the strongest lines, to 1, nearly all.
        blur: standard deviation, in pixels, of the smoothing before the search.
    """
    match method:
        case "canny":
            return _steps(_smooth(photo, blur), share=0.015 + 0.13 * detail)
        case "xdog":
            return _valleys(photo, blur, share=0.04 + 0.1 * detail)
        case "contour":
            aperture = 7 if min(photo.shape[:2]) >= 200 else 5
            flat = cv2.medianBlur(cv2.medianBlur(photo, aperture), aperture)
            return _steps(_smooth(flat, blur), share=0.01 + 0.07 * detail)
        case _:
            assert_never(method)


def thin(mask: Mask) -> Mask:
    """Wear lines down to a width of one pixel without breaking them.

    Source: Guo and Hall 1989, Parallel thinning with two-subiteration algorithms, algorithm A1.
    """
    mask = mask.copy()
    while True:
        before = cv2.countNonZero(mask)
        for removable in _REMOVABLE:
            mask[removable[_neighbours(mask)] & (mask > 0)] = 0
        if cv2.countNonZero(mask) == before:
            return mask


def _smooth(photo: NDArray[Any], sigma: float) -> NDArray[Any]:
    return cv2.GaussianBlur(photo, (0, 0), sigma)


def _steps(photo: NDArray[Any], share: float) -> Mask:
    """Canny in the colour channel that changes most; about `share` of the pixels count as strong steps."""
    dx, dy = (cv2.Sobel(photo, cv2.CV_16S, *order) for order in ((1, 0), (0, 1)))
    steepness = dx.astype(np.float32) ** 2 + dy.astype(np.float32) ** 2
    channel = steepness.argmax(axis=2)[:, :, None]
    strong = float(np.sqrt(np.quantile(steepness.max(axis=2), 1 - share)))
    strong = min(max(strong, 30), 300)  # neither the noise of an even photo nor only the border of a busy one
    dx, dy = (np.take_along_axis(slope, channel, axis=2) for slope in (dx, dy))
    return thin((cv2.Canny(dx, dy, 0.4 * strong, strong, L2gradient=True) > 0).astype(np.uint8))


def _valleys(photo: Photo, sigma: float, share: float) -> Mask:
    """Where a colour channel is darker than its surroundings: the thresholded difference of Gaussians."""
    colours = photo.astype(np.float32)
    difference = _smooth(colours, sigma) - _smooth(colours, 1.6 * sigma)
    darkness = -difference.min(axis=2)
    return thin((darkness > max(float(np.quantile(darkness, 1 - share)), 1.5)).astype(np.uint8))


def _without_specks(mask: Mask, shortest: int) -> Mask:
    """Lines of fewer than `shortest` pixels removed."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    long_enough = stats[:, cv2.CC_STAT_AREA] >= shortest
    return np.asarray(mask * long_enough[labels], dtype=np.uint8)


def _with_gaps(mask: Mask, rng: np.random.Generator, share: float) -> Mask:
    """Lifts the pen here and there: about `share` of the line pixels go, a few in a row."""
    length = int(rng.integers(3, 12))
    holes = (rng.random(mask.shape, dtype=np.float32) < share / length) & (mask > 0)
    lifted = cv2.dilate(holes.astype(np.uint8), np.ones((length, length), np.uint8))
    return np.asarray(mask * (1 - lifted), dtype=np.uint8)


def _ink(mask: Mask, width: int) -> Lines:
    """Black lines of a width in pixels on white."""
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return np.asarray(255 * (1 - cv2.dilate(mask, pen)), dtype=np.uint8)


def _displaced(lines: Lines, rng: np.random.Generator, pixels: float) -> Lines:
    """An unsteady hand: lines wander by about `pixels`, smoothly."""
    height, width = lines.shape
    coarse = rng.standard_normal((2, height // 32 + 2, width // 32 + 2)).astype(np.float32) * pixels
    x, y = (cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) for field in coarse)
    x += np.arange(width, dtype=np.float32)
    y += np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(lines, x, y, cv2.INTER_LINEAR, borderValue=255), dtype=np.uint8)


def _soft(lines: Lines) -> Lines:
    """Lines with grey rims, as an anti-aliased brush or a scanner leaves them."""
    return np.asarray(cv2.GaussianBlur(lines, (3, 3), 0), dtype=np.uint8)


# Weight of each neighbour in its pixel's code: bit 0 is north, and on clockwise.
_CODE = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)


def _neighbours(mask: Mask) -> NDArray[np.uint8]:
    """Code, 0..255, of which of a pixel's eight neighbours are on a line."""
    return np.asarray(cv2.filter2D(mask, cv2.CV_8U, _CODE, borderType=cv2.BORDER_CONSTANT), dtype=np.uint8)


def _removable(second: bool) -> NDArray[np.bool_]:
    """For each code, whether Guo and Hall's first or second step removes the pixel."""
    n, ne, e, se, s, sw, w, nw = ((np.arange(256) >> bit & 1).astype(bool) for bit in range(8))
    branches = (~n & (ne | e)) * 1 + (~e & (se | s)) + (~s & (sw | w)) + (~w & (nw | n))
    pairs = np.minimum(
        (nw | n) * 1 + (ne | e) + (se | s) + (sw | w),
        (n | ne) * 1 + (e | se) + (s | sw) + (w | nw),
    )
    kept = (n | ne | ~se) & e if second else (s | sw | ~nw) & w
    return np.asarray((branches == 1) & (pairs >= 2) & (pairs <= 3) & ~kept)


_REMOVABLE = (_removable(second=False), _removable(second=True))
