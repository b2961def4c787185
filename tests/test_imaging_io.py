"""Every kind of picture is read as it is meant, written as it came, and refused with a reason when it is broken."""

import io
import struct
import sys
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from zorse.errors import ImageError
from zorse.imaging.io import (
    MAX_PIXELS,
    Metadata,
    Picture,
    encode_picture,
    encode_pictures,
    find_pictures,
    open_pictures,
    picture_from_pil,
    picture_to_pil,
    read_picture,
    to_uint8,
    write_picture,
)

ORIENTATION = 0x0112
DESCRIPTION = 0x010E


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)


@pytest.fixture
def smooth():
    """Colours well inside every gamut, so that profile conversions are not clipped."""
    y, x = np.mgrid[0:24, 0:32]
    return np.dstack([80 + 3 * x, 90 + 2 * y, 100 + x + y]).astype(np.uint8)


def png(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def wide_gamut_profile():
    """A minimal ICC profile: primaries of Display P3, gamma 2.2."""

    def fixed(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Wide\0" + b"\0" * 78 + b"\0" * 3,
        b"cprt": b"text\0\0\0\0None\0\0\0\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2919, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1572, 0.0666, 0.7841),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    offset, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", offset + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"\0" * 4, 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    return head.ljust(128, b"\0") + table + body


# Reading -------------------------------------------------------------------------------------------------------------


def test_paths_bytes_and_files_give_the_same_pixels(tmp_path, pixels):
    file = tmp_path / "a.png"
    Image.fromarray(pixels).save(file)
    for source in (file, str(file), file.read_bytes(), io.BytesIO(file.read_bytes())):
        picture = read_picture(source)
        np.testing.assert_array_equal(picture.rgb, pixels)
        assert picture.alpha is None
        assert picture.format == "PNG"


def test_the_only_frame_comes_without_the_file(pixels):
    class Reader:
        def __init__(self, content):
            self.content = content

        def read(self):
            return self.content

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    reader = Reader(buffer.getvalue())
    references = [sys.getrefcount(reader.content)]
    with open_pictures(reader) as file:
        references.append(sys.getrefcount(reader.content))
        (picture,) = file.only_frame()
        references.append(sys.getrefcount(reader.content))
        assert references[0] == references[2] < references[1]
        np.testing.assert_array_equal(picture.rgb, pixels)
        assert (file.format, file.pixels, len(file)) == ("PNG", pixels.shape[0] * pixels.shape[1], 1)
        assert file.animation() is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_removed(pixels, orientation):
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    exif[DESCRIPTION] = "a horse"
    data = png(image, exif=exif)
    picture = read_picture(data)
    with Image.open(io.BytesIO(data)) as reference:
        np.testing.assert_array_equal(picture.rgb, np.asarray(ImageOps.exif_transpose(reference)))
    kept = Image.Exif()
    kept.load(picture.metadata.exif)
    assert dict(kept) == {DESCRIPTION: "a horse", ORIENTATION: 1}


def test_grey_palette_and_one_bit_become_rgb(pixels):
    grey = Image.fromarray(pixels[:, :, 0])
    np.testing.assert_array_equal(read_picture(png(grey)).rgb, np.repeat(pixels[:, :, :1], 3, axis=2))
    palette = Image.fromarray(pixels).quantize(16)
    np.testing.assert_array_equal(read_picture(png(palette)).rgb, np.asarray(palette.convert("RGB")))
    assert set(np.unique(read_picture(png(grey.convert("1"))).rgb)) == {0, 255}


def test_alpha_is_kept_apart(pixels):
    alpha = pixels[:, :, 0]
    rgba = read_picture(png(Image.fromarray(np.dstack([pixels, alpha]))))
    np.testing.assert_array_equal(rgba.rgb, pixels)
    np.testing.assert_array_equal(rgba.alpha, alpha)
    grey = read_picture(png(Image.merge("LA", [Image.fromarray(pixels[:, :, 1]), Image.fromarray(alpha)])))
    np.testing.assert_array_equal(grey.rgb[:, :, 2], pixels[:, :, 1])
    np.testing.assert_array_equal(grey.alpha, alpha)


def test_a_transparent_palette_colour_is_alpha():
    image = Image.new("P", (4, 3), 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 0)
    picture = read_picture(png(image, transparency=0))
    assert picture.alpha[0, 0] == 0
    assert picture.alpha[1:].min() == 255
    assert tuple(picture.rgb[1, 1]) == (0, 255, 0)


def test_cmyk_is_converted(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=100)
    red, green, blue = read_picture(tmp_path / "red.jpg").rgb[4, 4].astype(int)
    assert red > 240
    assert max(green, blue) < 15


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        picture = read_picture(tmp_path / name)
        assert picture.rgb.shape == (5, 6, 3)
        assert tuple(picture.rgb[2, 2]) == (255, 0, 0)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("transparent", [False, True])
def test_16_bits_survive(tmp_path, suffix, transparent):
    values = np.random.default_rng(1).integers(0, 65536, (7, 9, 4), dtype=np.uint16)
    alpha = values[:, :, 3] if transparent else None
    write_picture(tmp_path / f"deep{suffix}", Picture(values[:, :, :3], alpha))
    picture = read_picture(tmp_path / f"deep{suffix}")
    assert picture.rgb.dtype == np.uint16
    np.testing.assert_array_equal(picture.rgb, values[:, :, :3])
    if transparent:
        np.testing.assert_array_equal(picture.alpha, alpha)


def test_16_bit_pngs_keep_any_words(tmp_path, pixels):
    words = (("Comment", "chunks IHDR and IDAT kept"),)
    data = encode_picture(Picture(pixels.astype(np.uint16) * 257, metadata=Metadata(texts=words)), ".png")
    picture = read_picture(data)
    np.testing.assert_array_equal(picture.rgb, pixels.astype(np.uint16) * 257)


def test_moving_pictures_of_16_bits_are_no_png(pixels):
    frames = [Picture(pixels.astype(np.uint16) * 257)] * 2
    with pytest.raises(ImageError, match=r"2 pictures of 16 bits .* \.tif"):
        encode_pictures(frames, ".png")
    np.testing.assert_array_equal(read_picture(encode_pictures(frames, ".tif")).rgb, frames[0].rgb)


def test_16_bit_grey(tmp_path):
    values = np.random.default_rng(1).integers(0, 65536, (7, 9), dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.png").rgb[:, :, 1], values)


def test_16_bit_pictures_keep_exif_and_orientation(pixels):
    exif = Image.Exif()
    exif[DESCRIPTION] = "deep"
    data = encode_picture(Picture(pixels.astype(np.uint16) * 257, metadata=Metadata(exif=exif.tobytes())), ".png")
    picture = read_picture(data)
    assert picture.rgb.dtype == np.uint16
    kept = Image.Exif()
    kept.load(picture.metadata.exif)
    assert kept[DESCRIPTION] == "deep"


def test_float_pictures_without_known_white_are_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(ImageError, match=r"float\.tif holds float32 values .* which of them is white"):
        read_picture(tmp_path / "float.tif")
    with pytest.raises(ImageError, match="The picture holds float32 values"):
        picture_from_pil(Image.open(tmp_path / "float.tif"))


def test_rare_kinds_of_tiff_are_not_called_damaged():
    written, content = cv2.imencode(".tif", np.full((4, 4, 3), 0.5, np.float32))
    assert written
    with pytest.raises(ImageError, match="a kind of TIFF that cannot be read: floating point"):
        read_picture(content.tobytes())


def test_16_bits_never_become_8_silently(monkeypatch, pixels):
    data = encode_picture(Picture(pixels.astype(np.uint16) * 257), ".tif")
    monkeypatch.setattr("zorse.imaging.deep.cv2.imdecode", lambda *_: None)  # as for Zstandard
    with pytest.raises(ImageError, match="has 16 bits per channel, of which only 8 can be read"):
        read_picture(data)


def test_a_transparent_grey_of_16_bits(tmp_path):
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    Image.fromarray(values).save(tmp_path / "grey.png", transparency=10_000)
    alpha = read_picture(tmp_path / "grey.png").alpha
    np.testing.assert_array_equal(alpha, np.where(values == 10_000, 0, 65535))


def test_colours_that_were_multiplied_with_their_alpha():
    alpha = np.array([[65535, 32768, 0]], np.uint16)
    multiplied = np.array([[[60_000, 100, 7], [30_000, 50, 4], [0, 0, 0]]], np.uint16)
    content = encode_picture(Picture(multiplied, alpha), ".tif")
    extra_samples = struct.pack("<HHIH", 338, 3, 1, 2)
    assert content.count(extra_samples) == 1
    picture = read_picture(content.replace(extra_samples, struct.pack("<HHIH", 338, 3, 1, 1)))
    np.testing.assert_allclose(picture.rgb, [[[60_000, 100, 7], [60_000, 100, 8], [0, 0, 0]]], atol=1)
    np.testing.assert_array_equal(picture.alpha, alpha)


def test_16_to_8_bits_rounds():
    np.testing.assert_array_equal(to_uint8(np.arange(256, dtype=np.uint16) * 257), np.arange(256))
    assert to_uint8(np.array([128, 129, 65535], np.uint16)).tolist() == [0, 1, 255]


# Colour profiles -----------------------------------------------------------------------------------------------------


def test_a_profile_is_converted_to_srgb_and_back(tmp_path, smooth):
    profile = wide_gamut_profile()
    Image.fromarray(smooth).save(tmp_path / "wide.png", icc_profile=profile)
    picture = read_picture(tmp_path / "wide.png")
    # The same numbers mean stronger colours in the wide space: red grows where it leads, in sRGB.
    reference = ImageCms.profileToProfile(
        Image.fromarray(smooth), ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    )
    assert np.abs(picture.rgb.astype(int) - np.asarray(reference)).max() <= 2
    assert np.abs(picture.rgb.astype(int) - smooth).max() > 5

    write_picture(tmp_path / "back.png", picture)
    with Image.open(tmp_path / "back.png") as back:
        assert back.info["icc_profile"] == profile
        assert np.abs(np.asarray(back).astype(int) - smooth).max() <= 2


def test_an_srgb_profile_changes_no_pixel(pixels):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_picture(png(Image.fromarray(pixels), icc_profile=profile))
    np.testing.assert_array_equal(picture.rgb, pixels)
    image = picture_to_pil(picture)
    np.testing.assert_array_equal(np.asarray(image), pixels)
    assert image.info["icc_profile"] == profile


def test_a_damaged_profile_is_ignored(pixels):
    picture = read_picture(png(Image.fromarray(pixels), icc_profile=b"not a profile"))
    np.testing.assert_array_equal(picture.rgb, pixels)
    assert picture.icc_profile is None


def test_alpha_and_grey_pictures_with_a_profile(smooth):
    profile = wide_gamut_profile()
    rgba = np.dstack([smooth, smooth[:, :, 0]])
    picture = read_picture(png(Image.fromarray(rgba), icc_profile=profile))
    np.testing.assert_array_equal(picture.rgb, read_picture(png(Image.fromarray(smooth), icc_profile=profile)).rgb)
    np.testing.assert_array_equal(picture.alpha, smooth[:, :, 0])
    grey = read_picture(png(Image.fromarray(smooth[:, :, 0]), icc_profile=profile))
    assert np.ptp(grey.rgb.astype(int), axis=2).max() <= 1


# Pictures that cannot be read ----------------------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path, pixels):
    whole = encode_picture(Picture(pixels), ".jpg")
    files = {
        "empty.jpg": b"",
        "cut.jpg": whole[: len(whole) // 2],
        "cut.png": encode_picture(Picture(pixels), ".png")[:-700],
        "text.png": b"this is no picture",
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("empty.jpg", "empty"),
        ("cut.jpg", "damaged or cut off"),
        ("cut.png", "damaged or cut off"),
        ("text.png", "not a picture"),
        ("script.png", "a PostScript file"),
        ("missing.jpg", "no picture"),
        (".", "folder"),
    ],
)
def test_unreadable_files_are_named_with_the_reason(broken, name, says):
    with pytest.raises(ImageError, match=says) as raised:
        read_picture(broken / name)
    assert str(broken / name) in str(raised.value)


def test_a_decompression_bomb_is_refused_before_it_is_unfolded(tmp_path):
    side = int(MAX_PIXELS**0.5) + 100
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(b"\0" * 1000), b"IEND"]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(ImageError, match="at most 250 million"):
        read_picture(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".gif"])
def test_pillows_own_limit_neither_stops_nor_warns(monkeypatch, pixels, suffix):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(encode_picture(Picture(pixels), suffix)).rgb.shape == pixels.shape
    assert Image.MAX_IMAGE_PIXELS == 100


# Writing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_lossless_formats_give_the_pixels_back(tmp_path, pixels, suffix):
    write_picture(tmp_path / f"new/folder/a{suffix}", Picture(pixels))
    np.testing.assert_array_equal(read_picture(tmp_path / f"new/folder/a{suffix}").rgb, pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_come_close(tmp_path, smooth, suffix):
    write_picture(tmp_path / f"a{suffix}", Picture(smooth))
    assert np.abs(read_picture(tmp_path / f"a{suffix}").rgb.astype(int) - smooth).mean() < 2


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_is_written(tmp_path, pixels, suffix):
    alpha = np.zeros((20, 31), np.uint8)
    alpha[5:] = 200
    write_picture(tmp_path / f"a{suffix}", Picture(pixels, alpha))
    np.testing.assert_array_equal(read_picture(tmp_path / f"a{suffix}").alpha, alpha)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_white_shows_through_where_a_format_has_no_alpha(tmp_path, suffix):
    write_picture(tmp_path / f"a{suffix}", Picture(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8)))
    assert read_picture(tmp_path / f"a{suffix}").rgb.min() > 250


def test_exif_is_written(tmp_path, pixels):
    exif = Image.Exif()
    exif[DESCRIPTION] = "a zebra"
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        write_picture(tmp_path / f"a{suffix}", Picture(pixels, metadata=Metadata(exif=exif.tobytes())))
        with Image.open(tmp_path / f"a{suffix}") as image:
            assert image.getexif()[DESCRIPTION] == "a zebra"


def test_an_unknown_suffix_is_refused(tmp_path, pixels):
    for name in ("a.xyz", "a"):
        with pytest.raises(ImageError, match=r"Use one of \.jpg"):
            write_picture(tmp_path / name, Picture(pixels))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_too_large_for_its_format(tmp_path):
    with pytest.raises(ImageError, match=r"17000x1 .* WEBP"):
        write_picture(tmp_path / "a.webp", Picture(np.zeros((1, 17000, 3), np.uint8)))


def test_a_full_disk_leaves_the_old_file(tmp_path, pixels, monkeypatch):
    target = tmp_path / "a.png"
    write_picture(target, Picture(pixels))
    before = target.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zorse.system.atomic.os.fsync", full)
    with pytest.raises(ImageError, match="No space left"):
        write_picture(target, Picture(255 - pixels))
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


# Pillow images and folders -------------------------------------------------------------------------------------------


def test_pillow_images_keep_what_they_were_given_with(pixels):
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[ORIENTATION] = 6
    picture = picture_from_pil(image)
    np.testing.assert_array_equal(picture.rgb, np.rot90(pixels, -1))
    assert image.getexif()[ORIENTATION] == 6, "the caller's image must not change"
    with pytest.raises(ImageError, match="at least 1x1"):
        picture_from_pil(Image.new("RGB", (0, 3)))


def test_find_pictures_sorts_and_skips_hidden_files(tmp_path):
    for name in ("b.jpg", "a.PNG", "deep/er/c.webp", "notes.txt", ".hidden.jpg", ".cache/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(file.relative_to(tmp_path)) for file in find_pictures(tmp_path)] == ["a.PNG", "b.jpg", "deep/er/c.webp"]
    with pytest.raises(ImageError, match="not a folder"):
        find_pictures(tmp_path / "nowhere")
