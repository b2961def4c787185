"""16 bits per channel, which Pillow reduces to 8: read and written with OpenCV."""

import io
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from zorse.errors import ImageError
from zorse.imaging.picture import Pixels
from zorse.imaging.png import HEAD, bit_depth, pixels_only
from zorse.imaging.tiff_planes import decode_planes
from zorse.imaging.tiff_structure import check_structure
from zorse.imaging.tiff_types import is_planar

Deep = tuple[NDArray[np.uint16], NDArray[np.uint16] | None]
"""(H, W, 3) colour and, where there is one, (H, W) alpha."""

_ASSOCIATED_ALPHA = 1
"""Value of TIFF's tag ExtraSamples: the colours are multiplied with the alpha."""

_BAND = 256
"""Rows at a time."""
_SIGNED, _FLOAT = 2, 3
"""Values of TIFF's tag SampleFormat."""
_PPM_HEAD = re.compile(rb"P[36](?:(?:\s|#[^\n]*\n)+(\d{1,9})){3}\s")
"""Magic number, width, height and, as the group, the number that is white."""
_J2K_SIZES = b"\xff\x4f\xff\x51"
"""Begin of a JPEG 2000 codestream; sizes and depths follow."""

_level = threading.Lock()
_quiet_threads = 0
_usual_level = 0


PageFirst = Callable[[], NDArray[np.uint8]]


class DepthError(ImageError):
    """Pixels that cannot be read in their depth. The message goes on after the file's name."""


def decode_deep(image: Image.Image, data: bytes, page_first: PageFirst | None = None) -> Deep | None:
    """16-bit colour, and alpha, of a PNG, PPM or JPEG 2000 or of a page of a TIFF; None for everything else.

    9 to 15 bits are spread over 16.

    Args:
        image: the opened file, at that frame.
        data: its content.
        page_first: gives the content of a TIFF with that page in front, where another one is the first.

    Raises:
        DepthError: OpenCV does not know how the file is compressed.
    """
    if image.mode not in ("RGB", "RGBA", "LA"):
        return None
    white = _white(image, data)
    if white <= 255:
        return None
    if isinstance(image, TiffImagePlugin.TiffImageFile) and has_deep_planes(image):
        return _planes(image, data)
    if image.format == "PNG":
        data = pixels_only(data)
    elif image.format == "PPM":
        data += b"\n"  # OpenCV wants a blank after the last number in letters
    with quiet_opencv():
        content = np.frombuffer(data, np.uint8) if page_first is None else page_first()
        pixels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[1::-1] != image.size:
        raise _too_deep()
    if white < 65535:
        pixels = (pixels.astype(np.uint32) * 65535 // white).astype(np.uint16)
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint16), None
    rgb, alpha = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB).astype(np.uint16), pixels[:, :, 3].astype(np.uint16)
    return _divided(rgb, alpha) if _is_multiplied(image) else rgb, alpha


def decoders_agree(image: Image.Image, deep: Deep) -> bool:
    """Whether Pillow's 8 bits are the upper ones of OpenCV's 16: OpenCV goes on where a strip is damaged.

    Args:
        image: decoded by Pillow.
        deep: the same, decoded by OpenCV.
    """
    rgb = deep[0]
    if image.mode not in ("RGB", "RGBA") or _is_multiplied(image) or has_deep_planes(image):
        return True
    bands = range(0, len(rgb), _BAND)
    for top in bands:
        seen = np.asarray(image.crop((0, top, image.width, min(top + _BAND, len(rgb)))))[:, :, :3]
        if not np.array_equal(seen, rgb[top : top + _BAND] >> 8):
            return False
    return True


def has_deep_planes(image: Image.Image) -> bool:
    """Whether a page of a TIFF has 16 bits and its channels apart: Pillow's pixels are then wrong."""
    tags = _tags(image)
    return is_planar(tags) and max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) > 8


def check_samples(image: Image.Image) -> None:
    """Makes sure that the numbers of a decoded TIFF stand for brightness from black to white.

    Raises:
        DepthError: they are signed, say.
    """
    formats = {*_tags(image).get(TiffImagePlugin.SAMPLEFORMAT, ())}
    if not formats - {1, 4, _FLOAT}:  # unsigned, untyped; floats are refused with their range
        return
    values = np.asarray(image)
    if _SIGNED in formats:
        values = values.view(f"i{values.itemsize}")
        kind = f"signed {8 * values.itemsize}-bit"
    else:
        kind = "complex"
    raise _unknown_white(f"{kind} values from {values.min():g} to {values.max():g}")


def _planes(image: TiffImagePlugin.TiffImageFile, data: bytes) -> Deep:
    try:
        pixels = decode_planes(data, _tags(image), check_structure(image, data))
    except (KeyError, TypeError, SyntaxError) as error:
        raise _too_deep() from error
    if pixels.shape[2] not in (3, 4):
        raise _too_deep()
    rgb = np.ascontiguousarray(pixels[:, :, :3])
    if pixels.shape[2] == 3:
        return rgb, None
    alpha = np.ascontiguousarray(pixels[:, :, 3])
    return _divided(rgb, alpha) if _is_multiplied(image) else rgb, alpha


def _is_multiplied(image: Image.Image) -> bool:
    return bool(_tags(image).get(TiffImagePlugin.EXTRASAMPLES) == (_ASSOCIATED_ALPHA,))


def _too_deep() -> DepthError:
    return DepthError(
        "has 16 bits per channel, of which only 8 can be read here: its compression or its number of channels is "
        "rare. Save it as RGB with LZW or deflate compression, or with 8 bits."
    )


def _unknown_white(what: str) -> DepthError:
    return DepthError(
        f"holds {what}; it is not known which of them is white. Save it with 8 or 16 bits per channel, unsigned."
    )


def _divided(rgb: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Colours that were multiplied with the alpha, as they were before."""
    share = np.maximum(alpha, 1)[:, :, None].astype(np.float32) / 65535
    return np.rint(np.minimum(rgb / share, 65535)).astype(np.uint16)


def deep_grey(image: Image.Image) -> NDArray[np.uint16]:
    """(H, W) of the modes I;16, I and F, where they hold 0..65535.

    Raises:
        DepthError: wider integers and floats have no defined white.
    """
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise _unknown_white(f"{values.dtype} values from {values.min():g} to {values.max():g}")
    values = values.astype(np.uint16)
    tags = _tags(image)
    if tags.get(TiffImagePlugin.BITSPERSAMPLE) == (12,):
        values = (values.astype(np.uint32) * 65535 // 4095).astype(np.uint16)
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:  # white is zero, which Pillow leaves so in 16 bits
        values = np.uint16(65535) - values
    return values


def encode_deep_png(rgb: Pixels, alpha: Pixels | None, options: dict[str, Any]) -> bytes:
    """A 16-bit PNG: the pixels by OpenCV, metadata and profile by Pillow.

    Args:
        rgb: (H, W, 3) uint16.
        alpha: (H, W) uint16 or None.
        options: metadata, as for Pillow's `Image.save`.
    """
    pixels = encode(".png", rgb, alpha)
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG", **options)
    described = buffer.getvalue()
    # What lies between the header and the pixels. These come last, and texts before them may hold any letters.
    first, last = HEAD, described.rindex(b"IDAT") - 4
    return pixels[:first] + described[first:last] + pixels[first:]


def encode(suffix: str, rgb: Pixels, alpha: Pixels | None, options: Sequence[int] = ()) -> bytes:
    """A file of 8 or 16 bits per channel by OpenCV, without metadata.

    Args:
        suffix: ".png" or ".tif".
        rgb: (H, W, 3).
        alpha: (H, W) of the same dtype, or None.
        options: of OpenCV's `imencode`.

    Raises:
        ImageError: it cannot be written.
    """
    pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    if alpha is not None:
        pixels = np.dstack([pixels, alpha])
    with quiet_opencv():
        written, buffer = cv2.imencode(suffix, pixels, list(options))
    if not written:
        height, width = rgb.shape[:2]
        raise ImageError(
            f"A {width}x{height} picture cannot be written as {suffix}. Try another format or a smaller one."
        )
    return buffer.tobytes()


def _white(image: Image.Image, data: bytes) -> int:
    """The number that is white in the file: 65535 of 16 bits; 255 also for what is not looked into."""
    if image.format == "PNG":
        return (1 << bit_depth(data)) - 1
    if image.format == "PPM":
        head = _PPM_HEAD.match(data)
        return int(head[1]) if head else 255
    if image.format == "JPEG2000":
        place = data.find(_J2K_SIZES)
        return (2 << (data[place + 42] & 0x7F)) - 1 if 0 <= place < len(data) - 42 else 255
    return 65535 if all(bits == 16 for bits in _tags(image).get(TiffImagePlugin.BITSPERSAMPLE, (8,))) else 255


def _tags(image: Image.Image) -> Any:
    return image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV prints no warnings of harmless tags. Its level is that of all threads: the last to leave resets it."""
    global _quiet_threads, _usual_level
    with _level:
        if _quiet_threads == 0:
            _usual_level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        _quiet_threads += 1
    try:
        yield
    finally:
        with _level:
            _quiet_threads -= 1
            if _quiet_threads == 0:
                cv2.utils.logging.setLogLevel(_usual_level)
