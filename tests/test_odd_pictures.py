"""Odd picture files are read right, or refused with the right words, and decoders' own lines stay off the terminal."""

import io
import random
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, features

import odd_files
from odd_files import bmp, chunk, gif, grey_page, planar_page, png, run_lengths, saved, tiff, with_process
from zorse.errors import ImageError
from zorse.imaging import avif
from zorse.imaging import png as png_chunks
from zorse.imaging.formats import find_pictures, written_suffix
from zorse.imaging.io import Animation, Picture, encode_pictures, open_pictures, read_picture

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def smooth():
    y, x = np.mgrid[0:40, 0:56]
    return np.dstack([4 * x, 5 * y, 2 * (x + y)]).astype(np.uint8)


def frames_of(content):
    with open_pictures(content) as file:
        return list(file), file.animation()


def rgba(picture):
    opaque = np.full(picture.rgb.shape[:2], 255, picture.rgb.dtype)
    return np.dstack([picture.rgb, opaque if picture.alpha is None else picture.alpha])


def seen(pixels):
    """RGBA whose hidden colours are black."""
    return np.where(pixels[:, :, 3:] > 0, pixels, 0)


# TIFF ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("compression", "predictor"), [(1, 1), (5, 1), (5, 2), (8, 1), (8, 2), (32773, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_channels_that_lie_apart(dtype, compression, predictor, channels, order, tile, rng):
    pixels = rng.integers(0, np.iinfo(dtype).max, (23, 37, channels), dtype=dtype, endpoint=True)
    picture = read_picture(tiff([planar_page(pixels, order, compression, predictor, tile)], order))
    assert picture.rgb.dtype == dtype
    np.testing.assert_array_equal(picture.rgb, pixels[:, :, :3])
    assert (picture.alpha is None) == (channels == 3)
    if channels == 4:
        np.testing.assert_array_equal(picture.alpha, pixels[:, :, 3])


def test_pages_whose_channels_lie_apart(rng):
    pages = [rng.integers(0, 65536, (9, width, 3), dtype=np.uint16) for width in (5, 8, 3)]
    pictures, _ = frames_of(tiff([planar_page(page) for page in pages]))
    for picture, page in zip(pictures, pages, strict=True):
        np.testing.assert_array_equal(picture.rgb, page)


def test_channels_that_lie_apart_are_turned_upright(rng):
    pixels = rng.integers(0, 65536, (6, 9, 3), dtype=np.uint16)
    picture = read_picture(tiff([planar_page(pixels, t274=(3, [6]))]))
    np.testing.assert_array_equal(picture.rgb, np.rot90(pixels, -1))


def test_deep_pixels_are_never_trusted_unseen(monkeypatch, rng):
    written, content = cv2.imencode(".tif", rng.integers(0, 65536, (9, 7, 3), dtype=np.uint16))
    assert written
    read_picture(content.tobytes())
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *arguments: decode(*arguments)[::-1])
    with pytest.raises(ImageError, match="some of its pixels are missing"):
        read_picture(content.tobytes())


@pytest.mark.parametrize(("dtype", "says"), [(np.int8, "signed 8-bit values from -128 to 127"), (np.int16, "signed")])
def test_signed_numbers_have_no_known_white(dtype, says):
    pixels = np.linspace(-128, 127, 12).round().astype(dtype).reshape(3, 4)
    with pytest.raises(ImageError, match=f"{says}.*not known which of them is white"):
        read_picture(tiff([grey_page(pixels, t339=(3, [2]))]))


@pytest.mark.parametrize(
    "content",
    [
        tiff([grey_page(np.zeros((4, 6), np.uint8), t50706=(1, [1, 4, 0, 0]))]),
        tiff([grey_page(np.zeros((4, 6), np.uint8), t262=(3, [32803]))]),
        tiff([grey_page(np.zeros((4, 6), np.uint8), t262=(3, [34892]))], ">"),
        tiff([grey_page(np.zeros((4, 6), np.uint8)), grey_page(np.zeros((9, 9), np.uint8), t259=(3, [34713]))]),
        b"FUJIFILMCCD-RAW 0201",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
        b"IIU\0\x18\0\0\0",
        b"IIRO\x08\0\0\0",
        b"II*\0\x10\0\0\0CR\2\0",
    ],
)
def test_raw_photos_are_to_be_developed(content):
    with pytest.raises(ImageError, match=r"is a raw photo.*Develop it first"):
        read_picture(content)


def test_the_preview_of_a_picture_inside_is_not_the_picture():
    small, large = np.zeros((4, 6), np.uint8), np.zeros((16, 24), np.uint8)
    content = bytearray(tiff([grey_page(small, t254=(4, [1]), t330=(4, [0])), grey_page(large, t254=(4, [0]))]))
    (first,) = struct.unpack_from("<I", content, 4)
    count = struct.unpack_from("<H", content, first)[0]
    link = first + 2 + 12 * count
    place = next(first + 2 + 12 * n for n in range(count) if content[first + 2 + 12 * n :][:2] == b"\x4a\1")
    content[place + 8 : place + 12], content[link : link + 4] = content[link : link + 4], bytes(4)
    with pytest.raises(ImageError, match="is a raw photo"):
        read_picture(bytes(content))
    # A smaller version inside of a whole picture is none of this.
    content = content.replace(b"\xfe\0\4\0\1\0\0\0\1", b"\xfe\0\4\0\1\0\0\0\0")
    assert read_picture(bytes(content)).rgb.shape == (4, 6, 3)


# GIF -----------------------------------------------------------------------------------------------------------------


@st.composite
def gifs(draw):
    """Size, frames and palette of a GIF."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    shared = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    frames = []
    for number in range(draw(st.integers(1, 5))):
        own = draw(st.booleans())
        columns, rows = draw(st.integers(1, width)), draw(st.integers(1, height))
        frame = {
            "left": draw(st.integers(0, width - columns if number == 0 else width)),
            "top": draw(st.integers(0, height - rows if number == 0 else height)),
            "numbers": rng.integers(0, draw(st.sampled_from([3, 256])), (rows, columns)),
            "disposal": draw(st.integers(0, 3)),
            "clear": draw(st.sampled_from([None, 0, 2])),
            "duration": draw(st.integers(0, 300)),
            "interlaced": draw(st.booleans()),
        }
        frames.append(frame | ({"palette": rng.integers(0, 256, (256, 3), dtype=np.uint8)} if own else {}))
    return width, height, frames, shared


@settings(max_examples=150, deadline=None)
@given(gifs(), st.sampled_from([None, 0, 3]))
def test_gifs_look_as_in_browsers(made, loop):
    width, height, frames, palette = made
    pictures, animation = frames_of(gif(width, height, frames, palette, loop))
    wanted = odd_files.shown(width, height, frames, palette)
    assert len(pictures) == len(frames)
    for picture, pixels in zip(pictures, wanted, strict=True):
        np.testing.assert_array_equal(seen(rgba(picture)), pixels)
        assert (picture.alpha is None) == bool((pixels[:, :, 3] == 255).all())
    if len(frames) > 1:
        assert animation.plays == {None: 1, 0: 0, 3: 4}[loop]
        assert animation.durations == tuple(10.0 * frame["duration"] for frame in frames)


@st.composite
def films(draw):
    """Frames of few colours, some of them transparent or alike."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    height, width, count = draw(st.integers(1, 10)), draw(st.integers(1, 10)), draw(st.integers(2, 6))
    colours = np.array([[0, 0, 0, 255], [255, 255, 255, 255], [200, 30, 40, 255], [0, 0, 0, 0]], np.uint8)
    kinds = draw(st.sampled_from([3, 4]))
    frames = [colours[rng.integers(0, kinds, (height, width))] for _ in range(count)]
    for number in draw(st.lists(st.integers(1, count - 1), max_size=2)):
        frames[number] = frames[number - 1].copy()
        frames[number][: height // 2] = colours[draw(st.integers(0, kinds - 1))]
    return frames


@settings(max_examples=150, deadline=None)
@given(films(), st.integers(0, 4))
def test_written_gifs_look_the_same(frames, plays):
    pictures = [Picture(frame[:, :, :3].copy(), frame[:, :, 3].copy()) for frame in frames]
    durations = tuple(10.0 * (3 + number) for number in range(len(frames)))
    again, animation = frames_of(encode_pictures(pictures, ".gif", Animation(durations, plays)))
    time, shown = 0.0, []
    for picture, duration in zip(again, animation.durations if animation else [sum(durations)], strict=True):
        shown.append((time, seen(rgba(picture))))
        time += duration
    assert time == sum(durations)  # equal frames may be joined
    for number, frame in enumerate(frames):
        start = sum(durations[:number])
        np.testing.assert_array_equal(next(pixels for begin, pixels in reversed(shown) if begin <= start), seen(frame))
    assert animation is None or animation.plays == plays


def test_an_opaque_alpha_channel_makes_no_holes(smooth):
    opaque = np.full(smooth.shape[:2], 255, np.uint8)
    frames = [Picture(smooth, opaque), Picture(np.ascontiguousarray(smooth[::-1]), opaque)]
    content = encode_pictures(frames, ".gif")
    assert all(picture.alpha is None for picture in frames_of(content)[0])
    assert b"!\xf9\4\x08" not in content  # no disposal 2


def test_what_a_first_frame_leaves_uncovered_is_transparent():
    palette = np.zeros((256, 3), np.uint8)
    frames = [{"left": 2, "top": 2, "numbers": np.zeros((3, 3), int)} for _ in range(2)]
    pictures, _ = frames_of(gif(8, 8, frames, palette))
    assert [np.count_nonzero(picture.alpha == 0) for picture in pictures] == [55, 55]


def test_frames_beside_the_canvas_leave_it_opaque():
    beside = {"left": 0, "top": 1, "numbers": np.array([[0]]), "disposal": 2, "clear": None, "duration": 0}
    frames = [{**beside, "top": 0, "disposal": 0}, beside, {**beside, "disposal": 0}]
    palette = np.full((256, 3), 95, np.uint8)
    pictures, _ = frames_of(gif(1, 1, [{**frame, "interlaced": False} for frame in frames], palette, None))
    assert [picture.alpha for picture in pictures] == [None] * 3


def test_a_frame_larger_than_its_gif_is_a_bomb_too():
    palette, small = np.zeros((256, 3), np.uint8), {"left": 0, "top": 0, "numbers": np.zeros((1, 1), int)}
    content = gif(1, 1, [small, small], palette)
    place = content.rindex(b",")
    content = content[: place + 5] + struct.pack("<HH", 60000, 60000) + content[place + 9 :]
    with pytest.raises(ImageError, match="2 frames of 60000x60000"), open_pictures(content):
        pass


# AVIF ----------------------------------------------------------------------------------------------------------------


@needs_avif
@pytest.mark.parametrize("plays", [0, 1, 2, 7])
def test_avifs_keep_how_often_they_are_played(plays, smooth):
    frames = [Picture(smooth), Picture(np.ascontiguousarray(smooth[::-1]))]
    pictures, animation = frames_of(encode_pictures(frames, ".avif", Animation((100.0, 250.0), plays)))
    assert animation == Animation((100.0, 250.0), plays)
    assert len(pictures) == 2


@needs_avif
@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize("size", [(40, 56), (33, 47), (1, 1)])
def test_avifs_of_early_encoders(size, is_split, rng):
    sound = saved(Image.fromarray(rng.integers(0, 256, (*size, 4), dtype=np.uint8)), "AVIF")
    place = sound.index(b"ipma") - 4
    owned = sound[place : place + 30]
    assert owned.hex() == "0000001e69706d61000000000000000200010401028304000204" + "01058607"
    if is_split:  # two boxes of one kind, which the standard forbids
        first, second = owned[16:23], owned[23:30]
        boxes = [struct.pack(">I4sII", 23, b"ipma", 0, 1) + part for part in (first, second)]
        broken = _with_larger_meta(sound, place, owned, b"".join(boxes))
    else:  # the alpha has its depth twice, and no size
        broken = sound.replace(owned[23:30], bytes.fromhex("00020405058607"))
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO(broken))
    np.testing.assert_array_equal(rgba(read_picture(broken)), rgba(read_picture(sound)))
    assert avif.repaired(sound) is None


def _with_larger_meta(data, place, old, new):
    """An AVIF with another box in its directory; what it says of places in the file is put right."""
    grown = len(new) - len(old)
    changed = bytearray(data[:place] + new + data[place + len(old) :])
    for name in (b"meta", b"iprp"):
        at = changed.index(name) - 4
        changed[at : at + 4] = (int.from_bytes(changed[at : at + 4], "big") + grown).to_bytes(4, "big")
    at = changed.index(b"iloc") + 4
    for entry in (at + 8 + 6, at + 8 + 14 + 6):
        changed[entry : entry + 4] = (int.from_bytes(changed[entry : entry + 4], "big") + grown).to_bytes(4, "big")
    return bytes(changed)


# PNG -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_in_the_files_depth(bits):
    levels = np.arange(16).reshape(4, 4) % 2**bits * (4097 if bits == 16 else 1)
    clear = int(levels[1, 2])
    packed = "".join(f"{level:0{bits}b}" for level in levels.ravel())
    rows = [int(packed[4 * bits * y : 4 * bits * (y + 1)].ljust(8, "0"), 2) for y in range(4)]
    rows = [row.to_bytes(max(1, bits // 2), "big") for row in rows]
    spare = 0 if bits == 16 else 1 << bits  # bits beyond the depth count for nothing
    picture = read_picture(png(4, 4, bits, 0, rows, chunk(b"tRNS", struct.pack(">H", clear | spare))))
    np.testing.assert_array_equal(picture.alpha == 0, levels == clear)
    most = 65535 if bits == 16 else 255
    np.testing.assert_array_equal(picture.rgb[:, :, 0], levels * most // (2**bits - 1))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_colour_is_in_the_files_depth(bits, rng):
    pixels = rng.integers(0, 2**bits, (5, 6, 3)).astype(f">u{bits // 8}")
    clear = struct.pack(">3H", *(int(level) for level in pixels[2, 3]))
    picture = read_picture(png(6, 5, bits, 2, [row.tobytes() for row in pixels], chunk(b"tRNS", clear)))
    np.testing.assert_array_equal(picture.alpha == 0, (pixels == pixels[2, 3]).all(axis=2))
    np.testing.assert_array_equal(picture.rgb, pixels)


def test_a_transparent_palette_of_few_bits():
    colours, alphas = chunk(b"PLTE", bytes(range(12))), chunk(b"tRNS", bytes([0, 128, 255]))
    picture = read_picture(png(4, 1, 2, 3, [b"\x1b"], colours, alphas))
    np.testing.assert_array_equal(picture.alpha, [[0, 128, 255, 255]])


@pytest.mark.parametrize("kind", ["iTXt", "zTXt"])
@pytest.mark.parametrize("is_late", [False, True])
def test_long_texts_are_kept(kind, is_late, smooth):
    text = "a horse " * 400_000
    packed = zlib.compress(text.encode())
    content = b"Story\0\0" + packed if kind == "zTXt" else b"Story\0\1\0\0\0" + packed
    plain = saved(Image.fromarray(smooth), "PNG")
    place = len(plain) - 12 if is_late else 33
    picture = read_picture(plain[:place] + chunk(kind.encode(), content) + plain[place:])
    assert dict(picture.metadata.texts)["Story"] == text
    assert not picture.notes
    assert PngImagePlugin.MAX_TEXT_CHUNK == 2**20


def test_texts_beyond_the_bound_are_left_out(monkeypatch, smooth):
    monkeypatch.setattr(png_chunks, "MAX_TEXT", 3_000_000)  # Pillow's own bound stays wider
    texts = [chunk(b"zTXt", b"%d\0\0" % n + zlib.compress(b"x" * 1_400_000)) for n in range(3)]
    plain = saved(Image.fromarray(smooth), "PNG")
    picture = read_picture(plain[:33] + b"".join(texts) + plain[33:])
    assert [key for key, _ in picture.metadata.texts] == ["0", "1"]
    assert [(note.outcome, note.what) for note in picture.notes] == [("dropped", "long texts")]
    np.testing.assert_array_equal(picture.rgb, smooth)


# BMP and other formats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [4, 8])
def test_run_lengths_with_jumps(bits):
    for seed in range(60):
        rng = np.random.default_rng(seed)
        width, height = rng.integers(1, 40, 2)
        palette = rng.integers(0, 256, (2**bits, 4), dtype=np.uint8)
        content, numbers = run_lengths(width, height, bits, rng)
        file = bmp(width, height, bits, {8: 1, 4: 2}[bits], content, palette.tobytes())
        np.testing.assert_array_equal(read_picture(file).rgb, palette[np.maximum(numbers, 0)][:, :, 2::-1])


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, ()),
        (16, (0xF800, 0x7E0, 0x1F)),
        (16, (0x7C00, 0x3E0, 0x1F)),
        (16, (0xF00, 0xF0, 0xF)),
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
        (32, ()),
        (32, (0xFF0000, 0xFF00, 0xFF)),
        (32, (0xFF00, 0xFF0000, 0xFF000000)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    ],
)
@pytest.mark.parametrize("is_top_down", [False, True])
def test_colours_under_masks(bits, masks, is_top_down, rng):
    stored = rng.integers(0, 2**bits, (7, 14), dtype=np.uint64).astype(f"<u{bits // 8}")
    content = bmp(14, -7 if is_top_down else 7, bits, 3 if masks else 0, stored.tobytes(), masks=masks)
    picture = read_picture(content)
    pixels = (stored if is_top_down else stored[::-1]).astype(np.int64)
    used = masks or {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}[bits]
    levels = [np.rint((pixels & mask) * (255 / mask)) for mask in used]
    assert np.abs(picture.rgb - np.dstack(levels[:3])).max() <= 1
    assert (picture.alpha is None) == (len(masks) < 4)
    if len(masks) == 4:
        np.testing.assert_array_equal(picture.alpha, levels[3])


def _bmp_with_alpha(image):
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    return bmp(image.width, -image.height, 32, 3, image.tobytes("raw", "BGRA"), masks=masks)


@pytest.mark.parametrize("encode", [_bmp_with_alpha, lambda image: saved(image, "TGA")])
def test_alpha_that_is_zero_everywhere_is_none(encode, smooth):
    image = Image.fromarray(smooth)
    image.putalpha(0)
    picture = read_picture(encode(image))
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.rgb, smooth)
    image.putpixel((0, 0), (1, 2, 3, 4))
    assert read_picture(encode(image)).alpha[0, 0] == 4


@pytest.mark.parametrize(
    ("format", "options"),
    [("TGA", {}), ("TGA", {"compression": "tga_rle"}), ("JPEG2000", {"irreversible": False}), ("PPM", {})],
)
def test_formats_that_are_only_read(format, options, smooth):
    picture = read_picture(saved(Image.fromarray(smooth), format, **options))
    np.testing.assert_array_equal(picture.rgb, smooth)
    assert picture.format == format


def test_an_old_tga_is_known_by_its_name(tmp_path, smooth):
    content = saved(Image.fromarray(smooth), "TGA")[:-26]
    with pytest.raises(ImageError, match="not a picture"):
        read_picture(content)
    (tmp_path / "old.tga").write_bytes(content)
    np.testing.assert_array_equal(read_picture(tmp_path / "old.tga").rgb, smooth)


@pytest.mark.parametrize("white", [255, 1023, 65535])
def test_pnm_keeps_its_depth(white, rng):
    levels = rng.integers(0, white + 1, (5, 6, 3))
    content = b"P6 # made\n6 5\n%d\n" % white + levels.astype(">u2" if white > 255 else "u1").tobytes()
    most = 65535 if white > 255 else 255
    np.testing.assert_array_equal(read_picture(content).rgb, levels * most // white)


@pytest.mark.parametrize("channels", [3, 4])
def test_jpeg_2000_keeps_its_depth(channels, rng):
    pixels = rng.integers(0, 65536, (64, 80, channels), dtype=np.uint16)
    bgr = pixels[:, :, [2, 1, 0, 3][:channels]]
    written, content = cv2.imencode(".jp2", bgr, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    assert written
    picture = read_picture(content.tobytes())
    np.testing.assert_array_equal(picture.rgb, pixels[:, :, :3])
    if channels == 4:
        np.testing.assert_array_equal(picture.alpha, pixels[:, :, 3])


@pytest.mark.parametrize(
    ("suffix", "written"),
    [
        *((suffix, ".png") for suffix in (".tga", ".jp2", ".j2k", ".pbm", ".pgm", ".ppm", ".pnm")),
        (".mpo", ".jpg"),
        *((suffix, suffix) for suffix in (".jpe", ".dib", ".JFIF")),
    ],
)
def test_suffixes_that_are_found(tmp_path, suffix, written):
    (tmp_path / f"a{suffix}").write_bytes(b"")
    assert find_pictures(tmp_path) == [tmp_path / f"a{suffix}"]
    assert written_suffix(suffix) == written


def test_the_content_and_not_the_name_tells_the_format(tmp_path, smooth):
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(smooth), "PNG"))
    assert read_picture(tmp_path / "a.jpg").format == "PNG"


# Words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\x0a\xfa\x7f", "a JPEG XL picture, which Zorse does not read"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"%PDF-1.7\n", "a PDF file"),
        (b"gimp xcf v011", "a GIMP file"),
        (b"v/1\1\2\0\0\0", "an OpenEXR picture"),
        (b"#?RADIANCE\n", "a Radiance HDR picture"),
        (b"\0\0\1\0\1\0", "a Windows icon"),
        (b"\n\5\1\x08", "a PCX picture"),
        (b"qoif\0\0\0\1", "a QOI picture"),
        (b"P7\nWIDTH 3\n", "a PAM picture"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"<!DOCTYPE html><title>404</title>", "a web page.*download"),
        (b"PK\3\4\x14\0", "a ZIP archive.*Unpack"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"CgBI", bytes(4)), "a PNG for iPhone programs"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF or HEIC picture that is damaged or cut off, or of a kind"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "damaged or cut off"),
        (b"nothing of all this", "not a picture"),
    ],
)
def test_other_kinds_are_called_by_their_name(content, says):
    with pytest.raises(ImageError, match=says):
        read_picture(content)


@pytest.mark.parametrize(
    ("marker", "bits", "says"),
    [(0xC3, 8, "a lossless JPEG"), (0xC1, 12, "a JPEG of 12 bits per channel"), (0xCB, 8, "a lossless JPEG")],
)
def test_rare_jpegs_are_not_called_damaged(marker, bits, says, smooth):
    with pytest.raises(ImageError, match=f"is {says}, which Zorse does not read"):
        read_picture(with_process(saved(Image.fromarray(smooth), "JPEG"), marker, bits))


def test_a_bmp_of_a_rare_kind_is_not_called_damaged():
    with pytest.raises(ImageError, match="stored in a way that Zorse does not read, or is damaged"):
        read_picture(bmp(4, 4, 24, 4, bytes(48)))


# Damaged files -------------------------------------------------------------------------------------------------------


def seeds():
    """A small file of each kind."""
    y, x = np.mgrid[0:40, 0:56]
    pixels = np.dstack([4 * x, 5 * y, 2 * (x + y), 12 * x]).astype(np.uint8)
    image, flat = Image.fromarray(pixels), Image.fromarray(pixels[:, :, :3])
    deep = pixels[:, :, :3].astype(np.uint16) * 257
    exif = Image.Exif()
    exif[270] = "a horse"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    files = {
        "jpg": saved(flat, "JPEG", exif=exif),
        "png": saved(image, "PNG", exif=exif),
        "apng": saved(image, "PNG", save_all=True, append_images=[image.rotate(180)]),
        "gif": saved(flat.quantize(), "GIF", save_all=True, append_images=[flat.rotate(180).quantize()]),
        "webp": saved(image, "WEBP", save_all=True, append_images=[image.rotate(180)]),
        "bmp": bmp(14, 7, 16, 3, bytes(range(196)), masks=(0xF00, 0xF0, 0xF, 0xF000)),
        "rle": bmp(40, 30, 4, 2, run_lengths(40, 30, 4, np.random.default_rng(0))[0], bytes(range(64))),
        "tga": saved(image, "TGA", compression="tga_rle"),
        "jp2": saved(flat, "JPEG2000"),
        "ppm": saved(flat, "PPM"),
        "png16": cv2.imencode(".png", deep)[1].tobytes(),
        "tiff16": cv2.imencode(".tif", deep)[1].tobytes(),
        "planar": tiff([planar_page(deep, compression=8)]),
        **{name: saved(flat, "TIFF", compression=name) for name in ("tiff_lzw", "jpeg", "tiff_adobe_deflate")},
        "fax": saved(flat.convert("1"), "TIFF", compression="group4"),
    }
    if features.check("avif"):
        files["avif"] = saved(image, "AVIF")
        files["avif10"] = cv2.imencode(".avif", deep >> 6, [cv2.IMWRITE_AVIF_DEPTH, 10])[1].tobytes()
    return files


def damaged(content, random):
    content = bytearray(content)
    for _ in range(random.choice([1, 1, 2, 4, 10])):
        place = random.randrange(len(content) if random.random() < 0.5 else min(len(content), 120))
        content[place] = random.choice([0, 255, random.randrange(256), content[place] ^ 1 << random.randrange(8)])
    return bytes(content[: random.randrange(len(content))] if random.random() < 0.2 else content)


@pytest.mark.parametrize("kind", seeds())
def test_damaged_files_are_read_or_refused_without_a_word_of_the_decoders(kind, capfd, recwarn):
    content = seeds()[kind]
    frames_of(content)
    for number in range(60):
        try:
            with open_pictures(damaged(content, random.Random(f"{kind} {number}")), 3_000_000) as file:
                list(file)
        except ImageError:
            pass
    assert capfd.readouterr() == ("", "")


def test_what_pillow_says_of_bad_exif_stays_off_the_terminal(smooth):
    exif = Image.Exif()
    exif[270] = "a horse on a meadow"
    content = bytearray(saved(Image.fromarray(smooth), "JPEG", exif=exif))
    content[content.index(b"MM\0*") + 14] = 255  # the text is longer than the file
    program = "import sys; from zorse.imaging.io import read_picture; read_picture(sys.stdin.buffer.read())"
    run = subprocess.run([sys.executable, "-c", program], input=bytes(content), capture_output=True, check=True)
    assert (run.stdout, run.stderr) == (b"", b"")
    with pytest.warns(UserWarning, match="Truncated"):  # which Pillow does say something of
        read_picture(bytes(content))


def test_bad_exif_is_no_reason_to_refuse(smooth, recwarn):
    exif = Image.Exif()
    exif[270] = "a horse"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    content = saved(Image.fromarray(smooth), "JPEG", exif=exif)
    start = content.index(b"Exif\0\0")
    end = start + int.from_bytes(content[start - 2 : start], "big") - 2
    wanted = read_picture(content).rgb
    for seed in range(200):
        changed = random.Random(seed)
        broken = bytearray(content)
        for _ in range(changed.choice([1, 2, 5, 20])):
            broken[changed.randrange(start + 6, end)] = changed.choice([0, 255, changed.randrange(256)])
        picture = read_picture(bytes(broken))
        assert sorted(picture.rgb.shape) == sorted(wanted.shape)
