"""ICC profiles: from a file's colours to sRGB and back."""

import io
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from zorse.imaging.picture import Picture, Pixels, to_uint8
from zorse.imaging.profile import matrix_profile

_FLAGS = ImageCms.Flags.HIGHRESPRECALC | ImageCms.Flags.BLACKPOINTCOMPENSATION

_FADE = 32
"""Change of a pixel, in 8-bit levels, from which on nothing of its old colour comes back."""

_BAND = 256
"""Rows at a time."""


def to_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """(H, W, 3) RGB pixels in a profile -> sRGB of the same dtype; colours that sRGB does not hold are clipped."""
    if pixels.dtype == np.uint16:
        matrix = matrix_profile(profile)
        if matrix is not None:
            return matrix.to_srgb(np.asarray(pixels, dtype=np.uint16))
    return _like(pixels, _transformed(to_uint8(pixels), _opened(profile), _srgb()))


def from_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """(H, W, 3) sRGB pixels -> RGB pixels in a profile, of the same dtype."""
    if is_srgb(profile):
        return pixels
    if pixels.dtype == np.uint16:
        matrix = matrix_profile(profile)
        if matrix is not None:
            return matrix.from_srgb(np.asarray(pixels, dtype=np.uint16))
    return _like(pixels, _transformed(to_uint8(pixels), _srgb(), _opened(profile)))


def own_colours(picture: Picture) -> Pixels:
    """The picture's pixels in its own profile.

    A colour that sRGB cannot hold was clipped for the network. What it lost comes back in full where the picture is as
    it was, and fades out with the change: a red flower stays as red as its file had it, and turned blue is just blue.
    """
    profile, native = picture.icc_profile, picture.native
    if profile is None:
        return picture.rgb
    if native is None:
        return from_srgb(picture.rgb, profile)
    result = np.empty_like(native)
    bands = range(0, picture.height, _BAND)
    for band in (slice(top, top + _BAND) for top in bands):
        result[band] = _with_lost_colours(picture.rgb[band], native[band], profile)
    return result


def _with_lost_colours(rgb: Pixels, native: Pixels, profile: bytes) -> NDArray[np.float32]:
    white = np.iinfo(native.dtype).max
    before = to_srgb(native, profile)
    lost = native.astype(np.float32) - from_srgb(before, profile)
    change = np.abs(rgb.astype(np.float32) - before).max(axis=2, keepdims=True) * (255 / white)
    colours: NDArray[np.float32] = from_srgb(rgb, profile) + np.clip(1 - change / _FADE, 0, 1) * lost
    return np.rint(np.clip(colours, 0, white))


def image_to_srgb(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, bytes | None]:
    """8-bit image of any mode -> sRGB pixels, and where its profile is RGB, the pixels in it and the profile.

    A damaged or exotic profile is ignored, as browsers do.
    """
    data = image.info.get("icc_profile")
    if not data:
        return _rgb(image), None, None
    try:
        profile = _opened(data)
        space = profile.profile.xcolor_space.strip()
        if space == "RGB":
            return _rgb_to_srgb(_rgb(image), data)
        mode = {"GRAY": "L", "CMYK": "CMYK"}[space]
        if mode != image.mode.rstrip("A"):  # a profile for other data than the file's
            return _rgb(image), None, None
        transform = ImageCms.buildTransform(profile, _srgb(), mode, "RGB", flags=_FLAGS)
        return _rgb(image, lambda band: ImageCms.applyTransform(band.convert(mode), transform) or band), None, None
    except (ImageCms.PyCMSError, OSError, KeyError):
        return _rgb(image), None, None


def _rgb(image: Image.Image, change: Callable[[Image.Image], Image.Image] = lambda band: band) -> NDArray[np.uint8]:
    """(H, W, 3), a band at a time: at once, Pillow would make three copies of the picture."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    # Pillow holds its limit of pixels against each band, too.
    height = max(1, min(_BAND, (Image.MAX_IMAGE_PIXELS or sys.maxsize) // image.width))
    for top in range(0, image.height, height):
        rows = slice(top, min(top + height, image.height))
        band = change(image.crop((0, rows.start, image.width, rows.stop)))
        pixels[rows] = np.asarray(band.convert("RGB"))
    return pixels


def _rgb_to_srgb(
    pixels: NDArray[np.uint8], data: bytes
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, bytes | None]:
    if is_srgb(data):
        return pixels, None, data
    srgb = _transformed(pixels, _opened(data), _srgb())
    return (srgb, pixels, data) if has_way_back(data) else (srgb, None, None)


def is_srgb(data: bytes) -> bool:
    """Whether a profile is one of the many that are called sRGB: their colours need no conversion."""
    try:
        description = ImageCms.getProfileDescription(io.BytesIO(data)).lower()
    except (ImageCms.PyCMSError, OSError):
        return False
    return "srgb" in description and "linear" not in description


def is_rgb(data: bytes) -> bool:
    """Whether a profile can be read and is one for RGB."""
    try:
        return bool(_opened(data).profile.xcolor_space.strip() == "RGB")
    except (ImageCms.PyCMSError, OSError):
        return False


def has_way_back(data: bytes) -> bool:
    """Whether colours can be converted into a profile; those of cameras and scanners may only lead out."""
    try:
        ImageCms.buildTransform(_srgb(), _opened(data), "RGB", "RGB")
    except ImageCms.PyCMSError:
        return False
    return True


def _opened(data: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(data))


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _transformed(
    pixels: NDArray[np.uint8], source: ImageCms.ImageCmsProfile, target: ImageCms.ImageCmsProfile
) -> NDArray[np.uint8]:
    transform = ImageCms.buildTransform(source, target, "RGB", "RGB", flags=_FLAGS)
    result = np.empty_like(pixels)
    for top in range(0, len(pixels), _BAND):
        band = Image.fromarray(np.ascontiguousarray(pixels[top : top + _BAND]))
        result[top : top + _BAND] = np.asarray(ImageCms.applyTransform(band, transform) or band)
    return result


def _like(pixels: Pixels, converted: NDArray[np.uint8]) -> Pixels:
    """8-bit colours in the depth that the pixels had: profiles with tables are computed in 8 bits."""
    return converted.astype(np.uint16) * np.uint16(257) if pixels.dtype == np.uint16 else converted
