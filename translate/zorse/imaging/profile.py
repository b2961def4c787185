"""Colours between sRGB and the spaces that are a matrix and three curves: in 16 bits, and those of HDR pictures.

LittleCMS, as Pillow offers it, works on 8 bits. Display P3, Adobe RGB, ProPhoto, Rec. 2020 and nearly every other RGB
working space are a tone curve for each channel and a 3 x 3 matrix into CIE XYZ: little enough to compute in full depth.
The spaces of HDR pictures are the same, and a curve that dims them (`tone`) between the two.
"""

import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.imaging.cicp import HLG, PRIMARIES, hdr_light, rgb_to_xyz
from zorse.imaging.picture import Pixels, to_uint8
from zorse.imaging.tone import TONE_TO_XYZ, ToneMapping

Curve = NDArray[np.float32]
"""(65536,) linear light of each 16-bit level, never falling: 0..1, and more in HDR spaces."""

# Linear sRGB -> XYZ with the white of ICC, D50 (IEC 61966-2-1, adapted with Bradford's matrix as ICC asks).
_SRGB_TO_XYZ = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)

_LEVELS = np.arange(65536) / 65535

_ROOTS = 2**18
"""Steps of a table over the root of linear light: tone curves are nearly straight there, and each level has four."""

_BAND = 64
"""Rows at a time: intermediate values are floats."""


@dataclass(frozen=True, eq=False)
class MatrixProfile:
    """An RGB space as ICC describes it: curves of red, green and blue, and the matrix from linear light to XYZ."""

    curves: tuple[Curve, Curve, Curve]
    to_xyz: NDArray[np.float64]
    tone: ToneMapping | None = None
    """Of an HDR space: how its light fits an ordinary display."""

    @cached_property
    def peak(self) -> float:
        """The most light of a channel; 1 but in HDR spaces."""
        return max(1.0, *(float(curve[-1]) for curve in self.curves))

    @cached_property
    def levels(self) -> list[NDArray[np.uint16]]:
        """The curves the other way: the level of each share of `peak` whose root is a multiple of 1 / `_ROOTS`."""
        linear = np.linspace(0, 1, _ROOTS + 1) ** 2 * self.peak
        return [np.rint(np.interp(linear, curve, np.arange(65536))).astype(np.uint16) for curve in self.curves]

    def to_srgb(self, pixels: Pixels) -> Pixels:
        """(H, W, 3) pixels of this space -> sRGB of the same dtype; colours outside of it are clipped."""
        return _converted(pixels, self, _srgb())

    def from_srgb(self, pixels: Pixels) -> Pixels:
        """(H, W, 3) pixels of sRGB -> this space, of the same dtype."""
        return _converted(pixels, _srgb(), self)


@lru_cache(maxsize=8)
def matrix_profile(data: bytes) -> MatrixProfile | None:
    """The profile's curves and matrix; None where it is described otherwise, or damaged."""
    try:
        tags = _tags(data)
        if b"A2B0" in tags:  # a table that goes before the matrix
            return None
        curves = (_curve(tags[b"rTRC"]), _curve(tags[b"gTRC"]), _curve(tags[b"bTRC"]))
        to_xyz = np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
        return MatrixProfile(curves, to_xyz) if abs(np.linalg.det(to_xyz)) > 1e-6 else None
    except (KeyError, ValueError, struct.error):
        return None


def grey_to_srgb(pixels: NDArray[np.uint16], profile: bytes) -> NDArray[np.uint16]:
    """16-bit grey of a profile with a curve for grey -> sRGB; unchanged where the profile holds none."""
    try:
        curve = _curve(_tags(profile)[b"kTRC"])
    except (KeyError, ValueError, struct.error):
        return pixels
    return _level(_encode_srgb(curve))[pixels]


@lru_cache(maxsize=8)
def hdr_profile(transfer: int, primaries: int, peak: float) -> MatrixProfile:
    """The space of an HDR picture.

    Args:
        transfer: one of `cicp.HDR_TRANSFERS`.
        primaries: one of `cicp.PRIMARIES`.
        peak: cd/m² of the brightest that the picture holds.
    """
    curve = hdr_light(transfer, _LEVELS).astype(np.float32)
    return MatrixProfile((curve, curve, curve), rgb_to_xyz(PRIMARIES[primaries]), ToneMapping(peak, transfer == HLG))


def _converted(pixels: Pixels, source: MatrixProfile, target: MatrixProfile) -> Pixels:
    result = np.empty_like(pixels)
    for top in range(0, len(pixels), _BAND):
        band = _converted_light(_light(pixels[top : top + _BAND], source), source, target)
        place = np.rint(np.sqrt(np.clip(band / np.float32(target.peak), 0, 1)) * np.float32(_ROOTS)).astype(np.int32)
        for channel, table in enumerate(target.levels):
            levels = table[place[:, :, channel]]
            result[top : top + _BAND, :, channel] = levels if pixels.dtype == np.uint16 else to_uint8(levels)
    return result


def _light(pixels: Pixels, source: MatrixProfile) -> NDArray[np.float32]:
    levels = pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint16) * np.uint16(257)
    return np.stack([curve[levels[:, :, channel]] for channel, curve in enumerate(source.curves)], axis=2)


def _converted_light(light: NDArray[np.float32], source: MatrixProfile, target: MatrixProfile) -> NDArray[np.float32]:
    """Linear light in the primaries of the one -> of the other; HDR is dimmed or brightened between the two."""
    if source.tone is not None:
        display = source.tone.to_display(_mixed(light, source.to_xyz, TONE_TO_XYZ))
        return _mixed(display, TONE_TO_XYZ, target.to_xyz)
    if target.tone is not None:
        scene = target.tone.from_display(_mixed(light, source.to_xyz, TONE_TO_XYZ))
        return _mixed(scene, TONE_TO_XYZ, target.to_xyz)
    return _mixed(light, source.to_xyz, target.to_xyz)


def _mixed(light: NDArray[np.float32], source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float32]:
    matrix = np.linalg.inv(target) @ source
    return np.asarray(cv2.transform(light, matrix.astype(np.float32)), dtype=np.float32)


@lru_cache(maxsize=1)
def _srgb() -> MatrixProfile:
    curve = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return MatrixProfile((curve, curve, curve), _SRGB_TO_XYZ)


def _encode_srgb(linear: NDArray[Any]) -> NDArray[np.float64]:
    above: NDArray[np.float64] = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, above)


def _level(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.rint(np.clip(values, 0, 1) * 65535).astype(np.uint16)


def _tags(data: bytes) -> dict[bytes, bytes]:
    """Signature and content of each tag. Source: ICC.1:2022, section 7.3."""
    (count,) = struct.unpack_from(">I", data, 128)
    entries = [struct.unpack_from(">4sII", data, 132 + 12 * number) for number in range(min(count, 200))]
    return {name: data[offset : offset + size] for name, offset, size in entries}


def _xyz(content: bytes) -> NDArray[np.float64]:
    if content[:4] != b"XYZ ":
        raise ValueError("not a colour")
    return np.array(struct.unpack_from(">3i", content, 8)) / 65536


def _curve(content: bytes) -> Curve:
    """A `curv` or `para` element as a table. Source: ICC.1:2022, sections 10.6 and 10.18."""
    kind = content[:4]
    if kind == b"curv":
        values = _sampled_curve(content)
    elif kind == b"para":
        values = _parametric_curve(content)
    else:
        raise ValueError("not a curve")
    if not np.isfinite(values).all():
        raise ValueError("not a number")
    return np.maximum.accumulate(np.clip(values, 0, 1)).astype(np.float32)


def _sampled_curve(content: bytes) -> NDArray[np.float64]:
    (count,) = struct.unpack_from(">I", content, 8)
    if count == 0:
        return _LEVELS
    samples = np.array(struct.unpack_from(f">{count}H", content, 12))
    if count == 1:
        return np.asarray(_LEVELS ** (samples[0] / 256))
    return np.interp(_LEVELS, np.linspace(0, 1, count), samples / 65535)


def _parametric_curve(content: bytes) -> NDArray[np.float64]:
    (form,) = struct.unpack_from(">H", content, 8)
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[form]
    g, a, b, c, d, e, f = [*(value / 65536 for value in struct.unpack_from(f">{count}i", content, 12)), *[0.0] * 7][:7]
    if form == 0:
        return np.asarray(_LEVELS**g)
    if form in (1, 2):  # the power begins where its base is positive; form 2 adds c everywhere
        d, e, f, c = -b / a, c, c, 0.0
    power: NDArray[np.float64] = np.maximum(a * _LEVELS + b, 0) ** g + e
    return np.where(d <= _LEVELS, power, c * _LEVELS + f)
