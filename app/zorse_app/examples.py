"""Sketches to click on, drawn by code as a steady hand would."""

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.imaging.strokes import with_strokes

CANVAS_SIDE = 512
"""Sketches and the drawing canvas are squares of this side, in pixels."""

Stroke = tuple[tuple[float, float], ...]
"""Points (x, y) in 0..100, y down, that a smooth line passes through; corners are where strokes meet."""

_SNEAKER: tuple[Stroke, ...] = (
    # upper, from the toe over the tongue and the collar to the heel
    ((7, 70), (9, 62), (18, 56), (30, 51), (42, 41), (52, 31), (58, 27), (62, 28), (64, 33)),
    ((64, 33), (71, 38), (80, 36), (86, 29), (90, 26), (93, 28), (93, 40), (92, 52), (94, 62)),
    # sole
    ((7, 70), (25, 71), (45, 69), (68, 66), (94, 62)),
    ((94, 62), (96, 70), (94, 77)),
    ((7, 70), (5, 75), (9, 80), (30, 82), (60, 81), (82, 80), (94, 77)),
    ((6, 76), (30, 77), (60, 75), (95, 71)),
    # toe cap, laces, side stripe
    ((24, 53), (31, 58), (33, 64), (31, 70)),
    ((37, 46), (43, 52), (50, 52)),
    ((43, 40), (49, 46), (55, 46)),
    ((48, 35), (54, 40), (60, 40)),
    ((52, 31), (58, 35), (64, 33)),
    ((50, 52), (58, 46), (64, 38), (64, 33)),
    ((40, 69), (55, 66), (68, 57), (78, 45), (80, 36)),
    ((52, 68), (66, 64), (78, 54), (87, 40)),
)

_BOOT: tuple[Stroke, ...] = (
    ((50, 10), (50, 26), (49, 40), (44, 52), (33, 61), (20, 68), (14, 75), (14, 82)),
    ((50, 10), (60, 8), (72, 8), (82, 11)),
    ((50, 10), (60, 13), (72, 14), (82, 11)),
    ((82, 11), (81, 30), (82, 48), (86, 62), (86, 76)),
    ((14, 82), (30, 85), (46, 83), (60, 76), (72, 75), (86, 76)),
    ((14, 82), (13, 87)),
    ((13, 87), (32, 90), (48, 88), (62, 81)),
    ((69, 76), (70, 90)),
    ((70, 90), (86, 90)),
    ((86, 90), (86, 76)),
    ((64, 14), (63, 30), (66, 46)),
    ((72, 14), (72, 30), (70, 46)),
)

_T_SHIRT: tuple[Stroke, ...] = (
    # neck
    ((37, 13), (42, 21), (50, 24), (58, 21), (63, 13)),
    ((35, 14), (40, 24), (50, 28), (60, 24), (65, 14)),
    ((37, 13), (50, 16), (63, 13)),
    # left and right: shoulder, sleeve, side
    ((37, 13), (28, 16), (20, 20), (13, 31), (6, 42)),
    ((6, 42), (13, 46), (21, 49)),
    ((21, 49), (28, 39)),
    ((63, 13), (72, 16), (80, 20), (87, 31), (94, 42)),
    ((94, 42), (87, 46), (79, 49)),
    ((79, 49), (72, 39)),
    ((28, 39), (29, 55), (28, 72), (27, 90)),
    ((27, 90), (40, 92), (60, 92), (73, 90)),
    ((73, 90), (72, 72), (71, 55), (72, 39)),
    # seams and folds
    ((27, 20), (30, 29), (28, 39)),
    ((73, 20), (70, 29), (72, 39)),
    ((34, 60), (37, 72), (36, 82)),
    ((64, 58), (62, 68), (64, 78)),
)

_DRESS: tuple[Stroke, ...] = (
    ((38, 6), (38, 14), (43, 20), (50, 22), (57, 20), (62, 14), (62, 6)),
    ((38, 6), (34, 7)),
    ((34, 7), (33, 16), (30, 24), (34, 34), (37, 44)),
    ((62, 6), (66, 7)),
    ((66, 7), (67, 16), (70, 24), (66, 34), (63, 44)),
    ((37, 44), (50, 46), (63, 44)),
    ((37, 44), (32, 58), (26, 74), (19, 91)),
    ((19, 91), (34, 95), (50, 96), (66, 95), (81, 91)),
    ((63, 44), (68, 58), (74, 74), (81, 91)),
    ((43, 48), (40, 64), (36, 82)),
    ((50, 49), (50, 66), (51, 86)),
    ((57, 48), (60, 64), (65, 82)),
)


def sneaker() -> NDArray[np.uint8]:
    """A sneaker from the side, toe to the left, painted red; (512, 512, 3) RGB."""
    return _painted(_draw(_SNEAKER), inside=((60, 60), (45, 55), (80, 60), (70, 50)), colour=(190, 30, 40))


def boot() -> NDArray[np.uint8]:
    """An ankle boot with a heel, toe to the left; (512, 512), black on white."""
    return _draw(_BOOT)


def t_shirt() -> NDArray[np.uint8]:
    """A T-shirt laid flat, painted blue; (512, 512, 3) RGB."""
    return _painted(_draw(_T_SHIRT), inside=((50, 60), (20, 35), (80, 35), (50, 26)), colour=(50, 90, 170))


def dress() -> NDArray[np.uint8]:
    """A sleeveless dress laid flat, painted red; (512, 512, 3) RGB."""
    return _painted(_draw(_DRESS), inside=((50, 35), (50, 90)), colour=(180, 40, 60))


def _draw(strokes: tuple[Stroke, ...]) -> NDArray[np.uint8]:
    canvas = np.full((CANVAS_SIDE, CANVAS_SIDE), 255, np.uint8)
    shift = 4  # OpenCV takes sub-pixel coordinates as integers with this many fraction bits
    for stroke in strokes:
        points = np.rint(_smooth(np.asarray(stroke)) * (CANVAS_SIDE / 100 * 2**shift)).astype(np.int32)
        cv2.polylines(canvas, [points], isClosed=False, color=0, thickness=2, lineType=cv2.LINE_AA, shift=shift)
    return canvas


def _painted(
    lines: NDArray[np.uint8], inside: tuple[tuple[float, float], ...], colour: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """The parts that hold the points (x, y) in 0..100, filled with a colour up to their lines."""
    paper = np.full((*lines.shape, 3), 255, np.uint8)
    for x, y in inside:
        barrier = np.zeros((CANVAS_SIDE + 2, CANVAS_SIDE + 2), np.uint8)
        barrier[1:-1, 1:-1] = lines < 128
        seed = (round(x * CANVAS_SIDE / 100), round(y * CANVAS_SIDE / 100))
        cv2.floodFill(paper, barrier, seed, colour, flags=4)
    return with_strokes(lines, paper)


def _smooth(points: NDArray[np.float64], steps: int = 16) -> NDArray[np.float64]:
    """Uniform Catmull-Rom spline through (N, 2) points: ((N - 1) * steps + 1, 2)."""
    padded = np.vstack([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.vstack([*pieces, points[-1:]])


SKETCHES = ((sneaker, "edges2shoes"), (boot, "edges2shoes"), (t_shirt, "edges2clothes"), (dress, "edges2clothes"))
"""What to draw, and the model that understands it."""
