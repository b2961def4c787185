"""How a file was compressed, read from the file; and the same as arguments for writing one."""

from collections.abc import Iterator
from math import exp, log
from statistics import fmean
from typing import Any

from PIL import Image, JpegImagePlugin, TiffImagePlugin

from zorse.imaging.deep_heif import bits_per_channel, subsampling
from zorse.imaging.picture import Encoding, Picture

_QUALITY = {"JPEG": 95, "WEBP": 90, "AVIF": 85, "HEIF": 90}
"""Where the file does not say: pictures from other formats, and AVIF and HEIC, which do not tell theirs."""

_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}

_LEAST_SUBSAMPLED = 95
"""JPEG quality from which on colour keeps its full resolution."""


def read_encoding(image: Image.Image, data: bytes) -> Encoding:
    """How a file was compressed.

    Args:
        image: the opened file.
        data: its content.
    """
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        tables = tuple(
            tuple(min(value, 255) for value in image.quantization[key]) for key in sorted(image.quantization)
        )
        return Encoding(
            quantization=tables[:4],
            subsampling=JpegImagePlugin.get_sampling(image),
            progressive=bool(image.info.get("progressive")),
        )
    if image.format == "WEBP":
        return _webp_encoding(data)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return Encoding(tiff_compression=image.tag_v2.get(TiffImagePlugin.COMPRESSION, 1))
    if image.format in ("AVIF", "HEIF"):
        return Encoding(bits=bits_per_channel(data), subsampling=subsampling(data))
    return Encoding()


def encoding_options(picture: Picture, format: str, quality: int | None) -> dict[str, Any]:
    """Compression as arguments for Pillow's `Image.save`: the given quality, else as the picture's file had it."""
    # A result in another format is compressed as a new picture.
    encoding = picture.encoding if picture.format == format else Encoding()
    if format == "JPEG":
        return _jpeg_options(encoding, quality)
    if format == "WEBP" and encoding.lossless and quality is None:
        return {"lossless": True, "exact": True}  # exact: colours under full transparency stay
    if format == "WEBP":
        return {"quality": quality or encoding.quality or _QUALITY[format], "exact": True}
    options: dict[str, Any] = {"quality": quality or _QUALITY[format]} if format in _QUALITY else {}
    if format in ("AVIF", "HEIF") and encoding.subsampling in _SUBSAMPLINGS:
        options["subsampling"] = _SUBSAMPLINGS[encoding.subsampling]
    if format == "HEIF" and picture.colour_tags is not None and picture.colour_tags.cicp is not None:
        primaries, transfer = picture.colour_tags.cicp
        options |= {"color_primaries": primaries, "transfer_characteristics": transfer}
        options |= {"matrix_coefficients": 6, "full_range_flag": 1}  # as pillow-heif writes them without tags
    return options


def _jpeg_options(encoding: Encoding, quality: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {"progressive": True} if encoding.progressive else {}
    if encoding.quantization and quality is None:
        tables = [list(table) for table in encoding.quantization]
        return {**options, "qtables": tables, "subsampling": max(encoding.subsampling, 0)}
    quality = quality or _QUALITY["JPEG"]
    return {**options, "quality": quality, "subsampling": 0 if quality >= _LEAST_SUBSAMPLED else 2}


def _webp_encoding(data: bytes) -> Encoding:
    """From the first picture in a WebP file."""
    for name, content in _chunks(data[12:]):
        if name == b"VP8L":
            return Encoding(lossless=True)
        if name == b"VP8 ":
            return Encoding(quality=_vp8_quality(content))
        if name == b"ANMF":  # a frame: 16 bytes of its own, then chunks again
            return _webp_encoding(data[:12] + content[16:])
    return Encoding()


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a RIFF file."""
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        yield data[position : position + 4], data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2


def _vp8_quality(frame: bytes) -> int | None:
    """The quality of libwebp's scale, 1..100, that gives a key frame's quantiser.

    Source: RFC 6386, sections 9.2 to 9.6 and 19.2; `QualityToCompression` in libwebp's src/enc/quant_enc.c.
    """
    if len(frame) < 20 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    bits = _Vp8Bits(frame[10:400])
    bits.read(2)  # colour space, clamping
    segments = _segment_quantisers(bits) if bits.read(1) else None
    bits.read(1 + 6 + 3)  # loop filter: kind, level, sharpness
    if bits.read(1) and bits.read(1):  # loop filter deltas, and they are given
        for _ in range(8):
            bits.read_optional(6)
    bits.read(2)  # partitions
    base = bits.read(7)
    is_absolute, numbers = segments or (True, [base])
    quantisers = [number if is_absolute else base + number for number in numbers]
    # libwebp spreads the segments around the quality in the logarithm: their geometric mean gives it back.
    compression = fmean(log(max(1 - quantiser / 127, 1e-3)) for quantiser in quantisers)
    cube = exp(3 * compression)
    linear = cube * 1.5 if cube < 0.5 else (cube + 1) / 2
    return max(1, min(100, round(100 * linear)))


def _segment_quantisers(bits: "_Vp8Bits") -> tuple[bool, list[int]] | None:
    """Whether they are absolute, and the quantisers of the four segments; None where they are not given."""
    has_map, has_data = bits.read(1), bits.read(1)
    segments = None
    if has_data:
        is_absolute = bool(bits.read(1))
        segments = is_absolute, [bits.read_optional(7) for _ in range(4)]
        for _ in range(4):  # loop filter levels
            bits.read_optional(6)
    if has_map:
        for _ in range(3):
            if bits.read(1):
                bits.read(8)
    return segments


class _Vp8Bits:
    """VP8's arithmetic decoder for header bits, whose odds are even. Source: RFC 6386, section 7.3."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = int.from_bytes(data[:2], "big")
        self._next = 2
        self._range = 255
        self._shifted = 0

    def read(self, count: int) -> int:
        """An unsigned number of so many bits."""
        number = 0
        for _ in range(count):
            number = 2 * number + self._bit()
        return number

    def read_optional(self, count: int) -> int:
        """A flag, and where it is set a number of so many bits and its sign; 0 where it is not."""
        if not self._bit():
            return 0
        number = self.read(count)
        return -number if self._bit() else number

    def _bit(self) -> int:
        split = 1 + (((self._range - 1) * 128) >> 8)
        bit = int(self._value >= split << 8)
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifted += 1
            if self._shifted == 8:
                self._shifted = 0
                self._value |= self._data[self._next] if self._next < len(self._data) else 0
                self._next += 1
        return bit
