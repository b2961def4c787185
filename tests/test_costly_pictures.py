"""Files made to cost much: what they cost is bounded by their bytes, and what is too much is refused early."""

import socket
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, PpmImagePlugin, TiffImagePlugin

from odd_files import bmp, chunk, planar_page, saved, tiff
from zorse.confined.messages import receive_bytes
from zorse.errors import ImageError
from zorse.imaging import bmp as run_lengths
from zorse.imaging import gif as gif_frames
from zorse.imaging import png as png_chunks
from zorse.imaging import pnm as plain_numbers
from zorse.imaging import read, tiff_structure
from zorse.imaging.io import encode_pictures, open_pictures, read_picture
from zorse.imaging.read import PictureFile
from zorse_app.limits import Limits, TooLarge


@pytest.fixture
def noise():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))


def strips(height, offset=8, size=1, listed=None):
    """A grey TIFF one pixel wide, with a strip for each row; all strips lie at the same place."""
    count = height if listed is None else listed
    tags = {
        **{256: (4, [1]), 257: (4, [height]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]), 277: (3, [1])},
        **{273: (4, [offset] * count), 278: (4, [1]), 279: (4, [size] * count)},
    }
    return tiff([(tags, [])])


def with_tag(content, tag, number):
    """A little-endian TIFF with another number in a tag of its first page."""
    content = bytearray(content)
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    (place,) = (
        at for at in range(start + 2, start + 2 + 12 * count, 12) if content[at : at + 2] == struct.pack("<H", tag)
    )
    struct.pack_into("<I", content, place + 8, number)
    return bytes(content)


def as_big(content):
    """A little-endian TIFF of one page as a BigTIFF."""
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
    directory, lists, shift = b"", b"", 8
    begin = (len(content) + shift + 7) // 8 * 8
    end = begin + 8 + 20 * count + 8
    for number in range(count):
        tag, kind, length, place = struct.unpack_from("<HHII", content, start + 2 + 12 * number)
        n_bytes = sizes[kind] * length
        value = content[place : place + n_bytes] if n_bytes > 4 else struct.pack("<I", place)[:n_bytes]
        if tag in (TiffImagePlugin.STRIPOFFSETS, TiffImagePlugin.TILEOFFSETS):
            value = struct.pack(f"<{length}I", *(old + shift for old in struct.unpack(f"<{length}I", value)))
        if len(value) > 8:
            value, lists = struct.pack("<Q", end + len(lists)), lists + value
        directory += struct.pack("<HHQ", tag, kind, length) + value.ljust(8, b"\0")
    body = (struct.pack("<2sHHHQ", b"II", 43, 8, 0, begin) + content[8:]).ljust(begin, b"\0")
    return body + struct.pack("<Q", count) + directory + bytes(8) + lists


def refusal(content):
    with pytest.raises(ImageError) as caught, open_pictures(content) as file:
        list(file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Strips and tiles


def test_a_strip_for_each_row_is_usual():
    assert read_picture(strips(20_000)).rgb.shape == (20_000, 1, 3)


def test_more_pieces_than_anybody_writes_are_refused():
    assert "is stored in 100001 pieces; at most 100000 are read" in refusal(strips(100_001))


def test_pieces_that_lie_one_over_the_other_are_refused(monkeypatch):
    monkeypatch.setattr(tiff_structure, "_SHARED", 1000)
    content = with_tag(strips(100, offset=0, size=40), TiffImagePlugin.COMPRESSION, 32773)
    assert len(content) < 3000 < 100 * 40
    assert "its pieces lie one over the other" in refusal(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (strips(10, offset=2**32 - 1), "piece 1 of 10 ends outside of the file"),
        (strips(10, listed=3), "3 of its 10 pieces are listed"),
        (with_tag(strips(10), TiffImagePlugin.ROWSPERSTRIP, 0), "its pieces have no size"),
    ],
)
def test_pieces_that_are_not_there(content, says):
    assert says in refusal(content)


@pytest.mark.parametrize("channels", [3, 4])
def test_deep_channels_that_lie_apart_in_a_bigtiff(channels):
    pixels = np.random.default_rng(1).integers(0, 65536, (11, 7, channels), dtype=np.uint16)
    picture = read_picture(as_big(tiff([planar_page(pixels)])))
    np.testing.assert_array_equal(picture.rgb, pixels[:, :, :3])


def test_a_jpeg_strip_whose_scan_ends_early_is_refused(noise):
    content = bytearray(saved(noise, "TIFF", compression="jpeg"))
    end = content.index(b"\xff\xd9")  # the first; another one ends the tables
    assert read_picture(bytes(content)).rgb.shape == (40, 30, 3)
    content[end - 100 : end + 2] = bytes(102)
    assert "piece 1 ends early" in refusal(bytes(content))


# Frames and pages


def pages(count, **options):
    frames = [Image.new("RGB", (16, 16), (number, 0, 0)) for number in range(count)]
    return saved(frames[0], "TIFF", save_all=True, append_images=frames[1:], **options)


@pytest.mark.parametrize("format", ["TIFF", "GIF", "PNG", "WEBP"])
def test_more_frames_than_anybody_plays_are_refused(format, monkeypatch):
    for module in (read, gif_frames):
        monkeypatch.setattr(module, "MOST_FRAMES", 5)
    frames = [Image.new("RGB", (16, 16), (number * 9, 0, 0)) for number in range(6)]
    contents = [saved(frames[0], format, save_all=True, append_images=frames[1:count]) for count in (5, 6)]
    with open_pictures(contents[0]) as file:
        assert len(list(file)) == 5
    assert "has more than 5 frames or pages. Cut it into several files." in refusal(contents[1])
    assert read_picture(contents[1]).rgb.shape == (16, 16, 3), "one frame of it can be read"


@pytest.mark.parametrize("compression", ["jpeg", "tiff_lzw"])
def test_each_page_is_found_without_going_through_all_before_it(compression, monkeypatch):
    content, opened = pages(8, compression=compression), []
    open_image = Image.open
    monkeypatch.setattr(
        Image, "open", lambda *arguments, **options: opened.append(1) or open_image(*arguments, **options)
    )
    with open_pictures(content) as file:
        reds = [int(picture.rgb[8, 8, 0]) for picture in file]
    assert np.abs(np.subtract(reds, range(8))).max() <= 1
    assert len(opened) <= 2, "once more to decode lossy ones a second time"


@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_pages_are_each_their_own(order, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("it goes through all pages before the one that is wanted")

    monkeypatch.setattr(cv2, "imdecodemulti", refuse)
    rng = np.random.default_rng(2)
    wanted = [rng.integers(0, 65536, (5, 4, 3), dtype=np.uint16) for _ in range(5)]
    content = tiff(
        [
            (
                {
                    **{256: (4, [4]), 257: (4, [5]), 258: (3, [16] * 3), 259: (3, [1]), 262: (3, [2])},
                    **{277: (3, [3]), 278: (4, [5])},
                },
                [page.astype(order + "u2").tobytes()],
            )
            for page in wanted
        ],
        order,
    )
    with open_pictures(content) as file:
        found = [file.frame(number).rgb for number in (0, 3, 1, 4, 2)]
    for number, pixels in zip((0, 3, 1, 4, 2), found, strict=True):
        np.testing.assert_array_equal(pixels, wanted[number])


def test_pages_of_different_sizes_count_as_the_largest():
    small, large = Image.new("RGB", (4, 4)), Image.new("RGB", (90, 50))
    content = saved(small, "TIFF", save_all=True, append_images=[large, small])
    with open_pictures(content) as file:
        assert (file.largest, file.width) == ((90, 50), 4)
    with pytest.raises(ImageError, match="3 frames of 90x50 pixels"), open_pictures(content, max_pixels=13_000):
        pass


def test_small_frames_count_as_larger_ones_on_the_page():
    limits = Limits()
    limits.check_picture(4, 4, 3600)
    with pytest.raises(TooLarge, match="has 3700 frames or pages; this page takes at most 3662"):
        limits.check_picture(4, 4, 3700)
    Limits(pixels=100).check_picture(10, 10)


# Texts


def test_what_texts_unfold_to_is_counted_whether_or_not_they_are_kept(monkeypatch, noise):
    """A thousand texts of which each alone is over the bound must not cost a thousand times the bound."""
    unfolded = []
    count = png_chunks._unpacked
    monkeypatch.setattr(png_chunks, "MAX_TEXT", 100_000)
    monkeypatch.setattr(png_chunks, "_unpacked", lambda *arguments: unfolded.append(count(*arguments)) or unfolded[-1])
    text = zlib.compress(b"x" * 150_000)
    plain = saved(noise, "PNG")
    content = plain[:33] + b"".join(chunk(b"zTXt", b"%d\0\0" % n + text) for n in range(1000)) + plain[33:]
    picture = read_picture(content)
    assert sum(unfolded) < 300_000
    assert [note.what for note in picture.notes] == ["long texts"]


def test_very_many_texts_are_left_out(noise):
    plain = saved(noise, "PNG")
    content = plain[:33] + b"".join(chunk(b"tEXt", b"%d\0x" % n) for n in range(60_000)) + plain[33:]
    picture = read_picture(content)
    assert 10_000 < len(picture.metadata.texts) < 40_000
    assert [note.what for note in picture.notes] == ["long texts"]


def test_packed_texts_are_written_packed(noise):
    text, plain = b"a horse " * 100_000, saved(noise, "PNG")
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + text + b"</x:xmpmeta>"
    content = (
        plain[:33]
        + chunk(b"zTXt", b"Story\0\0" + zlib.compress(text))
        + chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp))
        + plain[33:]
    )
    written = encode_pictures([read_picture(content)], ".png", None)
    assert len(written) < len(content) + 2000
    again = read_picture(written).metadata
    assert (dict(again.texts)["Story"], again.xmp) == (text.decode(), xmp)


# Words


@pytest.mark.parametrize(
    ("number", "name"), [(34887, "LERC"), (50002, "JPEG XL"), (34712, "JPEG 2000"), (34661, "JBIG")]
)
def test_compressions_that_are_not_read_are_named(number, name, noise):
    content = with_tag(saved(noise, "TIFF"), TiffImagePlugin.COMPRESSION, number)
    assert f"is a TIFF that holds {name}, which cannot be read here. Save it with LZW" in refusal(content)


def test_a_compression_that_libtiff_was_built_without_is_named(noise, monkeypatch):
    content = saved(noise, "TIFF", compression="tiff_lzw")
    monkeypatch.setattr("zorse.imaging.tiff_compression._is_configured", lambda: lambda number: 0)
    assert "holds compression 5, which cannot be read here" in refusal(content)


def test_ycbcr_of_half_resolution_is_named(noise):
    content = with_tag(saved(noise, "TIFF"), TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 6)
    assert "is a TIFF in YCbCr with colours of half resolution" in refusal(content)


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (
            b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
            "is a video (MP4 or QuickTime) and not a picture.",
        ),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "is a video (Matroska or WebM)"),
        (b"RIFF\0\0\0\0AVI LIST", "is a video (AVI)"),
        (b"G" + bytes(187), "is a video (a transport stream)"),
    ],
)
def test_videos_are_called_videos(head, says):
    assert says in refusal(head * 5)


def test_what_a_decoder_says_in_several_lines_is_one_sentence(noise, monkeypatch):
    def fail(*arguments):
        raise OSError("first\n  second")

    monkeypatch.setattr(PictureFile, "_decoded", fail)
    assert "(first second)" in refusal(saved(noise, "PNG"))


# Confined processes


def test_what_a_confined_process_sends_is_held_once():
    ours, theirs = socket.socketpair()
    size = 2**24
    content = bytes(size)
    sender = threading.Thread(target=theirs.sendall, args=(content,))
    with ours, theirs:
        sender.start()
        tracemalloc.start()
        try:
            received = receive_bytes(ours, size)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            sender.join()
    assert received == content
    assert most < 1.5 * size


def test_a_confined_process_may_take_little_until_it_is_told_to_work(tmp_path):
    program = """
import resource
from pathlib import Path
from zorse.confined.confines import begin_work, confine
def now():
    names = ("RLIMIT_CPU", "RLIMIT_CORE", "RLIMIT_FSIZE")
    return [resource.getrlimit(getattr(resource, name)) for name in names]
confine(2**33, 600)
before = now()
begin_work(writes_files=False)
print(*before, *now()[::2], sep=";")
try:
    Path("written").write_bytes(b"x")
except OSError as error:
    print(error.strerror)
"""
    pytest.importorskip("resource")
    environment = {"PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)" + program],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        cwd=tmp_path,
    )
    assert ended.stdout.splitlines() == [
        f"(10, 600);(0, 0);(0, {2**35});(600, 600);(0, 0)",
        "File too large",
    ]


# Directories and parts


def directories(pages, shared, kind, tags=20):
    """A TIFF of pages that each name the same bytes under so many tags, of one type."""
    count = len(shared) // {1: 1, 3: 2, 5: 8}[kind]
    usual = {256: (4, [4]), 257: (4, [4]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]), 277: (3, [1]), 278: (4, [4])}
    content, link = bytearray(b"II*\0" + bytes(4) + bytes(16) + shared), 4
    for _ in range(pages):
        struct.pack_into("<I", content, link, len(content))
        entries = [(tag, kind, 1, value) for tag, (kind, (value,)) in usual.items()] + [(273, 4, 1, 8), (279, 4, 1, 16)]
        entries += [(60_000 + number, kind, count, 24) for number in range(tags)]
        content += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
        link = len(content)
        content += bytes(4)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (directories(300, bytes(100_000), 1), "numbers and 2[67][0-9] MB; at most"),
        (directories(30, bytes(100_000), 3), "numbers and [0-9]+ MB; at most 1048576"),
        (directories(30, bytes(100_000), 5), "numbers and [0-9]+ MB; at most 1048576"),
        (directories(1, bytes(8), 3, tags=5000), "has a directory of 5009 tags; at most 4096"),
    ],
)
def test_directories_that_name_the_same_bytes_again_and_again(content, says):
    with pytest.raises(ImageError, match=says), open_pictures(content):
        pass


def test_pages_may_share_a_profile():
    with open_pictures(directories(50, bytes(100_000), 1, tags=2)) as file:
        assert len(list(file)) == 50


def test_a_tile_larger_than_the_picture_counts_as_what_it_unfolds_to():
    tags = {256: (4, [16]), 257: (4, [10]), 258: (3, [8]), 259: (3, [8]), 262: (3, [1]), 277: (3, [1])}
    content = tiff([(tags | {322: (4, [480]), 323: (4, [320])}, [zlib.compress(bytes(480 * 320))])])
    with open_pictures(content) as file:
        assert (file.largest, file.width) == ((480, 320), 16)
        assert file.frame(0).rgb.shape == (10, 16, 3)
    with pytest.raises(ImageError, match="has 480x320 pixels"), open_pictures(content, max_pixels=100_000):
        pass


def heavy_exif():
    """An EXIF block whose tags name the same bytes a thousand times."""
    return b"Exif\0\0" + directories(1, bytes(30_000), 3, tags=1000)


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_exif_that_names_the_same_bytes_again_and_again_is_left_out(format, noise):
    picture = read_picture(saved(noise, format, exif=heavy_exif()))
    assert picture.metadata.exif == b""
    assert "EXIF" in [note.what for note in picture.notes]


def test_a_jpeg_with_such_exif_is_refused(noise):
    assert "has directories that name" in refusal(saved(noise, "JPEG", exif=heavy_exif()))


def repeated(content, part, count, at):
    return content[:at] + part * count + content[at:]


@pytest.mark.parametrize(
    ("format", "part", "at", "says"),
    [
        ("JPEG", b"\xff\xfe\0\3x", 2, "is made of more than [0-9]+ segments"),
        ("JPEG", b"\0", 20, "is made of more than [0-9]+ segments"),
        ("JPEG", b"\xff\xe1\0\10Exif\0\0", 2, "is a JPEG with more than 64 segments of EXIF"),
        ("PNG", chunk(b"aaAa", b""), 33, "is made of more than [0-9]+ chunks"),
        ("GIF", b"!\xfe\0", -1, "is made of more than [0-9]+ blocks"),
        ("GIF", b"!\xfe" + b"\1x" * 10 + b"\0", -1, "is made of more than [0-9]+ blocks"),
        ("GIF", b"\0", -1, "is made of more than [0-9]+ blocks"),
    ],
)
def test_files_that_are_nothing_but_parts_are_refused(format, part, at, says, noise):
    content = saved(noise, format)
    with pytest.raises(ImageError, match=says), open_pictures(repeated(content, part, 130_000, at)):
        pass
    with open_pictures(repeated(content, part, 60, at)) as file:
        assert file.frame(0).rgb.shape == (40, 30, 3)


@pytest.mark.parametrize("channels", ["L", "RGB"])
def test_a_jpeg_of_very_many_scans_is_refused(channels, noise):
    content = saved(noise.convert(channels), "JPEG", progressive=True)
    start = content.rindex(b"\xff\xc4")  # the last scan and its table
    scan = content[start:-2]
    assert read_picture(repeated(content, scan, 80, -2)).rgb.shape == (40, 30, 3)
    assert "is a JPEG of more than 100 scans" in refusal(repeated(content, scan, 100, -2))


# PNM


def pnm(kind, most, numbers):
    """9 x 4 numbers, of a PPM 3 x 4 pixels."""
    head = b"P%d\n# a comment\n%d 4 # another\n" % (kind, 3 if kind in (3, 6) else 9)
    head += b"" if kind in (1, 4) else b"%d\n" % most
    if kind == 1:
        return (
            head
            + b"".join(b"%d" % number for number in numbers[:18])
            + b" # half\n"
            + b" ".join(b"%d" % number for number in numbers[18:])
        )
    if kind in (2, 3):
        return head + b"# before\n" + b"\n".join(b"%d#x\n" % number for number in numbers)
    return head + numbers.astype(">u2" if most > 255 else "u1").tobytes()


@pytest.mark.parametrize(
    ("kind", "most"),
    [(1, 1), *((2, most) for most in (1, 100, 255, 1000, 65535)), (3, 255), (3, 77), (5, 100), (5, 300), (6, 77)],
)
def test_numbers_of_a_pnm_are_taken_at_once_and_are_those_that_pillow_takes(kind, most, monkeypatch):
    numbers = np.random.default_rng(most).integers(0, most + 1, 36)
    content = pnm(kind, most, numbers)
    with monkeypatch.context() as patch:
        patch.setattr(read, "plain_pnm", lambda *arguments: None)
        wanted = read_picture(content).rgb
    monkeypatch.setattr(PpmImagePlugin.PpmPlainDecoder, "decode", None)
    monkeypatch.setattr(PpmImagePlugin.PpmDecoder, "decode", None)
    np.testing.assert_array_equal(read_picture(content).rgb, wanted)
    assert len(np.unique(wanted)) > 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pnm(2, 100, np.arange(36))[:-9], "it ends early"),
        (pnm(2, 20, np.arange(36)), "something else than numbers from 0 to 20"),
        (pnm(2, 100, np.arange(36)).replace(b"17#", b"no#"), "it ends early, or holds something else"),
        (pnm(1, 1, np.arange(36) % 3), "something else than 0 and 1"),
        (pnm(5, 100, np.arange(36))[:-1], "it ends early"),
        (b"P5\n" + b"#\n" * 40_000 + b"1 1 255\n\0", "head is nothing but comments"),
    ],
)
def test_damaged_pnms(content, says):
    assert says in refusal(content)


def test_what_pillow_takes_number_by_number_is_bounded(monkeypatch):
    content = pnm(6, 65535, np.arange(36))
    assert read_picture(content).rgb.dtype == np.uint16
    monkeypatch.setattr(plain_numbers, "_MOST", 35)
    assert "is a PPM of 36 deep numbers; at most 35" in refusal(content)


def test_runs_of_a_bmp_are_bounded(monkeypatch):
    content = bmp(10, 10, 8, 1, b"\1\1" * 50, bytes(1024))
    assert read_picture(content).rgb.shape == (10, 10, 3)
    monkeypatch.setattr(run_lengths, "_MOST_RUNS", 49)
    assert "is a BMP of more than 49 runs of colours" in refusal(content)


def test_very_many_links_in_xmp_are_cut_out_in_one_go(noise):
    link = b"<C:Directory/>"
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:C="http://ns.google.com/photos/1.0/container/">'
        + (link + b"<a>kept</a>") * 3
        + b"</x:xmpmeta>"
    )
    plain = saved(noise, "PNG")
    content = plain[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp) + plain[33:]
    assert read_picture(content).metadata.xmp == xmp.replace(link, b"")
