"""What PNG, AVIF and HEIC say about their colours in numbers: read from a file, and put into one."""

import re
import struct
import zlib
from itertools import takewhile
from typing import Any

from PIL import Image

from zorse.imaging import png
from zorse.imaging.boxes import item_properties
from zorse.imaging.cicp import CURVES, HDR_TRANSFERS, PRIMARIES, VIDEO_TRANSFERS, rgb_to_xyz
from zorse.imaging.picture import ColourTags, Note

_UNSPECIFIED = 2
"""H.273's number of what is not said."""

_USUAL_PEAK = 1000.0
"""cd/m² of the brightest in an HDR picture that does not say it."""

_RGB = [0, 1]
"""The only matrix that a PNG may name, and the full range of levels, which browsers know alone."""

_CHUNKS = (b"cICP", b"mDCV", b"cLLI", b"iCCP", b"sRGB", b"gAMA", b"cHRM")

Found = tuple[ColourTags | None, tuple[Note, ...]]


def read_colour_tags(image: Image.Image, data: bytes | None) -> Found:
    """The tags by which the image's pixels are to be understood, and what was left out.

    None where the file says nothing, or a profile says it. The order is PNG's (third edition, section 13.13): `cICP`
    before a profile before `sRGB` before `gAMA` and `cHRM`; in AVIF and HEIC a profile is before `nclx`.

    Args:
        image: decoded.
        data: the file's content; None for an image that was made in memory.
    """
    if image.format == "PNG" and data is not None:
        return _png_tags(image, data)
    if image.info.get("icc_profile"):
        return None, ()
    if image.format == "AVIF" and data is not None:
        return _avif_tags(item_properties(data))
    if isinstance(nclx := image.info.get("nclx_profile"), dict):
        return _nclx_tags(nclx["color_primaries"], nclx["transfer_characteristics"], _heif_peak(image))
    if "gamma" in image.info and "srgb" not in image.info:
        return _gamma_tags(image.info["gamma"], image.info.get("chromaticity"), ())
    return None, ()


def with_colour_tags(content: bytes, tags: ColourTags | None, format: str) -> bytes:
    """A written file that says what the tags say.

    Args:
        content: a PNG or AVIF without colour profile; every other format is given back as it is.
        tags: of the picture that was written.
        format: Pillow's name of the file's format.
    """
    if tags is None:
        return content
    if format == "PNG":
        chunks = b"".join(_chunk(name, value) for name, value in tags.chunks or _hdr_chunks(tags))
        return content[: png.HEAD] + chunks + content[png.HEAD :]
    return _with_nclx(content, *tags.cicp) if format == "AVIF" and tags.cicp is not None else content


def _png_tags(image: Image.Image, data: bytes) -> Found:
    before_pixels = takewhile(lambda chunk: chunk[0] != b"IDAT", png.chunks(data))
    chunks = {name: data[start + 8 : end - 4] for name, start, end in before_pixels if name in _CHUNKS}
    notes: tuple[Note, ...] = ()
    if b"cICP" in chunks:
        primaries, transfer, *how = (*chunks[b"cICP"], 0, 0, 0, 0)[:4]
        if how == _RGB and _is_known(primaries, transfer):
            return ColourTags(cicp=(primaries, transfer), peak=_png_peak(chunks), chunks=tuple(chunks.items())), ()
        if (primaries, transfer) != (_UNSPECIFIED, _UNSPECIFIED):
            notes = (_unknown(f"cICP {', '.join(str(number) for number in (primaries, transfer, *how))}"),)
    if image.info.get("icc_profile"):
        return None, notes
    kept = tuple((name, content) for name, content in chunks.items() if name in (b"sRGB", b"gAMA", b"cHRM"))
    if b"sRGB" in chunks:
        return ColourTags(cicp=(1, 13), chunks=kept), notes
    if len(gamma := chunks.get(b"gAMA", b"")) != 4:
        return None, notes
    corners = chunks.get(b"cHRM", b"")
    places = tuple(value / 100_000 for value in struct.unpack(">8I", corners)) if len(corners) == 32 else None
    tags, more = _gamma_tags(int.from_bytes(gamma, "big") / 100_000, places, kept)
    return tags, notes + more


def _gamma_tags(gamma: Any, chromaticities: Any, chunks: tuple[tuple[bytes, bytes], ...]) -> Found:
    places = None if chromaticities is None else tuple(float(value) for value in chromaticities)
    try:
        if not 0.1 <= float(gamma) <= 10:
            raise ValueError(gamma)
        if places is not None:
            rgb_to_xyz((*places[2:8], *places[:2]))  # type: ignore[arg-type]  # eight numbers, or none can be solved
    except ValueError:
        return None, (_unknown("gamma or primaries"),)
    return ColourTags(gamma=float(gamma), chromaticities=places, chunks=chunks), ()


def _avif_tags(properties: dict[bytes, bytes]) -> Found:
    nclx = properties.get(b"colr", b"")
    if len(nclx) < 8:
        return None, ()
    light, display = properties.get(b"clli", b""), properties.get(b"mdcv", b"")
    peaks = [int.from_bytes(light[:2], "big"), int.from_bytes(display[16:20], "big") / 10_000]
    primaries, transfer = struct.unpack_from(">HH", nclx, 4)
    return _nclx_tags(primaries, transfer, next((peak for peak in peaks if peak), _USUAL_PEAK))


def _nclx_tags(primaries: int, transfer: int, peak: float) -> Found:
    if (primaries, transfer) == (_UNSPECIFIED, _UNSPECIFIED):
        return None, ()
    meant = (1 if primaries == _UNSPECIFIED else primaries, 13 if transfer == _UNSPECIFIED else transfer)
    if not _is_known(*meant):
        return None, (_unknown(f"nclx {primaries}, {transfer}"),)
    return ColourTags(cicp=meant, peak=peak), ()


def _is_known(primaries: int, transfer: int) -> bool:
    return primaries in PRIMARIES and transfer in (CURVES.keys() | VIDEO_TRANSFERS | HDR_TRANSFERS)


def _unknown(what: str) -> Note:
    return Note(
        "dropped",
        "colour description",
        f"What the file says about its colours ({what}) is not known here and is left out; they are taken as sRGB, "
        "or as its other descriptions say.",
    )


def _png_peak(chunks: dict[bytes, bytes]) -> float:
    peaks = (chunks.get(b"cLLI", b"")[:4], chunks.get(b"mDCV", b"")[16:20])
    return next((value / 10_000 for peak in peaks if (value := int.from_bytes(peak, "big"))), _USUAL_PEAK)


def _heif_peak(image: Image.Image) -> float:
    level = image.info.get("content_light_level")
    peak = level.get("max_content_light_level") if isinstance(level, dict) else None
    return float(peak or _USUAL_PEAK)


def _with_nclx(content: bytes, primaries: int, transfer: int) -> bytes:
    """An AVIF of Pillow's, which are always called BT.709 and sRGB, with other codes: in its box and in its video.

    Source: AV1 bitstream specification, sections 5.3.2 and 5.5.2.
    """
    codes = struct.pack(">HH", primaries, transfer)
    changed = bytearray(re.sub(rb"(?s)colrnclx....", lambda _: b"colrnclx" + codes, content))
    for found in re.finditer(rb"(?s)\x12\x00\x0a([\x04-\x7f])", content):  # a temporal delimiter, a sequence header
        start, size = found.end(), found[1][0]
        header = int.from_bytes(content[start : start + size], "big")
        for shift in range(8 * size - 25, -1, -1):
            if header >> shift & 0x1FFFFFF == 0x1010D06:  # "colours are described", BT.709, sRGB, BT.601
                header ^= ((1 ^ primaries) << 16 | (13 ^ transfer) << 8) << shift
                changed[start : start + size] = header.to_bytes(size, "big")
                break
    return bytes(changed)


def _hdr_chunks(tags: ColourTags) -> list[tuple[bytes, bytes]]:
    light = [] if tags.peak == _USUAL_PEAK else [(b"cLLI", struct.pack(">II", round(tags.peak * 10_000), 0))]
    return [(b"cICP", bytes([*(tags.cicp or (1, 13)), 0, 1])), *light]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
