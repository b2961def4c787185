"""EXIF, XMP, resolution, comments: out of a file, and into each format that can hold them."""

import math
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from zorse.imaging import exif_block, iptc
from zorse.imaging.picture import Metadata, Note, Picture
from zorse.imaging.read_notes import GAIN_MAP, LIVE_PHOTO, PREVIEW, attachments, clean_xmp, mode_notes
from zorse.imaging.tiff_directories import check_block

# What a TIFF says about how its own pixels are stored is no metadata: sizes, strips, tiles, sample layout, colour
# tables, JPEG tables; and XMP and ICC profile, which travel on their own.
_STRUCTURE = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291}
    | {292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332, 333, 334, 336, 337}
    | {338, 339, 340, 341, 342, 343, 344, 345, 346, 347, 529, 530, 531, 532, 559, 700, 34675}
    | set(range(512, 522))
)
_SIDES = frozenset({256, 257})
"""Of these, width and height do no harm where a block is kept as it is."""

_LAYERS = 37724
"""Photoshop's layers in a TIFF."""
_OTHERWISE = frozenset({iptc.TIFF_TAG, iptc.TIFF_RESOURCES, _LAYERS})
"""Tags of a TIFF that are read as something else, or show the old picture."""

PLAIN_FORMATS = frozenset({"GIF", "BMP"})
"""Formats that hold neither a profile nor EXIF: their colours are sRGB."""

_SEGMENT = 65_533
"""Bytes in a segment of a JPEG; a longer block (from a TIFF, say) cannot be kept."""
_XMP_SEGMENT = _SEGMENT - len("http://ns.adobe.com/xap/1.0/\0")

_XMP_KEYWORD = "XML:com.adobe.xmp"
_LONG_TEXT = 2**16
"""Letters of a text, above which a PNG holds it packed: a small file shall not become a large one."""

_DAMAGED = Note("dropped", "EXIF", "The EXIF block is damaged, and is left out.")
MAKER_NOTE_LEFT_OUT = Note(
    "dropped",
    "maker note",
    "The camera maker's own notes are left out: at another place in EXIF they would be damaged.",
)


@dataclass(frozen=True)
class Described:
    """What an image says beside its pixels."""

    metadata: Metadata
    orientation: int
    """EXIF orientation 1..8, which the metadata do not repeat."""
    notes: tuple[Note, ...] = ()
    """What belongs to the old picture only, or cannot be read, and is left out; how its colours were stored."""


def read_metadata(image: Image.Image, data: bytes = b"") -> Described:
    """What an image says beside its pixels.

    Args:
        image: decoded, since some formats hold metadata after the pixels.
        data: the file's content; empty where there is no file.
    """
    xmp = clean_xmp(_xmp(image))
    notes = list(attachments(image, data, xmp))
    orientation, block, more = 1, b"", [_DAMAGED]
    with suppress(Exception):  # Pillow raises everything from SyntaxError to struct.error for a damaged block
        check_block(_raw_exif(image))
        exif = image.getexif()
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        orientation = orientation if orientation in range(1, 9) else 1
        block, more = _upright_exif(image, exif, orientation, data, GAIN_MAP in notes)
    iptc_block, others = _iptc(image)
    notes += [*more, *others]
    if _LAYERS in getattr(image, "tag_v2", ()):
        notes.append(Note("dropped", "layers", "Photoshop's layers are left out: they show the old picture."))
    comments = _comments(image)
    if len(comments) > 1:
        notes.append(Note("converted", "comments", f"The file's {len(comments)} comments become one."))
    metadata = Metadata(
        exif=block,
        xmp=_with_xmp_orientation(xmp.xmp, 1),
        dpi=None if _is_invented(image, block) else _dpi(image.info.get("dpi")),
        comment=b"\n".join(comments),
        texts=_texts(image),
        iptc=iptc_block,
    )
    return Described(metadata, orientation, (*dict.fromkeys(notes), *mode_notes(image)))


def with_orientation(metadata: Metadata, orientation: int) -> Metadata:
    """The metadata of the same picture stored in EXIF orientation 2..8."""
    block = exif_block.stored(metadata.exif, orientation) if metadata.exif else None
    return replace(
        metadata,
        exif=block or _serialised({ExifTags.Base.Orientation: orientation}),
        xmp=_with_xmp_orientation(metadata.xmp, orientation),
    )


def save_options(picture: Picture, format: str) -> dict[str, Any]:
    """Metadata and profile as arguments for Pillow's `Image.save`."""
    metadata = picture.metadata
    options: dict[str, Any] = {}
    if picture.icc_profile is not None and format not in PLAIN_FORMATS:
        options["icc_profile"] = picture.icc_profile
    exif = exif_for(metadata.exif, format)
    if exif:
        options["exif"] = exif
    if metadata.dpi is not None and format in ("JPEG", "PNG", "TIFF", "BMP"):
        options["dpi"] = metadata.dpi
    if metadata.xmp and (
        format in ("WEBP", "AVIF", "HEIF") or (format == "JPEG" and len(metadata.xmp) <= _XMP_SEGMENT)
    ):
        options["xmp"] = metadata.xmp
    comment = comment_of(metadata)
    if comment and (format == "GIF" or (format == "JPEG" and len(comment) <= _SEGMENT)):
        options["comment"] = comment
    if format == "PNG":
        options["pnginfo"] = _png_texts(metadata)
    if format == "JPEG" and metadata.iptc:
        options["extra"] = iptc.segments(metadata.iptc)
    return options


def tiff_tags(picture: Picture) -> dict[int, Any]:
    """Metadata and profile as tags of a TIFF page."""
    metadata = picture.metadata
    tags = _exif_tags(metadata.exif)
    if metadata.dpi is not None:
        tags |= {TiffImagePlugin.RESOLUTION_UNIT: 2}
        tags |= {TiffImagePlugin.X_RESOLUTION: metadata.dpi[0], TiffImagePlugin.Y_RESOLUTION: metadata.dpi[1]}
    comment = comment_of(metadata)
    if comment:
        tags.setdefault(ExifTags.Base.ImageDescription, comment.decode("utf-8", "replace"))
    if metadata.iptc:
        tags[iptc.TIFF_TAG] = iptc.padded(metadata.iptc)
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


def comment_of(metadata: Metadata) -> bytes:
    """The comment, or of a PNG the text that is called so."""
    return metadata.comment or dict(metadata.texts).get("Comment", "").encode()


def _upright_exif(
    image: Image.Image, exif: Image.Exif, orientation: int, data: bytes, has_gain_map: bool
) -> tuple[bytes, list[Note]]:
    """The EXIF block of the upright picture, patched in place where it can be, and what of it is left out.

    Args:
        image: the opened file.
        exif: as Pillow reads it.
        orientation: of the file.
        data: the file's content.
        has_gain_map: whether one is left out.
    """
    raw = _raw_exif(image)
    if not exif:
        return b"", [_DAMAGED] if raw and exif_block.upright(raw, 1) is None else []
    notes = []
    held = exif_block.parts(raw)
    if held.preview:
        notes.append(PREVIEW)
    if held.live_photo or (held.maker_note and has_gain_map):
        raw = exif_block.without_links(raw, gain=has_gain_map)
        notes += [LIVE_PHOTO] if held.live_photo else []
    block = exif_block.upright(raw, orientation, _STRUCTURE - _SIDES)
    # Pillow makes the block of an AVIF anew where its orientation is not that of the file.
    is_moved = image.format == "AVIF" and held.maker_note and raw.removeprefix(b"Exif\0\0") not in data
    if block is not None and not is_moved:
        return block, notes
    tags = _turned(_plain_tags(exif), orientation)
    if len(_movable(tags).get(ExifTags.IFD.Exif, ())) < len(tags.get(ExifTags.IFD.Exif, ())):
        notes.append(MAKER_NOTE_LEFT_OUT)
    return _serialised(_movable(tags)), notes


def _raw_exif(image: Image.Image) -> bytes:
    """The block as the file holds it; empty for a TIFF, whose own tags they are, and for what was made in memory."""
    block = _bytes(image.info.get("exif"))
    if not block and isinstance(image, PngImagePlugin.PngImageFile):
        return iptc.raw_profile(image.text.get("Raw profile type exif", ""))
    return block


def exif_for(block: bytes, format: str) -> bytes:
    """An EXIF block as a format takes it; empty where it holds none. The tags of a TIFF hold what the block says."""
    if not block or format in PLAIN_FORMATS:
        return b""
    if format == "JPEG" and len(block) > _SEGMENT:
        orientation = _loaded(block).get(ExifTags.Base.Orientation, 1)
        return _serialised({ExifTags.Base.Orientation: orientation} if orientation != 1 else {})
    if format == "TIFF":
        return _serialised(_exif_tags(block))
    if format != "AVIF":
        return block
    # Pillow takes the orientation out of the block, and for that makes it anew.
    tags = _exif_tags(block)
    return _serialised(tags) if ExifTags.Base.Orientation in tags else exif_block.without_orientation(block)


def _exif_tags(block: bytes) -> dict[int, Any]:
    """What a block that is made anew holds."""
    try:
        exif = _loaded(block)
        tags = _movable(_plain_tags(exif))
        orientation = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:  # as in `read_metadata`
        return {}
    return _writable(tags | ({ExifTags.Base.Orientation: orientation} if orientation != 1 else {}))


def _loaded(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    if block:
        exif.load(block)
    return exif


def _movable(tags: dict[int, Any]) -> dict[int, Any]:
    """The tags for a block that is made anew: without maker notes that it would damage."""
    inner = tags.get(ExifTags.IFD.Exif, {})
    note = inner.get(exif_block.MAKER_NOTE)
    if note is None or (isinstance(note, bytes) and exif_block.may_move(note)):
        return tags
    return tags | {ExifTags.IFD.Exif: {tag: value for tag, value in inner.items() if tag != exif_block.MAKER_NOTE}}


def _writable(tags: dict[int, Any]) -> dict[int, Any]:
    """Those tags that Pillow can write: some cameras write wrong types, and the rest is worth keeping."""
    exif = Image.Exif()
    exif.update(tags)
    try:
        exif.tobytes()
    except Exception:  # Pillow packs what a tag holds, and raises everything from TypeError to struct.error
        return _sound(tags)
    return tags


def _plain_tags(exif: Image.Exif) -> dict[int, Any]:
    """The tags that say something about the picture, without its orientation."""
    dropped = _STRUCTURE | _OTHERWISE | {ExifTags.Base.Orientation}
    groups = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    return {tag: _group(exif, tag) if tag in groups else exif[tag] for tag in exif if tag not in dropped}


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
    except Exception:  # as in `read_metadata`
        return {}
    return group


def _serialised(tags: dict[int, Any]) -> bytes:
    """An EXIF block of all tags that can be written."""
    tags = _writable(tags)
    exif = Image.Exif()
    exif.update(tags)
    return exif.tobytes() if tags else b""


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


def _is_invented(image: Image.Image, exif: bytes) -> bool:
    """Whether nothing in the file says what Pillow gives as its resolution: 72 for a JPEG with EXIF."""
    is_jpeg = image.format in ("JPEG", "MPO")
    return is_jpeg and not image.info.get("jfif_unit") and not exif_block.holds_resolution(exif)


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


def _comments(image: Image.Image) -> list[bytes]:
    """Of a JPEG or GIF. A JPEG may hold several, of which Pillow gives the last."""
    segments = [content for name, content in getattr(image, "applist", []) if name == "COM"]
    comment = _bytes(image.info.get("comment"))
    return segments or ([comment] if comment else [])


def _xmp(image: Image.Image) -> bytes:
    xmp = _bytes(image.info.get("xmp"))
    if not xmp and isinstance(image, PngImagePlugin.PngImageFile):
        return iptc.raw_profile(image.text.get("Raw profile type xmp", ""))
    return xmp


def _iptc(image: Image.Image) -> tuple[bytes, list[Note]]:
    """IPTC, and what else Photoshop's resources hold that people made. Most describe the old pixels."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return iptc.from_tiff(image.tag_v2._tagdata), []
    if isinstance(image, PngImagePlugin.PngImageFile):
        profiles = (iptc.raw_profile(image.text.get(key, "")) for key in iptc.PNG_KEYWORDS)
        return next((found for profile in profiles if (found := iptc.from_png(profile))), b""), []
    segments = [content for name, content in getattr(image, "applist", []) if name == "APP13"]
    block, others = iptc.from_segments(segments)
    return block, [Note("dropped", name, f"Photoshop's {name} is left out.") for name in others]


def _png_texts(metadata: Metadata) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for key, text in metadata.texts:
        chunks.add_text(key, text, zip=len(text) > _LONG_TEXT)
    if metadata.comment and "Comment" not in dict(metadata.texts):
        chunks.add_text("Comment", metadata.comment.decode("utf-8", "replace"))
    if metadata.xmp:
        chunks.add_itxt(_XMP_KEYWORD, metadata.xmp.decode("utf-8", "replace"), zip=len(metadata.xmp) > _LONG_TEXT)
    if metadata.iptc:
        chunks.add_text(iptc.PNG_KEYWORDS[0], iptc.png_text(metadata.iptc), zip=True)
    return chunks
