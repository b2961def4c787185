"""The colours of files: from theirs to sRGB and back, and how a result says which they are."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from zorse.imaging.cicp import CURVES, HDR_TRANSFERS, PRIMARIES, SRGB_CURVE, SRGB_PRIMARIES, Curve, rgb_to_xyz
from zorse.imaging.formats import format_name
from zorse.imaging.icc import matrix_icc_profile
from zorse.imaging.metadata import PLAIN_FORMATS
from zorse.imaging.picture import ColourTags, Note, Picture, Pixels, to_uint8
from zorse.imaging.profile import MatrixProfile, hdr_profile, matrix_profile

_FLAGS = ImageCms.Flags.HIGHRESPRECALC | ImageCms.Flags.BLACKPOINTCOMPENSATION

_FADE = 32
"""Change of a pixel, in 8-bit levels, from which on nothing of its old colour comes back."""

_BAND = 256
"""Rows at a time."""

_SRGB_GAMMA, _TOLERANCE = 0.45455, 0.05
"""The gamma that stands for sRGB in a PNG, and by how much one may differ, as browsers have it."""

_VIDEO_CURVE = Curve(2.4)
"""What a display does with the levels of a video (ITU-R BT.1886)."""

_NAMES = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_SAYS_CICP = ("PNG", "AVIF", "HEIF")


@dataclass(frozen=True, eq=False)
class ColourSpace:
    """The colours of a file that are not sRGB: how they become sRGB, how sRGB becomes them, and what says so."""

    icc_profile: bytes | None = None
    """None where no profile can say it (HDR)."""
    hdr: MatrixProfile | None = None

    def to_srgb(self, pixels: Pixels) -> Pixels:
        """(H, W, 3) pixels of this space -> sRGB of the same dtype; what sRGB does not hold is clipped, HDR dimmed."""
        if self.hdr is not None:
            return self.hdr.to_srgb(pixels)
        return pixels if self.icc_profile is None else to_srgb(pixels, self.icc_profile)

    def from_srgb(self, pixels: Pixels) -> Pixels:
        """(H, W, 3) sRGB pixels -> pixels of this space, of the same dtype."""
        if self.hdr is not None:
            return self.hdr.from_srgb(pixels)
        return pixels if self.icc_profile is None else from_srgb(pixels, self.icc_profile)


@lru_cache(maxsize=16)
def tagged_space(tags: ColourTags) -> ColourSpace | None:
    """The space that tags of a file name; None where it is sRGB, so that no pixel changes.

    The curves of cameras (BT.709, BT.601, BT.2020) are taken as browsers take them: as sRGB's in AVIF and HEIC, as that
    of a video display in PNG. The usual gamma of a PNG stands for sRGB, whose primaries it may name.
    """
    if tags.cicp is not None:
        number, transfer = tags.cicp
        if transfer in HDR_TRANSFERS:
            return ColourSpace(hdr=hdr_profile(transfer, number, tags.peak))
        primaries = PRIMARIES[number]
        curve = CURVES.get(transfer) or (_VIDEO_CURVE if tags.chunks else SRGB_CURVE)
        name = f"{_NAMES.get(number, f'H.273 {number}')}, curve {transfer}"
    else:
        gamma, (wx, wy, *rgb) = tags.gamma or _SRGB_GAMMA, tags.chromaticities or (*SRGB_PRIMARIES[6:], *SRGB_PRIMARIES)
        primaries = (rgb[0], rgb[1], rgb[2], rgb[3], rgb[4], rgb[5], wx, wy)
        is_usual = abs(gamma / _SRGB_GAMMA - 1) <= _TOLERANCE and np.allclose(primaries, SRGB_PRIMARIES, atol=1e-3)
        curve = SRGB_CURVE if is_usual else Curve(1 / gamma)
        primaries = SRGB_PRIMARIES if is_usual else primaries
        name = f"Gamma {1 / gamma:.3g}"
    if (primaries, curve) == (SRGB_PRIMARIES, SRGB_CURVE):
        return None
    return ColourSpace(matrix_icc_profile(name, rgb_to_xyz(primaries), curve))


def tagged_to_srgb(pixels: Pixels, tags: ColourTags) -> tuple[Pixels, Pixels | None, bytes | None]:
    """(H, W, 3) pixels of a file -> sRGB, and where it has other colours, those, and a profile of them if there can be
    one."""
    space = tagged_space(tags)
    return (pixels, None, None) if space is None else (space.to_srgb(pixels), pixels, space.icc_profile)


def own_space(picture: Picture) -> ColourSpace | None:
    """The space of the picture's file, in which `native` is; None where it is sRGB or not known."""
    if picture.icc_profile is not None:
        return ColourSpace(picture.icc_profile)
    return None if picture.colour_tags is None else tagged_space(picture.colour_tags)


def fitted(picture: Picture, format: str) -> Picture:
    """The picture with its colours described as a format can: by tags or by a profile, not both.

    Tags go back into the kind of file that they came from. PNG, AVIF and HEIC also take those of an HDR picture, which
    becomes sRGB everywhere else; the remaining ones get the profile. `colour_loss` tells of the former.

    Args:
        picture: as it was read and translated.
        format: Pillow's name; "" for one that has profiles and no tags.
    """
    tags = picture.colour_tags
    if format in PLAIN_FORMATS:
        return replace(picture, icc_profile=None, colour_tags=None, native=None)
    if tags is None:
        return picture
    space = tagged_space(tags)
    is_hdr = space is not None and space.hdr is not None
    if format in _SAYS_CICP and (is_hdr or bool(tags.chunks) == (format == "PNG")):
        return replace(picture, icc_profile=None)
    return replace(picture, colour_tags=None, native=None if is_hdr else picture.native)


def colour_loss(picture: Picture, format: str) -> Note | None:
    """What a format cannot say of the picture's colours; None where it can say all.

    Args:
        picture: as it was read and translated.
        format: Pillow's name of the format to be written.
    """
    space, left = own_space(picture), own_space(fitted(picture, format))
    if space is None or left is not None or (space.icc_profile is not None and is_srgb(space.icc_profile)):
        return None
    name = format_name(format)
    if space.hdr is not None:
        return Note("converted", "HDR colours", f"The HDR colours become sRGB: Zorse does not write HDR as {name}.")
    return Note("converted", "colour profile", f"The colours become sRGB: {name} holds no colour profile.")


def to_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """(H, W, 3) RGB pixels in a profile -> sRGB of the same dtype; colours that sRGB does not hold are clipped."""
    if pixels.dtype == np.uint16:
        matrix = matrix_profile(profile)
        if matrix is not None:
            return matrix.to_srgb(pixels)
    return _like(pixels, _transformed(to_uint8(pixels), _opened(profile), _srgb()))


def from_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """(H, W, 3) sRGB pixels -> RGB pixels in a profile, of the same dtype."""
    if is_srgb(profile):
        return pixels
    if pixels.dtype == np.uint16:
        matrix = matrix_profile(profile)
        if matrix is not None:
            return matrix.from_srgb(pixels)
    return _like(pixels, _transformed(to_uint8(pixels), _srgb(), _opened(profile)))


def own_colours(picture: Picture) -> Pixels:
    """The picture's pixels in its own colours.

    A colour that sRGB cannot hold was clipped for the network. What it lost comes back in full where the picture is as
    it was, and fades out with the change: a red flower stays as red as its file had it, and turned blue is just blue.
    """
    space, native = own_space(picture), picture.native
    if space is None:
        return picture.rgb
    if native is None:
        return space.from_srgb(picture.rgb)
    result = np.empty_like(native)
    bands = range(0, picture.height, _BAND)
    for band in (slice(top, top + _BAND) for top in bands):
        result[band] = _with_lost_colours(picture.rgb[band], native[band], space)
    return result


def _with_lost_colours(rgb: Pixels, native: Pixels, space: ColourSpace) -> NDArray[np.float32]:
    white = np.iinfo(native.dtype).max
    before = space.to_srgb(native)
    lost = native.astype(np.float32) - space.from_srgb(before)
    change = np.abs(rgb.astype(np.float32) - before).max(axis=2, keepdims=True) * (255 / white)
    colours: NDArray[np.float32] = space.from_srgb(rgb) + np.clip(1 - change / _FADE, 0, 1) * lost
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


def unkept_profile(image: Image.Image) -> Note:
    """Says why a picture does not keep the profile that its file held."""
    try:
        space = _opened(image.info["icc_profile"] or b"").profile.xcolor_space.strip()
    except (ImageCms.PyCMSError, OSError):
        space = ""
    modes = {"GRAY": ("L", "LA", "I;16", "I;16B", "I"), "CMYK": ("CMYK",)}
    if not space or (space != "RGB" and image.mode not in modes.get(space, ())):
        return Note("dropped", "colour profile", "The ICC profile is damaged or meant for other data; it is left out.")
    return Note("converted", "colour profile", f"The colours are converted from the {space} profile to sRGB.")


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
