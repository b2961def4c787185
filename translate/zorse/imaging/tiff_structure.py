"""Whether the directory of a TIFF page and the data that it points to fit together, before anything is decoded."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from zorse.imaging.jpeg_head import frame
from zorse.imaging.structure import StructureError, damage
from zorse.imaging.tiff_compression import unread_compression
from zorse.imaging.tiff_types import Pieces, is_planar

LOSSLESS = frozenset({1, 5, 8, 32773, 32946})
"""TIFF's numbers of the compressions whose decoders tell when data are missing: none, LZW, deflate, PackBits, old
deflate. Those of JPEG and fax go on in silence."""

_NONE, _JPEG = 1, 7
_JPEGS = (6, _JPEG)
"""TIFF's numbers of these compressions; 6 is an old way of storing JPEG."""

_SUBSAMPLING = 530
"""TIFF's tag YCbCrSubSampling."""

_YCBCR = 6
"""Value of the tag PhotometricInterpretation."""

_MOST_PIECES = 100_000
"""Strips or tiles of a page: scanners write a strip for each row. Decoders take 10 µs for each."""

_SHARED = 2**28
"""Bytes of pieces beyond the file's own: writers let empty tiles share their data, a few bytes each."""

_END_OF_JPEG = b"\xff\xd9"


def check_structure(image: TiffImagePlugin.TiffImageFile, data: bytes) -> Pieces:
    """Makes sure that a page's strips or tiles are all there, inside the file, and as large as the page needs.

    Args:
        image: the opened file, at that page.
        data: its content.

    Returns:
        The pieces that the page needs.

    Raises:
        StructureError: one is missing, lies outside of the file, or holds fewer rows than it has to.
    """
    tags = image.tag_v2
    compression = int(tags.get(TiffImagePlugin.COMPRESSION, _NONE))
    is_ycbcr = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _YCBCR
    if (problem := unread_compression(compression)) is not None:
        raise StructureError(problem)
    if is_ycbcr and compression not in _JPEGS and tags.get(_SUBSAMPLING, (2, 2)) != (1, 1):
        raise StructureError(
            "is a TIFF in YCbCr with colours of half resolution, which cannot be read. Save it as RGB."
        )
    height, width = int(tags[TiffImagePlugin.IMAGELENGTH]), int(tags[TiffImagePlugin.IMAGEWIDTH])
    rows, columns, offsets, sizes = _layout(tags, height, width)
    planes = int(tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)) if is_planar(tags) else 1
    down, across = -(-height // rows), -(-width // columns)
    wanted = down * across * planes
    if wanted > _MOST_PIECES:
        raise StructureError(f"is stored in {wanted} pieces; at most {_MOST_PIECES} are read. Save it again.")
    if len(offsets) < wanted or 0 < len(sizes) < wanted:
        raise StructureError(damage(f"{min(len(offsets), len(sizes) or wanted)} of its {wanted} pieces are listed"))
    top = np.arange(wanted) // across % down * rows
    seen = np.minimum(rows, height - top)
    offsets = offsets[:wanted]
    if compression == _NONE:
        # Some writers give no sizes, or wrong ones, for what is not compressed: there they follow from the page.
        held = rows if TiffImagePlugin.TILEOFFSETS in tags else seen
        beyond = len(data) + 1  # enough to be outside
        sizes = np.minimum(held, beyond) * np.full(wanted, min(-(-columns * _bits_of_pixel(tags) // 8), beyond))
    elif len(sizes) == 0 or (wanted == 1 and sizes[0] == 0):
        # Some leave out the size of a single piece: it goes to the end of the file.
        sizes = len(data) - offsets if wanted == 1 else np.zeros(wanted, np.int64)
    pieces = Pieces(offsets, sizes[:wanted])
    outside = (pieces.sizes <= 0) | (pieces.offsets < 0) | (pieces.offsets + pieces.sizes > len(data))
    if outside.any():
        raise StructureError(damage(f"piece {outside.argmax() + 1} of {wanted} ends outside of the file"))
    if pieces.sizes.sum() > len(data) + _SHARED:
        raise StructureError(damage("its pieces lie one over the other"))
    if compression == _JPEG:
        for number, (offset, size) in enumerate(zip(pieces.offsets, pieces.sizes, strict=True)):
            _check_jpeg(data[offset : offset + size], int(seen[number]), number)
    return pieces


def put_first(content: bytearray, directory: int) -> None:
    """Makes a page of a TIFF the first one, for decoders that read that one alone.

    Args:
        content: of the file, which is changed.
        directory: where the page's directory begins.
    """
    order, is_big = "<" if content.startswith(b"II") else ">", content[2:3] == b"+"
    struct.pack_into(order + ("Q" if is_big else "I"), content, 8 if is_big else 4, directory)


def _bits_of_pixel(tags: Any) -> int:
    """In one piece."""
    bits = _numbers(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    samples = int(tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1))
    if is_planar(tags):
        return int(bits[0])
    return int(bits.sum() if len(bits) == samples else bits[0] * samples)


def _layout(tags: Any, height: int, width: int) -> tuple[int, int, NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of each strip or tile, where they begin, and their sizes in bytes."""
    if TiffImagePlugin.TILEOFFSETS in tags:
        rows, columns = int(tags.get(TiffImagePlugin.TILELENGTH, 0)), int(tags.get(TiffImagePlugin.TILEWIDTH, 0))
        offsets, sizes = TiffImagePlugin.TILEOFFSETS, TiffImagePlugin.TILEBYTECOUNTS
    else:
        rows, columns = min(int(tags.get(TiffImagePlugin.ROWSPERSTRIP, height)), height), width
        offsets, sizes = TiffImagePlugin.STRIPOFFSETS, TiffImagePlugin.STRIPBYTECOUNTS
    if rows <= 0 or columns <= 0:
        raise StructureError(damage("its pieces have no size"))
    return rows, columns, _numbers(tags.get(offsets, ())), _numbers(tags.get(sizes, ()))


def _check_jpeg(content: bytes, rows: int, number: int) -> None:
    """Decoders go on quietly where a JPEG has fewer rows than the strip, or ends early."""
    found = frame(content)
    if found is not None and found[2] < rows:
        raise StructureError(damage(f"piece {number + 1} holds {found[2]} rows of {rows}"))
    if _END_OF_JPEG not in content:
        raise StructureError(damage(f"piece {number + 1} ends early"))


def _numbers(value: Any) -> NDArray[np.int64]:
    try:
        return np.atleast_1d(np.asarray(value)).astype(np.int64)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise StructureError(damage("its directory holds something else than numbers")) from error
