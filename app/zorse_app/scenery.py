"""Example pictures for the photo models, painted by code: a lake in the mountains, and a horse on a meadow."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""(SIDE, SIDE, 3) RGB or, for masks, (SIDE, SIDE); in 0..1."""
Colour = tuple[float, float, float]
Points = Sequence[tuple[float, float]]
"""(x, y) in 0..1 of the picture's side, y down."""

SIDE = 512
"""Side of the pictures, in pixels."""


def _noise(rng: np.random.Generator, cells: tuple[int, int], octaves: int = 5) -> Image:
    """Fractal noise in 0..1, (SIDE, SIDE): `cells` (vertical, horizontal) bumps in the coarsest octave."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for octave in range(octaves):
        rows, columns = (min(SIDE, count * 2**octave) for count in cells)
        grid = rng.random((rows, columns), dtype=np.float32)
        total += cv2.resize(grid, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) / 2**octave
    return np.asarray((total - total.min()) / np.ptp(total), np.float32)


def _mix(below: Image, above: Image | Colour, mask: Image) -> Image:
    """`above` over `below` where the mask is 1."""
    weight = mask[:, :, None]
    return np.asarray(below * (1 - weight) + np.asarray(above, np.float32) * weight, np.float32)


def _between(first: Colour, second: Colour, share: Image) -> Image:
    """From the first colour, where `share` is 0, to the second, where it is 1."""
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return np.asarray(a + (b - a) * share[:, :, None], np.float32)


def _polygon(points: Points, blur: float = 0.8) -> Image:
    """Mask (SIDE, SIDE) of a filled outline with soft edges."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    corners = np.rint(np.asarray(points) * SIDE * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, lineType=cv2.LINE_AA, shift=4)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), blur), np.float32)


def _ridge(rng: np.random.Generator, height: float, roughness: float) -> Points:
    """A mountain range: a random walk refined by midpoints, closed below the picture."""
    line = np.array([height, height - roughness, height + roughness / 2, height - roughness / 2])
    for octave in range(6):
        middles = (line[:-1] + line[1:]) / 2 + rng.normal(0, roughness / 2.3 ** (octave + 1), len(line) - 1)
        line = np.insert(line, np.arange(1, len(line)), middles)
    xs = np.linspace(0, 1, len(line))
    return [(0.0, 1.1), *zip(xs.tolist(), line.tolist(), strict=True), (1.0, 1.1)]


def _rows() -> Image:
    """Height in the picture, 0 at the top and 1 at the bottom, (SIDE, SIDE)."""
    return np.repeat(np.linspace(0, 1, SIDE, dtype=np.float32)[:, None], SIDE, axis=1)


def _sky(rng: np.random.Generator, top: Colour, bottom: Colour, horizon: float) -> Image:
    sky = _between(top, bottom, np.clip(_rows() / horizon, 0, 1))
    clouds = np.clip((_noise(rng, (5, 2)) - 0.52) * 3.2, 0, 1) * np.clip(1.1 - _rows() / horizon, 0, 1)
    return _mix(sky, (0.98, 0.97, 0.95), clouds.astype(np.float32))


def _grain(picture: Image, rng: np.random.Generator, strength: float = 0.018) -> NDArray[np.uint8]:
    """A camera's noise, and 8 bits."""
    noisy = picture + rng.normal(0, strength, picture.shape[:2])[:, :, None]
    return np.asarray(np.clip(np.rint(noisy * 255), 0, 255), np.uint8)


def lake() -> NDArray[np.uint8]:
    """Mountains and trees above a lake, uint8 RGB (512, 512, 3)."""
    rng = np.random.default_rng(7)
    shore = 0.6
    scene = _sky(rng, (0.33, 0.55, 0.83), (0.86, 0.9, 0.93), shore)
    for height, roughness, near, far in (
        (0.36, 0.16, (0.52, 0.58, 0.69), (0.72, 0.77, 0.84)),
        (0.47, 0.12, (0.30, 0.38, 0.42), (0.50, 0.58, 0.60)),
        (0.55, 0.05, (0.13, 0.25, 0.13), (0.29, 0.40, 0.20)),
    ):
        rock = _between(near, far, _noise(rng, (10, 8)))
        scene = _mix(scene, rock, _polygon(_ridge(rng, height, roughness)))
    for x, size in ((0.06, 0.30), (0.15, 0.22), (0.86, 0.26), (0.95, 0.34), (0.77, 0.15)):
        scene = _fir(scene, rng, x, shore + 0.02, size)
    water = _reflection(scene, rng, shore)
    scene = np.where(_rows()[:, :, None] < shore, scene, water)
    bank = _between((0.22, 0.33, 0.10), (0.55, 0.58, 0.26), _noise(rng, (40, 14)))
    meadow = [(0, 0.87), (0.2, 0.84), (0.45, 0.9), (0.7, 0.93), (1, 0.88), (1, 1.1), (0, 1.1)]
    return _grain(_mix(scene, bank, _polygon(meadow, blur=2)), rng)


def _fir(scene: Image, rng: np.random.Generator, x: float, foot: float, size: float) -> Image:
    """A fir tree of a height in shares of the side, standing at (x, foot)."""
    for layer in np.linspace(0, 1, 9):
        half = size * (0.05 + 0.17 * layer)
        y = foot - size * (1 - layer * 0.92)
        droop = size * 0.16
        tips = [(x + half * (2 * k / 10 - 1), y + droop * (1 + 0.35 * rng.random())) for k in range(11)]
        shade = 0.55 + 0.5 * float(rng.random())
        green = (0.10 * shade, 0.24 * shade, 0.11 * shade)
        scene = _mix(scene, green, _polygon([(x, y - 0.01), *tips[::-1]]))
    return scene


def _reflection(scene: Image, rng: np.random.Generator, shore: float) -> Image:
    """The upper part mirrored at the shore, rippled and darker."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    depth = np.clip(rows / SIDE - shore, 0, 1)
    ripple = (_noise(rng, (90, 6), 3) - 0.5) * 60 * depth
    mirrored = cv2.remap(
        scene, columns + ripple * 0.5, 2 * shore * SIDE - rows + ripple, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return _mix(mirrored * 0.86, (0.24, 0.36, 0.46), (0.18 + 0.5 * depth).astype(np.float32))


_BODY: Points = (
    (0.235, 0.300), (0.262, 0.262), (0.275, 0.225), (0.290, 0.255), (0.312, 0.262), (0.345, 0.300), (0.385, 0.360),
    (0.420, 0.405), (0.480, 0.425), (0.560, 0.425), (0.640, 0.408), (0.700, 0.410), (0.745, 0.435), (0.770, 0.480),
    (0.772, 0.540), (0.750, 0.590), (0.700, 0.610), (0.640, 0.605), (0.560, 0.625), (0.470, 0.620), (0.410, 0.600),
    (0.372, 0.560), (0.350, 0.500), (0.325, 0.440), (0.295, 0.400), (0.262, 0.392), (0.232, 0.420), (0.205, 0.445),
    (0.180, 0.440), (0.172, 0.415), (0.190, 0.370),
)  # fmt: skip
_LEGS: tuple[tuple[Points, float], ...] = (
    (((0.435, 0.58), (0.49, 0.58), (0.475, 0.70), (0.468, 0.83), (0.44, 0.83), (0.447, 0.70)), 0.62),
    (((0.70, 0.57), (0.755, 0.54), (0.742, 0.66), (0.735, 0.72), (0.745, 0.83), (0.715, 0.83), (0.70, 0.71)), 0.62),
    (((0.385, 0.56), (0.455, 0.58), (0.432, 0.70), (0.425, 0.85), (0.395, 0.85), (0.403, 0.70)), 1.0),
    (((0.665, 0.57), (0.765, 0.53), (0.745, 0.64), (0.70, 0.71), (0.705, 0.85), (0.672, 0.85), (0.668, 0.70)), 1.0),
)  # fmt: skip
_TAIL: Points = ((0.755, 0.44), (0.80, 0.47), (0.815, 0.56), (0.80, 0.70), (0.785, 0.71), (0.785, 0.58), (0.765, 0.50))
_MANE: Points = (
    (0.278, 0.228), (0.315, 0.255), (0.352, 0.295), (0.395, 0.355), (0.428, 0.402), (0.40, 0.415), (0.372, 0.39),
    (0.345, 0.345), (0.315, 0.305), (0.288, 0.27),
)  # fmt: skip


def _rounded(points: Points) -> Points:
    """The outline with its corners cut twice (Chaikin)."""
    corners = np.asarray(points)
    for _ in range(2):
        following = np.roll(corners, -1, axis=0)
        corners = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], 1).reshape(-1, 2)
    return [(float(x), float(y)) for x, y in corners]


def horse() -> NDArray[np.uint8]:
    """A chestnut horse on a meadow before trees, uint8 RGB (512, 512, 3)."""
    rng = np.random.default_rng(3)
    scene = _sky(rng, (0.42, 0.62, 0.88), (0.87, 0.92, 0.96), 0.4)
    trees = _between((0.07, 0.16, 0.06), (0.30, 0.42, 0.16), _noise(rng, (24, 26)))
    scene = _mix(scene, trees, _polygon(_ridge(rng, 0.36, 0.05)))
    grass = _between((0.25, 0.38, 0.10), (0.58, 0.66, 0.25), _noise(rng, (30, 60)))
    scene = _mix(scene, grass, np.clip((_rows() - 0.5) * 60, 0, 1))
    scene = _mix(scene, (0.10, 0.15, 0.04), 0.6 * _polygon(((0.36, 0.85), (0.74, 0.83), (0.84, 0.87), (0.42, 0.9)), 6))
    for leg, light in _LEGS:
        scene = _mix(scene, _coat(rng, light * 0.8), _polygon(_rounded(leg)))
    for x in (0.395, 0.672):
        hoof = ((x, 0.835), (x + 0.033, 0.835), (x + 0.036, 0.86), (x, 0.86))
        scene = _mix(scene, (0.10, 0.08, 0.07), _polygon(hoof))
    scene = _mix(scene, _coat(rng, 1.0), _polygon(_rounded(_BODY)))
    hair = _between((0.06, 0.04, 0.03), (0.22, 0.13, 0.08), _noise(rng, (12, 90)))
    for part in (_TAIL, _MANE):
        scene = _mix(scene, hair, _polygon(_rounded(part)))
    eye = [(0.247 + 0.009 * np.cos(t), 0.318 + 0.007 * np.sin(t)) for t in np.linspace(0, 6.2, 16)]
    return _grain(_mix(scene, (0.05, 0.03, 0.02), _polygon(eye)), rng)


def _coat(rng: np.random.Generator, light: float) -> Image:
    """Chestnut hair, lit from above."""
    shade = light * (1.22 - 0.9 * np.clip((_rows() - 0.36) / 0.3, 0, 1))[:, :, None]
    hair = _between((0.42, 0.22, 0.10), (0.60, 0.35, 0.18), _noise(rng, (40, 24)))
    sheen = np.clip((_noise(rng, (5, 4), 3) - 0.55) * 1.2, 0, 0.35)
    return np.clip(_mix(hair * shade, (0.82, 0.62, 0.42), sheen.astype(np.float32)), 0, 1)


SCENES = ((horse, "horse2zebra"), (lake, "photo2monet"))
"""What to paint, and the model that it is for."""
