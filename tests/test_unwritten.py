"""What a decoder leaves unwritten never comes out: a damaged file must not show what the memory held before."""

import io
import random
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from zorse.errors import ImageError
from zorse.imaging.io import open_pictures, read_picture

HEIGHT, WIDTH = 96, 128
STRIPS, ROWS_PER_STRIP, COUNTS = 273, 278, 279


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))


def tiff(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", **options)
    return buffer.getvalue()


def with_tag(content: bytes, wanted: int, value: int) -> bytes:
    """The file with another value in a tag of its directory that holds one value, or points to several."""
    changed = bytearray(content)
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length, place = struct.unpack_from("<HHII", content, entry)
        if tag == wanted:
            where = entry + 8 if length == 1 else place
            struct.pack_into("<H" if kind == 3 else "<I", changed, where, value)
            return bytes(changed)
    raise AssertionError(f"no tag {wanted}")


def short_jpeg_strip() -> bytes:
    """One strip for the whole page, of which its JPEG holds only the first 16 rows."""
    strips = tiff(picture(1), compression="jpeg", tiffinfo={ROWS_PER_STRIP: 16})
    return with_tag(strips, ROWS_PER_STRIP, HEIGHT)


def damaged_fax() -> bytes:
    content = bytearray(tiff(picture(2).convert("1"), compression="group4"))
    content[40:80] = bytes(40)
    return bytes(content)


def deep(**options) -> bytes:
    values = np.random.default_rng(3).integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
    settings = [cv2.IMWRITE_TIFF_COMPRESSION, options.get("compression", 8), cv2.IMWRITE_TIFF_ROWSPERSTRIP, 16]
    return cv2.imencode(".tif", values, settings)[1].tobytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (short_jpeg_strip(), "16 rows of 96"),
        (damaged_fax(), "missing"),
        (with_tag(deep(), STRIPS, 2**31), "outside of the file"),
        (with_tag(deep(), COUNTS, 2**30), "outside of the file"),
        (with_tag(deep(), ROWS_PER_STRIP, 2), "pieces are listed"),
        (with_tag(deep(), ROWS_PER_STRIP, 0), "no size"),
    ],
)
def test_a_tiff_whose_pieces_do_not_fit_the_page_is_refused(content, words):
    with pytest.raises(ImageError, match=words):
        read_picture(content)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"])
@pytest.mark.parametrize("rows", [1, 16, HEIGHT, 2**32 - 1])
def test_sound_tiffs_of_every_layout_are_read(compression, rows):
    options = {} if compression is None else {"compression": compression, "tiffinfo": {ROWS_PER_STRIP: rows}}
    np.testing.assert_array_equal(read_picture(tiff(picture(4), **options)).rgb, np.asarray(picture(4)))


def mutated(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    match rng.randrange(3):
        case 0:
            for _ in range(rng.randrange(1, 6)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        case 1:
            start = rng.randrange(8, len(changed))
            changed[start : start + rng.randrange(1, 64)] = b""
        case _:
            (start,) = struct.unpack_from("<I", content, 4)
            (count,) = struct.unpack_from("<H", content, start)
            entry = start + 2 + 12 * rng.randrange(count)
            value = rng.choice((0, 1, 2, 3, 16, 24, 48, 200, len(content) // 2))
            struct.pack_into("<I", changed, entry + rng.choice((4, 8)), value)
    return bytes(changed)


@pytest.mark.parametrize(
    "sound",
    [
        tiff(picture(5), compression="jpeg", tiffinfo={ROWS_PER_STRIP: 16}),
        tiff(picture(5).convert("1"), compression="group4"),
        tiff(picture(5).convert("1"), compression="group3"),
        tiff(picture(5), compression="tiff_lzw"),
        deep(compression=1),
        deep(compression=5),
    ],
    ids=["jpeg", "group4", "group3", "lzw", "deep", "deep-lzw"],
)
def test_what_is_read_never_depends_on_what_was_read_before(sound):
    rng = random.Random(6)
    others = [  # other people's pictures, of the same size
        [tiff(picture(before), compression="jpeg"), deep(), tiff(picture(before), compression="tiff_lzw")]
        for before in (7, 8)
    ]
    read = 0
    for _ in range(60):
        content = mutated(sound, rng)
        results = []
        for before in others:
            for other in before:
                read_picture(other)
            try:
                found = read_picture(content, max_pixels=10**6)
                results.append((found.rgb.tobytes(), None if found.alpha is None else found.alpha.tobytes()))
            except ImageError:
                results.append(None)
        assert results[0] == results[1]
        read += results[0] is not None
    assert 0 < read < 60  # some are sound enough, some are not


@pytest.mark.parametrize("format", ["TIFF", "BMP"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_a_second_decoder_is_asked_about_strangers_files(format, mode, monkeypatch):
    buffer = io.BytesIO()
    picture(10).convert(mode).save(buffer, format)
    with open_pictures(buffer.getvalue(), second_opinion=True) as file:
        np.testing.assert_array_equal(file.frame(0).rgb, read_picture(buffer.getvalue()).rgb)
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *arguments: decode(*arguments)[::-1])
    if mode in ("RGB", "L"):
        with (
            pytest.raises(ImageError, match="two decoders read it differently"),
            open_pictures(buffer.getvalue(), second_opinion=True) as file,
        ):
            file.frame(0)


def test_a_single_piece_may_leave_out_its_size():
    sound = tiff(picture(11), compression="tiff_lzw", tiffinfo={ROWS_PER_STRIP: HEIGHT})
    np.testing.assert_array_equal(read_picture(with_tag(sound, COUNTS, 0)).rgb, np.asarray(picture(11)))


def test_bmps_of_16_bits_are_read_by_one_decoder():
    head = struct.pack("<2sIII", b"BM", 54 + 8, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 0, 8, 0, 0, 0, 0)
    content = head + struct.pack("<4H", 0x7FFF, 0x001F, 0x0000, 0x4210)
    with open_pictures(content, second_opinion=True) as file:
        np.testing.assert_array_equal(file.frame(0).rgb, read_picture(content).rgb)
