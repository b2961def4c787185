"""PBM, PGM and PPM files whose numbers Pillow takes one by one, written anew as those that it reads at once.

Source: the manual pages pbm(5), pgm(5) and ppm(5) of Netpbm.
"""

import re

import numpy as np
from numpy.typing import NDArray

from zorse.imaging.structure import StructureError

_BLANK = rb"(?:\s|#[^\r\n]*[\r\n])++"
_BITS = re.compile(rb"P([14])" + 2 * (_BLANK + rb"(\d{1,9})") + rb"()\s")
_NUMBERS = re.compile(rb"P([2356])" + 3 * (_BLANK + rb"(\d{1,5})") + rb"\s")
_LONG_HEAD = re.compile(rb"P[1-6]" + _BLANK + rb"(?:#[^\r\n]*)?\Z")
_COMMENT = re.compile(rb"#[^\r\n]*")
_PLAIN = re.compile(rb"[\d\s]*+")

_HEAD = 2**16
"""Bytes in which the numbers of the head have to come."""
_MOST = 2**24
"""Numbers that Pillow takes one by one, a microsecond each."""


def plain_pnm(data: bytes, max_pixels: int | None) -> bytes | None:
    """The same picture as a PNM that Pillow reads at once; None where the file is one, or none at all.

    Args:
        data: the content of the file.
        max_pixels: files with more are left as they are; None for no limit.

    Raises:
        ValueError: there are fewer numbers than pixels, or others than there may be.
        StructureError: it would take too long.
    """
    if not re.match(rb"P[1-6]", data):
        return None
    head = _BITS.match(data[:_HEAD]) or _NUMBERS.match(data[:_HEAD])
    if head is None:
        if len(data) > _HEAD and _LONG_HEAD.match(data[:_HEAD]):
            raise StructureError("is a PNM whose head is nothing but comments. Save it again.")
        return None
    kind, width, height, most = (int(number or 0) for number in head.groups())
    if 0 in (width, height) or (max_pixels is not None and width * height > max_pixels):
        return None
    if kind in (1, 4):
        return _bits(data[head.end() :], width, height) if kind == 1 else None
    count = width * height * (3 if kind in (3, 6) else 1)
    if most > 255 and kind in (3, 6):
        if count > _MOST:
            raise StructureError(f"is a PPM of {count} deep numbers; at most {_MOST} are read. Save it as PNG.")
        return None
    deepest = 65535 if most > 255 else 255
    if not most or most > 65535 or (kind in (5, 6) and most == deepest):
        return None
    numbers = _numbers(data[head.end() :], count, most) if kind in (2, 3) else _stored(data, head.end(), count, most)
    scaled = np.rint(numbers / most * deepest).clip(max=deepest).astype(">u2" if deepest > 255 else "u1")
    return b"P%d %d %d %d\n" % (6 if kind in (3, 6) else 5, width, height, deepest) + scaled.tobytes()


def _bits(body: bytes, width: int, height: int) -> bytes:
    digits = _COMMENT.sub(b"", body).translate(None, b" \t\r\n\v\f")[: width * height]
    bits = np.frombuffer(digits, np.uint8) - ord("0")
    if len(bits) < width * height or bits.max() > 1:
        raise ValueError("it ends early, or holds something else than 0 and 1")
    return b"P4 %d %d\n" % (width, height) + np.packbits(bits.reshape(height, width), axis=1).tobytes()


def _numbers(body: bytes, count: int, most: int) -> NDArray[np.int64]:
    found = _PLAIN.match(_COMMENT.sub(b"", body))
    text = found[0].strip() if found else b""
    numbers = np.fromstring(text, np.int64, sep=" ")[:count] if text else np.zeros(0, np.int64)
    if len(numbers) < count or np.max(numbers) > most:
        raise ValueError(f"it ends early, or holds something else than numbers from 0 to {most}")
    return numbers


def _stored(data: bytes, start: int, count: int, most: int) -> NDArray[np.unsignedinteger]:
    kind = np.dtype(">u2" if most > 255 else "u1")
    if len(data) < start + count * kind.itemsize:
        raise ValueError("it ends early")
    return np.frombuffer(data, kind, count, start)
