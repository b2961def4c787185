"""EXIF, XMP, resolution, comments: out of a file, and into each format that can hold them."""

import math
import re
import struct
from dataclasses import replace
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from zorse.imaging.picture import Metadata, Picture

# What a TIFF says about how its own pixels are stored is no metadata: sizes, strips, tiles, sample layout, colour
# tables, JPEG tables; and XMP and ICC profile, which travel on their own.
_STRUCTURE = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291}
    | {292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332, 333, 334, 336, 337}
    | {338, 339, 340, 341, 342, 343, 344, 345, 346, 347, 529, 530, 531, 532, 559, 700, 34675}
    | set(range(512, 522))
)

PLAIN_FORMATS = frozenset({"GIF", "BMP"})
"""Formats that hold neither a profile nor EXIF: their colours are sRGB."""

_IPTC = 0x0404
"""Photoshop's number of the IPTC resource."""

_SEGMENT = 65_000
"""A JPEG segment holds 64 KB; a longer block (from a TIFF, say) cannot be kept."""

_XMP_KEYWORD = "XML:com.adobe.xmp"


def read_metadata(image: Image.Image) -> tuple[Metadata, int]:
    """What an image says beside its pixels, and the EXIF orientation, which the metadata do not repeat.

    Args:
        image: decoded, since some formats hold metadata after the pixels.
    """
    exif = _exif(image)
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    orientation = orientation if orientation in range(1, 9) else 1
    metadata = Metadata(
        exif=_upright_exif(exif, orientation),
        xmp=_with_xmp_orientation(_bytes(image.info.get("xmp")), 1),
        dpi=_dpi(image.info.get("dpi")),
        comment=_bytes(image.info.get("comment")),
        texts=_texts(image),
        iptc=_iptc(image),
    )
    return metadata, orientation


def with_orientation(metadata: Metadata, orientation: int) -> Metadata:
    """The metadata of the same picture stored in EXIF orientation 2..8."""
    exif = Image.Exif()
    if metadata.exif:
        exif.load(metadata.exif)
    return replace(
        metadata,
        exif=_serialised(_turned(_plain_tags(exif), orientation) | {ExifTags.Base.Orientation: orientation}),
        xmp=_with_xmp_orientation(metadata.xmp, orientation),
    )


def save_options(picture: Picture, format: str) -> dict[str, Any]:
    """Metadata and profile as arguments for Pillow's `Image.save`."""
    metadata = picture.metadata
    options: dict[str, Any] = {}
    if picture.icc_profile is not None and format not in PLAIN_FORMATS:
        options["icc_profile"] = picture.icc_profile
    exif = metadata.exif if format != "JPEG" or len(metadata.exif) <= _SEGMENT else _only_orientation(metadata.exif)
    if exif and format not in PLAIN_FORMATS:
        options["exif"] = exif
    if metadata.dpi is not None and format in ("JPEG", "PNG", "TIFF", "BMP"):
        options["dpi"] = metadata.dpi
    if metadata.xmp and (format in ("WEBP", "AVIF", "HEIF") or (format == "JPEG" and len(metadata.xmp) <= _SEGMENT)):
        options["xmp"] = metadata.xmp
    comment = metadata.comment or dict(metadata.texts).get("Comment", "").encode()
    if comment and (format == "GIF" or (format == "JPEG" and len(comment) <= _SEGMENT)):
        options["comment"] = comment
    if format == "PNG":
        options["pnginfo"] = _png_texts(metadata)
    if format == "JPEG" and 0 < len(metadata.iptc) <= _SEGMENT:
        options["extra"] = _app13(metadata.iptc)
    return options


def tiff_tags(picture: Picture) -> dict[int, Any]:
    """Metadata and profile as tags of a TIFF page."""
    metadata = picture.metadata
    exif = Image.Exif()
    if metadata.exif:
        exif.load(metadata.exif)
    tags = _plain_tags(exif)
    if ExifTags.Base.Orientation in exif:
        tags[ExifTags.Base.Orientation] = exif[ExifTags.Base.Orientation]
    if metadata.dpi is not None:
        tags |= {TiffImagePlugin.RESOLUTION_UNIT: 2}
        tags |= {TiffImagePlugin.X_RESOLUTION: metadata.dpi[0], TiffImagePlugin.Y_RESOLUTION: metadata.dpi[1]}
    if metadata.comment:
        tags.setdefault(ExifTags.Base.ImageDescription, metadata.comment.decode("utf-8", "replace"))
    if metadata.xmp:
        tags[TiffImagePlugin.XMP] = metadata.xmp
    if picture.icc_profile is not None:
        tags[TiffImagePlugin.ICCPROFILE] = picture.icc_profile
    return tags


def info(picture: Picture) -> dict[str, Any]:
    """Metadata and profile as Pillow keeps them in `Image.info`."""
    metadata = picture.metadata
    entries = {
        "icc_profile": picture.icc_profile,
        "exif": metadata.exif,
        "xmp": metadata.xmp,
        "dpi": metadata.dpi,
        "comment": metadata.comment,
    }
    return {key: value for key, value in entries.items() if value}


def _exif(image: Image.Image) -> Image.Exif:
    """The image's EXIF; an empty one where it is damaged: the picture is worth more."""
    try:
        exif = image.getexif()
        exif.get(ExifTags.Base.Orientation)
        dict(exif.items())  # values are decoded when they are asked for
    except Exception:  # Pillow raises everything from struct.error to ValueError for a damaged block
        return Image.Exif()
    return exif


def _upright_exif(exif: Image.Exif, orientation: int) -> bytes:
    return _serialised(_turned(_plain_tags(exif), orientation)) if exif else b""


def _only_orientation(block: bytes) -> bytes:
    exif = Image.Exif()
    exif.load(block)
    tag = ExifTags.Base.Orientation
    return _serialised({tag: exif[tag]} if tag in exif else {})


def _plain_tags(exif: Image.Exif) -> dict[int, Any]:
    """The tags that say something about the picture, without its orientation."""
    dropped = _STRUCTURE | {ExifTags.Base.Orientation}
    groups = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    return {tag: _group(exif, tag) if tag in groups else value for tag, value in exif.items() if tag not in dropped}


def _turned(tags: dict[int, Any], orientation: int) -> dict[int, Any]:
    """Width and height in the tags exchanged where the orientation exchanges them."""
    inner = tags.get(ExifTags.IFD.Exif, {})
    sides = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
    if orientation >= 5 and all(side in inner for side in sides):
        inner[sides[0]], inner[sides[1]] = inner[sides[1]], inner[sides[0]]
    return tags


def _group(exif: Image.Exif, tag: int) -> dict[int, Any]:
    try:
        group = dict(exif.get_ifd(tag))
        if ExifTags.IFD.Interop in group:
            group[ExifTags.IFD.Interop] = dict(exif.get_ifd(ExifTags.IFD.Interop))
    except Exception:  # as in `_exif`
        return {}
    return group


def _serialised(tags: dict[int, Any]) -> bytes:
    """An EXIF block of all tags that can be written: some cameras write wrong types, and the rest is worth keeping."""
    if not tags:
        return b""
    exif = Image.Exif()
    exif.update(tags)
    try:
        return exif.tobytes()
    except Exception:  # Pillow packs what a tag holds, and raises everything from TypeError to struct.error
        return _serialised(sound) if len(sound := _sound(tags)) < len(tags) else b""


def _sound(tags: dict[int, Any]) -> dict[int, Any]:
    """Those tags of which each can be written alone."""
    sound: dict[int, Any] = {}
    for tag, value in tags.items():
        exif = Image.Exif()
        exif[tag] = _sound(value) if isinstance(value, dict) else value
        try:
            exif.tobytes()
        except Exception:  # as above
            continue
        sound[tag] = exif[tag]
    return sound


def _with_xmp_orientation(xmp: bytes, orientation: int) -> bytes:
    """XMP repeats the orientation, and readers fall back on it where EXIF says nothing."""
    return re.sub(rb'(tiff:Orientation(?:\s*=\s*["\']|>)\s*)[1-8]', rb"\g<1>%d" % orientation, xmp)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return bytes(value) if isinstance(value, bytes | bytearray) else b""


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        across, down = float(value[0]), float(value[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return (across, down) if all(math.isfinite(side) and 1 < side <= 65535 for side in (across, down)) else None


def _texts(image: Image.Image) -> tuple[tuple[str, str], ...]:
    if not isinstance(image, PngImagePlugin.PngImageFile):
        return ()
    # ImageMagick hides EXIF and IPTC in texts called "Raw profile type"; Pillow has read them.
    texts = {key: str(text) for key, text in image.text.items() if not key.startswith(("Raw profile", _XMP_KEYWORD))}
    return tuple(texts.items())


def _iptc(image: Image.Image) -> bytes:
    """IPTC of a JPEG. Photoshop's other resources describe the old pixels, its preview picture among them."""
    resources = image.info.get("photoshop")
    return _bytes(resources.get(_IPTC)) if isinstance(resources, dict) else b""


def _app13(iptc: bytes) -> bytes:
    content = b"Photoshop 3.0\0" + b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content


def _png_texts(metadata: Metadata) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for key, text in metadata.texts:
        chunks.add_text(key, text)
    if metadata.comment and "Comment" not in dict(metadata.texts):
        chunks.add_text("Comment", metadata.comment.decode("utf-8", "replace"))
    if metadata.xmp:
        chunks.add_itxt(_XMP_KEYWORD, metadata.xmp.decode("utf-8", "replace"))
    return chunks
