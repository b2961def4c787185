"""What a file holds beside its colours comes back: metadata, profiles, depth, frames, compression, orientation."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features

from test_imaging_io import wide_gamut_profile
from zorse.errors import DiskFull, ImageError
from zorse.imaging import colour
from zorse.imaging.io import (
    Animation,
    Metadata,
    Picture,
    as_stored,
    encode_picture,
    encode_pictures,
    open_pictures,
    read_picture,
    write_picture,
)

ORIENTATION, DESCRIPTION = 0x0112, 0x010E
EXIF, GPS, EXPOSURE, WIDTH, HEIGHT = 0x8769, 0x8825, 0x829A, 0xA002, 0xA003
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="a horse"/></x:xmpmeta>'
FORMATS = [".jpg", ".png", ".webp", ".tif", *([".avif"] if features.check("avif") else [])]


@pytest.fixture
def smooth():
    y, x = np.mgrid[0:40, 0:60]
    return np.dstack([80 + 2 * x, 90 + 2 * y, 100 + x + y]).astype(np.uint8)


@pytest.fixture
def metadata():
    exif = Image.Exif()
    exif[DESCRIPTION] = "a horse"
    exif.get_ifd(EXIF).update({EXPOSURE: 0.01, WIDTH: 40, HEIGHT: 60})
    exif.get_ifd(GPS)[1] = "N"
    return Metadata(exif=exif.tobytes(), xmp=XMP.replace(b"6", b"1"), dpi=(300.0, 200.0), comment=b"hello")


def exif_of(block):
    exif = Image.Exif()
    exif.load(block)
    return exif


def saved(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


# Metadata and orientation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_metadata_come_back(suffix, dtype, smooth, metadata):
    picture = Picture(smooth.astype(dtype) * dtype(257 if dtype == np.uint16 else 1), metadata=metadata)
    kept = read_picture(encode_picture(picture, suffix)).metadata
    exif = exif_of(kept.exif)
    assert exif[DESCRIPTION] == "a horse"
    assert exif.get_ifd(EXIF)[EXPOSURE] == pytest.approx(0.01)
    assert exif.get_ifd(GPS)[1] == "N"
    assert b"a horse" in kept.xmp
    if suffix in (".jpg", ".png", ".tif"):
        assert kept.dpi == pytest.approx((300, 200), abs=0.01)
    if suffix == ".jpg":
        assert kept.comment == b"hello"


def test_png_texts_and_iptc_come_back(smooth):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "somebody")
    picture = read_picture(saved(Image.fromarray(smooth), "PNG", pnginfo=texts))
    with Image.open(io.BytesIO(encode_picture(picture, ".png"))) as image:
        assert image.text == {"Author": "somebody"}
    picture = read_picture(encode_picture(Picture(smooth, metadata=Metadata(iptc=b"\x1c\x02\x05\0\1x")), ".jpg"))
    assert picture.metadata.iptc == b"\x1c\x02\x05\0\1x"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_as_stored_shows_everybody_what_the_input_showed(suffix, orientation, smooth, metadata):
    """A reader that ignores the orientation and one that applies it both see the same geometry as in the input."""
    stored = Picture(smooth, metadata=metadata)
    if orientation != 1:
        exif = exif_of(metadata.exif)
        exif[ORIENTATION] = orientation
        stored = Picture(smooth, metadata=Metadata(exif=exif.tobytes(), xmp=XMP))
    file = encode_picture(stored, suffix, quality=100)
    picture = read_picture(file)
    assert picture.orientation == orientation
    assert (picture.height, picture.width) == ((60, 40) if orientation >= 5 else (40, 60))
    back = encode_picture(as_stored(picture), suffix, quality=100)
    again = read_picture(back)
    assert again.orientation == orientation
    assert np.abs(again.rgb.astype(int) - picture.rgb).max() <= 6
    if suffix != ".tif":  # Pillow always turns TIFFs
        with Image.open(io.BytesIO(back)) as image:
            assert image.size == (60, 40)
            assert np.abs(np.asarray(image.convert("RGB")).astype(int) - smooth).max() <= 6


def test_an_upright_result_forgets_the_orientation_everywhere(smooth, metadata):
    exif = exif_of(metadata.exif)
    exif[ORIENTATION] = 6
    exif.get_ifd(EXIF).update({WIDTH: 60, HEIGHT: 40})
    picture = read_picture(encode_picture(Picture(smooth, metadata=Metadata(exif=exif.tobytes(), xmp=XMP)), ".jpg"))
    kept = exif_of(picture.metadata.exif)
    assert kept[ORIENTATION] == 1
    assert (kept.get_ifd(EXIF)[WIDTH], kept.get_ifd(EXIF)[HEIGHT]) == (40, 60)
    assert b'tiff:Orientation="1"' in picture.metadata.xmp


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_tiffs_are_turned_once(orientation):
    deep = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = read_picture(encode_picture(Picture(deep, metadata=Metadata(exif=exif.tobytes())), ".tif"))
    assert picture.rgb.dtype == np.uint16
    assert picture.orientation == orientation
    np.testing.assert_array_equal(as_stored(picture).rgb, deep)


def test_one_odd_tag_does_not_cost_the_others():
    exif = Image.Exif()
    exif[DESCRIPTION] = "a horse"
    exif[0x9C9B] = object()  # nothing that EXIF can hold
    image = Image.new("RGB", (4, 4))
    image.getexif().update(exif)
    from zorse.imaging.io import picture_from_pil

    assert dict(exif_of(picture_from_pil(image).metadata.exif)) == {DESCRIPTION: "a horse"}


# Colour --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.uint8, 0), (np.uint16, 0)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_beyond_srgb_come_back(dtype, tolerance, suffix):
    profile, most = wide_gamut_profile(), np.iinfo(dtype).max
    own = np.random.default_rng(0).integers(0, most + 1, (48, 64, 3), dtype=dtype)
    picture = Picture(colour.to_srgb(own, profile), icc_profile=profile, native=own)
    assert np.abs(colour.from_srgb(picture.rgb, profile).astype(int) - own).max() > most // 10, "sRGB clips"
    again = read_picture(encode_picture(picture, suffix))
    assert again.icc_profile == profile
    assert again.native.dtype == dtype
    assert np.abs(again.native.astype(int) - own).max() <= tolerance


@pytest.mark.parametrize("suffix", [".bmp", ".gif"])
def test_formats_without_profile_hold_srgb(suffix):
    profile = wide_gamut_profile()
    green = np.full((8, 8, 3), (40, 200, 60), np.uint8)
    picture = Picture(green, icc_profile=profile, native=colour.from_srgb(green, profile))
    assert np.abs(picture.native.astype(int) - green).max() > 20
    assert np.abs(read_picture(encode_picture(picture, suffix)).rgb.astype(int) - green).max() <= 2


def test_a_changed_colour_is_not_tinted_by_what_was_there():
    profile = wide_gamut_profile()
    red = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    green = np.full((4, 4, 3), (60, 160, 60), np.uint8)
    picture = Picture(green, icc_profile=profile, native=red)
    np.testing.assert_array_equal(colour.own_colours(picture), colour.from_srgb(green, profile))


def test_deep_colours_are_converted_in_full_depth():
    profile = wide_gamut_profile()
    own = (20_000 + np.random.default_rng(0).integers(0, 20_000, (64, 64, 3))).astype(np.uint16)  # inside of sRGB
    srgb = colour.to_srgb(own, profile)
    assert np.abs(colour.from_srgb(srgb, profile).astype(int) - own).max() <= 1
    coarse = colour.to_srgb((own >> 8).astype(np.uint8), profile)
    fine = colour.to_srgb((own >> 8).astype(np.uint16) * np.uint16(257), profile)
    assert np.abs(fine / 257 - coarse).max() < 1, "LittleCMS says the same"


def test_a_white_is_zero_tiff_is_no_negative():
    values = np.arange(0, 60_000, 1000, dtype=np.uint16).reshape(6, 10)
    data = saved(Image.fromarray(values), "TIFF", tiffinfo={262: 0})
    np.testing.assert_array_equal(read_picture(data).rgb[:, :, 0], 65535 - values)


# Compression ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_jpeg_keeps_its_tables_and_subsampling(smooth, subsampling):
    data = saved(Image.fromarray(smooth), "JPEG", quality=61, subsampling=subsampling, progressive=True)
    with (
        Image.open(io.BytesIO(encode_picture(read_picture(data), ".jpg"))) as result,
        Image.open(io.BytesIO(data)) as jpeg,
    ):
        assert result.quantization == jpeg.quantization
        assert result.layer == jpeg.layer
        assert result.info["progressive"]
    assert len(encode_picture(read_picture(data), ".jpg", quality=95)) > 1.2 * len(data)


def test_a_webp_keeps_its_quality():
    noise = np.random.default_rng(0).normal(0, 25, (96, 128, 3)).cumsum(axis=0).cumsum(axis=1)
    image = Image.fromarray(np.uint8(noise % 256))
    for quality in (30, 60, 80, 95):
        assert read_picture(saved(image, "WEBP", quality=quality)).encoding.quality == pytest.approx(quality, abs=8)
    assert read_picture(saved(image, "WEBP", lossless=True)).encoding.lossless


def test_a_lossless_webp_stays_so_under_transparency(smooth):
    alpha = np.zeros(smooth.shape[:2], np.uint8)
    data = saved(Image.fromarray(np.dstack([smooth, alpha])), "WEBP", lossless=True, exact=True)
    again = read_picture(encode_picture(read_picture(data), ".webp"))
    np.testing.assert_array_equal(again.rgb, smooth)


@pytest.mark.parametrize("name", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_a_tiff_keeps_its_compression(smooth, name):
    picture = read_picture(saved(Image.fromarray(smooth), "TIFF", compression=name))
    with Image.open(io.BytesIO(encode_picture(picture, ".tif"))) as result:
        assert result.info["compression"] == name
        np.testing.assert_array_equal(np.asarray(result), smooth)


# Frames --------------------------------------------------------------------------------------------------------------


def frames_of(data):
    with open_pictures(data) as file:
        frames = list(file)
        return frames, file.animation()


@pytest.mark.parametrize(("suffix", "loop"), [(".gif", 2), (".gif", None), (".gif", 0), (".webp", 3), (".png", 4)])
def test_animations_keep_time_and_looks(suffix, loop):
    format = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}[suffix]
    images = [Image.new("RGB", (24, 16), (40 * n, 10, 200 - 40 * n)) for n in range(4)]
    for n, image in enumerate(images):
        image.paste("white", (4 * n, 2, 4 * n + 6, 9))
    durations = [100, 250, 40, 300]
    options = {} if loop is None else {"loop": loop}
    if format == "WEBP":
        options["lossless"] = True
    data = saved(images[0], format, save_all=True, append_images=images[1:], duration=durations, **options)
    frames, animation = frames_of(data)
    assert animation.durations == tuple(durations)
    result = encode_pictures(frames, suffix, animation)
    again, timing = frames_of(result)
    assert timing == animation
    for image, frame, other in zip(images, frames, again, strict=True):
        np.testing.assert_array_equal(frame.rgb, np.asarray(image))
        assert np.abs(other.rgb.astype(int) - frame.rgb).max() <= 2
    with Image.open(io.BytesIO(result)) as file, Image.open(io.BytesIO(data)) as before:
        assert file.info.get("loop") == before.info.get("loop")


def test_transparent_gifs_stay_transparent():
    images = []
    for n in range(3):
        image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
        image.paste((250, 40 * n, 0, 255), (5 * n, 0, 5 * n + 8, 20))
        images.append(image)
    data = saved(images[0], "GIF", save_all=True, append_images=images[1:], duration=80, disposal=2)
    frames, animation = frames_of(data)
    again, _ = frames_of(encode_pictures(frames, ".gif", animation))
    for image, frame in zip(images, again, strict=True):
        np.testing.assert_array_equal(frame.alpha, np.asarray(image)[:, :, 3])
        assert np.abs(frame.rgb.astype(int) - np.asarray(image)[:, :, :3])[frame.alpha > 0].max() <= 4


def test_pages_of_a_tiff_keep_their_sizes_and_depth():
    rng = np.random.default_rng(0)
    pages = [Picture(rng.integers(0, 65536, (6, 9 + n, 3), dtype=np.uint16)) for n in range(3)]
    pages.append(Picture(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), rng.integers(0, 256, (4, 4), dtype=np.uint8)))
    frames, animation = frames_of(encode_pictures(pages, ".tif"))
    assert animation is None
    for page, frame in zip(pages, frames, strict=True):
        np.testing.assert_array_equal(frame.rgb, page.rgb)
    np.testing.assert_array_equal(frames[3].alpha, pages[3].alpha)


def test_a_format_without_frames_takes_the_first(smooth):
    frames = [Picture(smooth), Picture(255 - smooth)]
    assert len(frames_of(encode_pictures(frames, ".jpg", Animation((50.0, 50.0))))[0]) == 1


# Bad input -----------------------------------------------------------------------------------------------------------


def test_cut_files_are_refused_in_every_format(tmp_path, smooth):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    deep = Picture(noise.astype(np.uint16) * np.uint16(257))
    files = {f"plain{suffix}": encode_picture(Picture(noise), suffix) for suffix in FORMATS}
    files |= {"deep.png": encode_picture(deep, ".png"), "deep.tif": encode_picture(deep, ".tif")}
    for name, content in files.items():
        for part in (0.05, 0.5, 0.9):
            (tmp_path / name).write_bytes(content[: int(part * len(content))])
            with pytest.raises(ImageError, match=r"damaged or cut off|not a picture"):
                read_picture(tmp_path / name)


def test_a_damaged_frame_is_named(tmp_path):
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(4)]
    data = saved(images[0], "PNG", save_all=True, append_images=images[1:], duration=50)
    (tmp_path / "cut.png").write_bytes(data[: int(0.6 * len(data))])
    with open_pictures(tmp_path / "cut.png") as file, pytest.raises(ImageError, match=r"cut\.png .*frame 3 of 4"):
        list(file)


def test_many_frames_are_a_bomb_too(smooth):
    images = [Image.fromarray(np.roll(smooth, n, axis=1)) for n in range(5)]
    data = saved(images[0], "GIF", save_all=True, append_images=images[1:])
    with (
        pytest.raises(ImageError, match=r"5 frames of 60x40 pixels.*--allow-large"),
        open_pictures(data, max_pixels=9000),
    ):
        pass
    assert read_picture(data, max_pixels=9000).width == 60


def test_a_full_disk_has_its_own_error(tmp_path, smooth, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zorse.system.atomic.os.fsync", full)
    with pytest.raises(DiskFull, match="--resume"):
        write_picture(tmp_path / "a.png", Picture(smooth))
