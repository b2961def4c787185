"""From the light of an HDR picture to that of an ordinary display, and back."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zorse.imaging.cicp import PRIMARIES, REFERENCE_WHITE, rgb_to_xyz

Light = NDArray[np.float32]
"""(H, W, 3) linear light in the primaries of BT.2020."""

TONE_TO_XYZ = rgb_to_xyz(PRIMARIES[9])

_LUMINANCE = np.array([0.2627, 0.678, 0.0593], np.float32)
_HLG_GAMMA = 1.2
_HLG_PEAK = 1000 / REFERENCE_WHITE
"""The display that HLG is defined for."""

_USUAL_HEADROOM = np.log2(1000 / REFERENCE_WHITE)
_BEND = 0.65


@dataclass(frozen=True)
class ToneMapping:
    """The "reference white" curve of SMPTE ST 2094-50, annex D, which Chromium and Skia draw HDR pictures with.

    The brightest of a pixel's channels tells by how much all three are dimmed, so that its hue stays. Up to the light
    of a white sheet the picture is dimmed evenly, by half where it reaches 1,000 cd/m²; a curve takes what is brighter
    to the display's white. It rises everywhere, so there is a way back.
    """

    peak: float = 1000.0
    """cd/m² of the brightest that the picture holds; what lies above is clipped."""
    is_hlg: bool = False
    """Whether the light is that of the scene, not of a display."""

    def to_display(self, light: Light) -> Light:
        """Light of the file (see `cicp.hdr_light`) -> light in 0..1 of an ordinary display."""
        if self.is_hlg:
            light = light * (_HLG_PEAK * _raised(light @ _LUMINANCE, _HLG_GAMMA - 1))[:, :, None]
        return light if self._points is None else _scaled(light, *self._points)

    def from_display(self, light: Light) -> Light:
        """The way back."""
        if self._points is not None:
            light = _scaled(light, *reversed(self._points))
        if self.is_hlg:
            light = light / _HLG_PEAK
            light = light * _raised(light @ _LUMINANCE, 1 / _HLG_GAMMA - 1)[:, :, None]
        return light

    @cached_property
    def _points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Points of the curve: light of the picture, 1 is a white sheet, and of the display. None for no change."""
        brightest = self.peak / REFERENCE_WHITE
        if brightest <= 1:
            return None
        white = 1 - 0.5 * min(np.log2(brightest) / _USUAL_HEADROOM, 1.0)
        middle = (1 - _BEND + _BEND / white, (1 - _BEND) * white + _BEND)
        step = np.linspace(0, 1, 4097)
        start, bend, end = (1 - step) ** 2, 2 * step * (1 - step), step**2  # a quadratic Bézier curve
        hdr, display = start + bend * middle[0] + end * brightest, start * white + bend * middle[1] + end
        return np.concatenate([[0.0], hdr]), np.concatenate([[0.0], display])


def _scaled(light: Light, before: NDArray[np.float64], after: NDArray[np.float64]) -> Light:
    """All channels by as much as the curve through the points changes the brightest; the last point is the limit."""
    brightest = light.max(axis=2, keepdims=True)
    factor = np.interp(brightest, before, after) / np.maximum(brightest, 1e-12)
    return np.asarray(light * factor, dtype=np.float32)


def _raised(light: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    return np.asarray(np.maximum(light, 1e-12) ** power, dtype=np.float32)
