"""What holds the flicker of a translated video down.

A network answers to the camera's noise and to everything that enters the picture, with small changes all over it. So
where nothing moves, a frame's translation is mixed with the one before; where something moves it is left alone, and
nothing leaves a trail. What counts as still is measured against the noise of the video itself. At a cut all begins
anew.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.errors import ConfigError
from zorse.imaging.picture import Pixels
from zorse.imaging.tensor import resize

DEFAULT = 0.8
"""Steadiness where nothing else is said."""

_MOST_PAST = 0.95
"""Share of the past at the steadiness 1."""
_SMALL_SIDE = 512
"""Short side, in pixels, at which motion is looked for."""
_BLOCK = 4
"""Side of the blocks that move or stand still, in pixels of that."""
_STILL, _MOVING = 1.6, 2.6
"""Difference to what was there before, in units of the noise's: below the one nothing moves, above the other all does.
"""
_LEAST_NOISE, _MOST_NOISE = 0.6, 6.0
"""Mean absolute difference, in levels of 255, that noise alone makes at least and at most."""
_THUMBNAIL = 32
"""Side, in pixels, of the pictures in which cuts are looked for."""
_LEAST_CUT = 12.0
"""Mean absolute difference between the thumbnails, in levels, below which there is no cut."""
_CUT_FACTOR = 4.0
"""And times the difference that was usual in the last frames."""
_USUAL = 8
"""Number of those frames."""

_Map = NDArray[np.float32]


class CutDetector:
    """Finds frames that begin a new scene: they differ from the one before by much, and by much more than is usual."""

    def __init__(self) -> None:
        self._thumbnail: _Map | None = None
        self._differences: list[float] = []

    def is_cut(self, pixels: Pixels) -> bool:
        """Whether the next frame, (H, W, 3), begins a scene; the first one does."""
        thumbnail = _levels(resize(pixels, _THUMBNAIL, _THUMBNAIL))
        before, self._thumbnail = self._thumbnail, thumbnail
        if before is None:
            return True
        difference = float(np.abs(thumbnail - before).mean())
        usual = float(np.median(self._differences)) if self._differences else 0.0
        self._differences = [*self._differences[-_USUAL + 1 :], difference]
        if difference < max(_LEAST_CUT, _CUT_FACTOR * usual):
            return False
        self._differences.clear()
        return True


@dataclass
class _Past:
    seen: _Map
    """The frames so far, mixed; small."""
    translated: _Map
    """Their translations, mixed alike."""


class Steady:
    """Mixes the translations of a video's frames over time, where nothing moves.

    Args:
        steadiness: 0 leaves each frame as it is; 1 mixes the most.

    Raises:
        ConfigError: the steadiness is not between 0 and 1.
    """

    def __init__(self, steadiness: float = DEFAULT) -> None:
        if not 0 <= steadiness <= 1:
            raise ConfigError(f"The steadiness {steadiness!r} is not between 0 (frame by frame) and 1 (the steadiest).")
        self._past_share = _MOST_PAST * steadiness
        self._past: _Past | None = None
        self._cuts = CutDetector()

    def __call__(self, frame: Pixels, translated: Pixels) -> Pixels:
        """The next frame's translation, steadied.

        Args:
            frame: (H, W, 3) uint8 or uint16, as it was shown to the network.
            translated: its translation, of the same shape and dtype.
        """
        if self._past_share == 0:
            return translated
        seen = _levels(_small(frame))
        if self._cuts.is_cut(frame) or self._past is None or self._past.translated.shape != translated.shape:
            self._past = _Past(seen, translated.astype(np.float32))
            return translated
        share = np.float32(self._past_share) * stillness(seen, self._past.seen)
        _mix(self._past.seen, seen, share)
        _mix(self._past.translated, translated, share)
        steadied: NDArray[Any] = np.rint(self._past.translated).astype(translated.dtype)
        return steadied


def stillness(seen: _Map, past: _Map) -> _Map:
    """How little moves at each place.

    Args:
        seen: (H, W, 3), levels of 255.
        past: what was there before, of the same shape.

    Returns:
        (H / 4, W / 4), 0 where something moves to 1 where the difference is but noise.
    """
    difference = np.abs(seen - past).mean(axis=2)
    blocks = resize(difference, -(-seen.shape[0] // _BLOCK), -(-seen.shape[1] // _BLOCK))
    # The quietest part of the picture shows the noise, unless all moves; fine structure of one frame bounds it then.
    noise = min(1.1 * float(np.quantile(blocks, 0.3)), _LEAST_NOISE + 1.5 * _grain(seen), _MOST_NOISE)
    around = cv2.dilate(cv2.blur(blocks, (3, 3)), np.ones((3, 3), np.uint8))
    ratio = around / np.float32(max(noise, _LEAST_NOISE))
    still: _Map = np.clip((np.float32(_MOVING) - ratio) / np.float32(_MOVING - _STILL), 0, 1)
    return still


def _grain(seen: _Map) -> float:
    """Standard deviation of the noise in a picture, in levels; structure makes it too large, flat parts keep it true.

    Source: Immerkær 1996, Fast Noise Variance Estimation; with the median for the mean.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(cv2.filter2D(seen, cv2.CV_32F, mask)))) / (6 * 0.6745)


def _mix(past: _Map, new: NDArray[Any], share: NDArray[Any]) -> None:
    """Makes `past` the mixture, a part of it at a time; `share`, of any size, says how much of the past stays."""
    share = cv2.resize(share, (past.shape[1], past.shape[0]), interpolation=cv2.INTER_LINEAR)
    for start in range(0, len(past), _ROWS):
        rows = slice(start, start + _ROWS)
        past[rows] = new[rows] + share[rows, :, None] * (past[rows] - new[rows])


_ROWS = 256


def _small(pixels: Pixels) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    scale = _SMALL_SIDE / min(height, width)
    return pixels if scale >= 1 else resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))


def _levels(pixels: NDArray[Any]) -> _Map:
    """Float32 in levels of 255."""
    levels: _Map = pixels.astype(np.float32)
    return levels if pixels.dtype == np.uint8 else levels / np.float32(257)
