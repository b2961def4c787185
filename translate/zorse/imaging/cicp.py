"""Colours by number (ITU-T H.273, "CICP"): primaries, and the curves from levels to light.

Video files, PNG (`cICP`), AVIF and HEIC (`nclx`) name their colour space so.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of red, green, blue and white."""


class Curve(NamedTuple):
    """Linear light of a level x in 0..1: (a x + b) ** g from d on, c x below. That is ICC's parametric form 3."""

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0


_D65 = (0.3127, 0.329)
SRGB_PRIMARIES: Chromaticities = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, *_D65)

PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB_PRIMARIES,  # BT.709
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.31, 0.316),  # NTSC of 1953
    5: (0.64, 0.33, 0.29, 0.6, 0.15, 0.06, *_D65),  # BT.601, 625 lines
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),  # BT.601, 525 lines
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),  # SMPTE 240M
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.31, 0.316),  # film
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, *_D65),  # BT.2020, BT.2100
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3),  # CIE XYZ
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.314, 0.351),  # DCI-P3
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, *_D65),  # Display P3
    22: (0.63, 0.34, 0.295, 0.605, 0.155, 0.077, *_D65),  # EBU 3213
}
"""By H.273's table 2."""

SRGB_CURVE = Curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

CURVES: dict[int, Curve] = {
    4: Curve(2.2),
    5: Curve(2.8),
    7: Curve(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0912),  # SMPTE 240M
    8: Curve(1.0),
    13: SRGB_CURVE,
    17: Curve(2.6, (52.37 / 48) ** (1 / 2.6)),  # cinemas, SMPTE 428
}
"""By H.273's table 3; `VIDEO_TRANSFERS` depend on who reads them, and `PQ` and `HLG` are no such curves."""

VIDEO_TRANSFERS = frozenset({1, 6, 11, 14, 15})
"""BT.709, BT.601, xvYCC, BT.2020: a camera's curve, which no display inverts as it stands."""

PQ, HLG = 16, 18
HDR_TRANSFERS = frozenset({PQ, HLG})

REFERENCE_WHITE = 203.0
"""cd/m² of a white sheet in an HDR picture. Source: ITU-R BT.2408."""

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])


def rgb_to_xyz(primaries: Chromaticities) -> NDArray[np.float64]:
    """(3, 3) matrix from linear light to CIE XYZ with the white of ICC, D50, as ICC asks: adapted with Bradford's.

    Raises:
        ValueError: these are no three primaries around a white.
    """
    x, y = np.array(primaries[::2]), np.array(primaries[1::2])
    if y[3] <= 0:
        raise ValueError("not three primaries")
    colours = np.stack([x, y, 1 - x - y])
    white = colours[:, 3] / y[3]
    response = _BRADFORD @ white
    if abs(np.linalg.det(colours[:, :3])) < 1e-6 or (response <= 0).any():
        raise ValueError("not three primaries")
    matrix = colours[:, :3] * np.linalg.solve(colours[:, :3], white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(_BRADFORD @ _D50 / response) @ _BRADFORD @ matrix
    if not (abs(np.linalg.det(adapted)) > 1e-6 and np.abs(adapted).max() < 100):
        raise ValueError("not three primaries")
    return np.asarray(adapted)


def hdr_light(transfer: int, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light of levels in 0..1. PQ: of a display, 1 is `REFERENCE_WHITE`; HLG: of the scene, 0..1.

    Source: ITU-R BT.2100, tables 4 and 5.
    """
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - c) / a) + b) / 12)
    power = levels ** (32 / 2523)
    light = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    return np.asarray(10_000 / REFERENCE_WHITE * light ** (16384 / 2610))
