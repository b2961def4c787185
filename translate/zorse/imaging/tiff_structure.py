"""Whether the directory of a TIFF page and the data that it points to fit together, before anything is decoded."""

from typing import Any

from PIL import TiffImagePlugin

from zorse.errors import ImageError
from zorse.imaging.jpeg_head import frame
from zorse.imaging.tiff_planes import is_planar

LOSSLESS = frozenset({1, 5, 8, 32773, 32946})
"""TIFF's numbers of the compressions whose decoders tell when data are missing: none, LZW, deflate, PackBits, old
deflate. Those of JPEG and fax go on in silence."""

_NONE, _JPEG = 1, 7
"""TIFF's numbers of these compressions."""

_YCBCR = 6
"""Value of the tag PhotometricInterpretation."""

_MOST_SEGMENTS = 1_000_000


class StructureError(ImageError):
    """A file whose parts contradict each other. The message goes on after the file's name."""


def check_structure(image: TiffImagePlugin.TiffImageFile, data: bytes) -> None:
    """Makes sure that a page's strips or tiles are all there, inside the file, and as large as the page needs.

    Args:
        image: the opened file, at that page.
        data: its content.

    Raises:
        StructureError: one is missing, lies outside of the file, or holds fewer rows than it has to.
    """
    tags = image.tag_v2
    height, width = int(tags[TiffImagePlugin.IMAGELENGTH]), int(tags[TiffImagePlugin.IMAGEWIDTH])
    rows, columns, offsets, sizes = _layout(tags, height, width)
    bits = _numbers(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    samples = int(tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1))
    planes = samples if is_planar(tags) else 1
    down, across = -(-height // rows), -(-width // columns)
    wanted = down * across * planes
    if wanted > _MOST_SEGMENTS:
        raise StructureError(f"is stored in {wanted} pieces; at most {_MOST_SEGMENTS} are read. Save it again.")
    if len(offsets) < wanted or (sizes and len(sizes) < wanted):
        raise StructureError(_damage(f"{min(len(offsets), len(sizes) or wanted)} of its {wanted} pieces are listed"))
    compression = int(tags.get(TiffImagePlugin.COMPRESSION, _NONE))
    # Some writers give no sizes, or wrong ones, for what is not compressed: there they follow from the page.
    bits_of_pixel = sum(bits) if len(bits) == samples and planes == 1 else bits[0] * (samples // planes)
    is_subsampled = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _YCBCR
    is_tiled = TiffImagePlugin.TILEOFFSETS in tags
    for number in range(wanted):
        row = number // across % down
        needed = rows if is_tiled else min(rows, height - row * rows)
        if compression == _NONE and not is_subsampled:
            size = needed * -(-columns * bits_of_pixel // 8)
        else:
            size = sizes[number] if sizes else 0
            if size == 0 and wanted == 1:  # some writers leave out the size of a single piece: to the end of the file
                size = len(data) - offsets[number]
        if size <= 0 or offsets[number] + size > len(data):
            raise StructureError(_damage(f"piece {number + 1} of {wanted} ends outside of the file"))
        if compression == _JPEG:
            _check_jpeg(data[offsets[number] : offsets[number] + size], min(needed, height - row * rows), number)


def _layout(tags: Any, height: int, width: int) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """Rows and columns of each strip or tile, where they begin, and their sizes in bytes."""
    if TiffImagePlugin.TILEOFFSETS in tags:
        rows, columns = int(tags.get(TiffImagePlugin.TILELENGTH, 0)), int(tags.get(TiffImagePlugin.TILEWIDTH, 0))
        offsets, sizes = TiffImagePlugin.TILEOFFSETS, TiffImagePlugin.TILEBYTECOUNTS
    else:
        rows, columns = min(int(tags.get(TiffImagePlugin.ROWSPERSTRIP, height)), height), width
        offsets, sizes = TiffImagePlugin.STRIPOFFSETS, TiffImagePlugin.STRIPBYTECOUNTS
    if rows <= 0 or columns <= 0:
        raise StructureError(_damage("its pieces have no size"))
    return rows, columns, _numbers(tags.get(offsets, ())), _numbers(tags.get(sizes, ()))


def _check_jpeg(content: bytes, rows: int, number: int) -> None:
    """Decoders stop quietly where a JPEG has fewer rows than the strip."""
    found = frame(content)
    if found is not None and found[2] < rows:
        raise StructureError(_damage(f"piece {number + 1} holds {found[2]} rows of {rows}"))


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in value) if isinstance(value, tuple | list) else (int(value),)


def _damage(what: str) -> str:
    return f"is damaged or cut off: {what}. Get or save the file again."
