"""Colours that a file describes: by profile, by code (cICP, nclx), by gamma and primaries; in every depth, and back."""

import importlib.util
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from zorse.imaging import colour
from zorse.imaging.boxes import item_properties
from zorse.imaging.cicp import HLG, PQ, PRIMARIES, SRGB_CURVE, SRGB_PRIMARIES, Curve, rgb_to_xyz
from zorse.imaging.colour import colour_loss, own_colours, own_space
from zorse.imaging.deep_heif import bits_per_channel
from zorse.imaging.depth import depth_loss
from zorse.imaging.icc import matrix_icc_profile
from zorse.imaging.io import encode_picture, picture_from_pil, picture_to_pil, read_picture
from zorse.imaging.picture import Picture
from zorse.imaging.profile import matrix_profile
from zorse.imaging.tone import ToneMapping

needs_heif = pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="needs pillow-heif")

SRGB_CHRM = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
P3_CHRM = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


@pytest.fixture
def pixels():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    return np.concatenate([ramp, np.random.default_rng(0).integers(0, 256, (15, 256, 3), dtype=np.uint8)])


def png(pixels, *chunks):
    """A PNG of (H, W, 1 or 3) pixels of 8 or 16 bits with these chunks."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width, channels = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    head = struct.pack(">IIBBBBB", width, height, bits, {1: 0, 3: 2}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in pixels)
    middle = b"".join(chunk(*item) for item in chunks)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + middle + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def chunks_of(data):
    position, found = 8, {}
    while position < len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        found.setdefault(name, data[position + 8 : position + 8 + size])
        position += 12 + size
    return found


def cicp(primaries, transfer, matrix=0, full_range=1):
    return b"cICP", bytes([primaries, transfer, matrix, full_range])


def gama(gamma):
    return b"gAMA", struct.pack(">I", round(gamma * 100_000))


def chrm(places):
    return b"cHRM", struct.pack(">8I", *(round(place * 100_000) for place in places))


def iccp(profile):
    return b"iCCP", b"x\0\0" + zlib.compress(profile)


def avif(pixels, primaries, transfer, bits=8):
    """(H, W, 3) levels of so many bits as an AVIF that is called so."""
    options = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 100]
    written, data = cv2.imencode(".avif", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    assert written
    place = (content := data.tobytes()).index(b"colrnclx") + 8
    return content[:place] + struct.pack(">HH", primaries, transfer) + content[place + 4 :]


# What a file says becomes sRGB ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "level", "seen"),
    [
        # What Chromium 150 draws on a canvas, the levels of one grey each.
        ([gama(1.0)], 50, 122),
        ([gama(0.4)], 100, 87),
        ([gama(0.45455), chrm(P3_CHRM)], 50, 46),
        ([cicp(1, 8)], 100, 168),
        ([cicp(1, 4)], 50, 46),
        ([cicp(5, 5)], 128, 106),
        ([cicp(1, 1)], 50, 39),
        ([cicp(9, 14)], 50, 39),
        ([cicp(7, 7)], 50, 68),
        ([cicp(11, 17)], 100, 87),
        ([cicp(9, PQ)], 100, 76),
        ([cicp(9, PQ)], 148, 187),
        ([cicp(9, PQ)], 255, 255),
        ([cicp(9, PQ), (b"cLLI", struct.pack(">II", 4_000_000, 1_000_000))], 128, 163),
        ([cicp(9, PQ), (b"mDCV", struct.pack(">8HII", *[1] * 8, 4_000_000, 50))], 128, 163),
        ([cicp(9, PQ), (b"cLLI", struct.pack(">II", 1_500_000, 0))], 100, 107),
        ([cicp(9, HLG)], 128, 99),
        ([cicp(9, HLG)], 200, 202),
    ],
)
def test_a_png_looks_as_in_a_browser(pixels, chunks, level, seen):
    picture = read_picture(png(pixels, *chunks))
    np.testing.assert_allclose(picture.rgb[0, level], seen, atol=1)
    np.testing.assert_array_equal(picture.native, pixels)
    assert not picture.notes


@pytest.mark.parametrize(
    ("codes", "own", "seen"),
    [
        ((12, 13), (183, 122, 78), (193, 119, 69)),
        ((9, 14), (183, 122, 78), (210, 103, 56)),
        ((6, 6), (183, 122, 78), (176, 116, 68)),
        ((9, PQ), (183, 122, 78), (255, 0, 0)),
        ((1, PQ), (183, 122, 78), (255, 98, 36)),
        ((9, HLG), (183, 122, 78), (191, 86, 54)),
    ],
)
def test_coloured_pixels_look_as_in_a_browser(codes, own, seen):
    picture = read_picture(png(np.full((2, 2, 3), own, np.uint8), cicp(*codes)))
    np.testing.assert_allclose(picture.rgb[0, 0], seen, atol=1)


def test_the_strongest_description_of_a_png_counts(pixels):
    linear, p3 = (matrix_icc_profile("x", rgb_to_xyz(PRIMARIES[n]), Curve(1.0)) for n in (1, 12))
    srgb = (b"sRGB", b"\0")
    assert read_picture(png(pixels, gama(1), srgb)).native is None
    assert read_picture(png(pixels, gama(0.5), iccp(linear))).rgb[0, 50, 0] == 122
    assert read_picture(png(pixels, gama(0.5), iccp(p3), cicp(1, 13))).native is None
    kept = read_picture(png(pixels, gama(0.5), iccp(p3)))
    assert (kept.icc_profile, kept.colour_tags) == (p3, None)


@pytest.mark.parametrize(
    "chunks",
    [
        [cicp(1, 13)],
        [(b"sRGB", b"\0"), gama(0.45455), chrm(SRGB_CHRM)],
        [gama(0.45455), chrm(SRGB_CHRM)],
        [gama(0.45455)],
        [gama(0.45)],
        [chrm(P3_CHRM)],
        [cicp(2, 2)],
    ],
)
def test_what_stands_for_srgb_changes_no_pixel(pixels, chunks):
    picture = read_picture(png(pixels, *chunks))
    np.testing.assert_array_equal(picture.rgb, pixels)
    assert picture.native is None
    assert picture.icc_profile is None
    assert not picture.notes
    again = read_picture(encode_picture(picture, ".png"))
    np.testing.assert_array_equal(again.rgb, pixels)


@pytest.mark.parametrize(
    "chunk", [cicp(1, 9), cicp(3, 13), cicp(12, 13, 1), cicp(12, 13, 0, 0), gama(0), (b"cICP", b"\1"), gama(1000)]
)
def test_an_unknown_description_is_left_out_and_said(pixels, chunk):
    picture = read_picture(png(pixels, chunk))
    np.testing.assert_array_equal(picture.rgb, pixels)
    assert [(note.outcome, note.what) for note in picture.notes] == [("dropped", "colour description")]
    fallback = read_picture(png(pixels, chunk, *([] if chunk[0] == b"gAMA" else [gama(1.0)])))
    assert fallback.rgb[0, 50, 0] == (50 if chunk[0] == b"gAMA" else 122)


@pytest.mark.parametrize(
    "places",
    [
        (0.3, 0, *[0.3] * 6),
        (0.3127, 0.329, *[0.3] * 6),
        (0, 1, *SRGB_CHRM[2:]),
        (0.3127, 0.329, *[0.0] * 6),
        (0.3127, 0.0001, *SRGB_CHRM[2:]),
        (*SRGB_CHRM[:2], *[40_000.0, 1.0] * 2, 0.1, 0.1),
    ],
)
def test_primaries_that_are_none_are_left_out_and_said(pixels, places):
    picture = read_picture(png(pixels, gama(1.0), chrm(places)))
    np.testing.assert_array_equal(picture.rgb, pixels)
    assert picture.notes


def test_grey_pictures_have_colours_too(pixels):
    for grey in (pixels[:, :, :1], pixels[:, :, :1].astype(np.uint16) * np.uint16(257)):
        picture = read_picture(png(grey, gama(1.0)))
        assert round(picture.rgb[0, 50, 0] * (255 / np.iinfo(grey.dtype).max)) == 122
        np.testing.assert_array_equal(own_colours(picture), np.repeat(grey, 3, axis=2))


@pytest.mark.parametrize("codes", [(12, 13), (1, 8), (9, PQ), (9, HLG), (1, PQ)])
def test_8_and_16_bits_have_the_same_colours(pixels, codes):
    eight = read_picture(png(pixels, cicp(*codes)))
    sixteen = read_picture(png(pixels.astype(np.uint16) * np.uint16(257), cicp(*codes)))
    assert sixteen.rgb.dtype == np.uint16
    assert np.abs(sixteen.rgb / 257 - eight.rgb).max() < 1.6


# AVIF and HEIC --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "level", "seen"),
    [((1, 1), 50, 50), ((2, 2), 50, 50), ((12, 6), 50, 50), ((1, 4), 50, 46), ((1, 8), 50, 122), ((9, PQ), 148, 187)],
)
def test_an_avif_looks_as_in_a_browser(pixels, codes, level, seen):
    grey = np.repeat(pixels[:1], 8, axis=0)
    picture = read_picture(avif(grey, *codes))
    np.testing.assert_allclose(picture.rgb[4, level], seen, atol=2)
    assert not picture.notes


def test_an_avif_of_unknown_colours_says_so(pixels):
    assert [note.what for note in read_picture(avif(pixels, 3, 13)).notes] == ["colour description"]


def test_avif_codes_come_back_in_box_and_video(pixels):
    data = avif(pixels, 12, 13)
    picture = read_picture(data)
    assert (own := own_space(picture)) is not None
    assert matrix_profile(own.icc_profile) is not None
    again = encode_picture(picture, ".avif", quality=100)
    assert item_properties(again)[b"colr"][:8] == b"nclx" + struct.pack(">HH", 12, 13)
    header = again[again.index(b"\x12\x00\x0a") + 4 :][:16]
    assert f"1{12:08b}{13:08b}{6:08b}" in f"{int.from_bytes(header, 'big'):0128b}"
    assert b"ICC_PROFILE" not in again
    assert b"colrprof" not in again
    read = read_picture(again)
    assert read.colour_tags == picture.colour_tags
    assert np.abs(read.native.astype(int) - picture.native).mean() < 3
    with Image.open(io.BytesIO(again)) as image:
        image.load()


def test_avif_keeps_its_colour_resolution(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "AVIF", subsampling="4:4:4")
    picture = read_picture(buffer.getvalue())
    assert picture.encoding.subsampling == 0
    assert read_picture(encode_picture(picture, ".avif")).encoding.subsampling == 0


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_is_read_in_full_depth(bits):
    most = 2**bits - 1
    levels = np.repeat(np.repeat(np.arange(0, most + 1, 3, dtype=np.uint16)[None, :, None], 8, axis=0), 3, axis=2)
    picture = read_picture(avif(levels, 1, 13, bits))
    assert picture.rgb.dtype == np.uint16
    assert picture.encoding.bits == bits
    assert np.abs(picture.rgb[4] * (most / 65535) - levels[4]).max() <= 1
    assert not picture.notes
    assert depth_loss(picture, "PNG") is None
    assert depth_loss(picture, "AVIF").what == f"{bits} bits per channel"
    assert depth_loss(picture, "WEBP").detail == f"{bits} bits per channel become 8: Zorse writes WebP with at most 8."
    assert read_picture(encode_picture(picture, ".avif")).rgb.dtype == np.uint8


def test_what_is_read_with_fewer_bits_says_so(pixels, monkeypatch):
    data = avif(pixels.astype(np.uint16) * np.uint16(4), 1, 13, 10)
    assert bits_per_channel(data) == 10
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)  # an OpenCV without AVIF
    picture = read_picture(data)
    assert picture.rgb.dtype == np.uint8
    assert [(note.outcome, note.what) for note in picture.notes] == [("converted", "10 bits per channel")]


def test_a_16_bit_cmyk_tiff_says_that_8_are_read():
    ink = np.arange(4 * 6 * 4, dtype="<u2").reshape(4, 6, 4) * 600
    strip = ink.tobytes()
    entries = [(256, 3, 1, 6), (257, 3, 1, 4), (258, 3, 4, 0), (259, 3, 1, 1), (262, 3, 1, 5), (273, 4, 1, 0)]
    entries += [(277, 3, 1, 4), (278, 3, 1, 4), (279, 4, 1, len(strip))]
    start = 8 + 2 + 12 * len(entries) + 4
    entries[2], entries[5] = (258, 3, 4, start), (273, 4, 1, start + 8)
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    data = b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + struct.pack("<4H", *[16] * 4) + strip
    picture = read_picture(data)
    assert picture.rgb.shape == (4, 6, 3)
    assert [note.what for note in picture.notes] == ["CMYK", "16 bits per channel"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_16_bit_ppm_in_letters_is_read_in_full(pixels, end):
    deep = (pixels.astype(np.uint16) * 257 + 3 * (pixels < 255)).astype(">u2")
    binary = read_picture(b"P6\n# a comment\n256 16\n65535\n" + deep.tobytes())
    letters = b"P3\n# a comment\n256 16\n65535\n" + " ".join(map(str, deep.ravel())).encode() + end
    for picture in (binary, read_picture(letters)):
        assert picture.rgb.dtype == np.uint16
        np.testing.assert_array_equal(picture.rgb, deep)
        assert not picture.notes
    assert not read_picture(b"P6 256 16 255\n" + pixels.tobytes()).notes


@needs_heif
@pytest.mark.parametrize(("bits", "codes"), [(10, (9, PQ)), (12, (12, 13))])
def test_heic_keeps_its_depth_and_codes(bits, codes):
    import pillow_heif

    ramp = np.linspace(0, 65535, 256).astype(np.uint16) >> (16 - bits) << (16 - bits)
    deep = np.ascontiguousarray(np.repeat(np.repeat(ramp[None, :, None], 64, axis=0), 3, axis=2))
    buffer = io.BytesIO()
    file = pillow_heif.from_bytes("RGB;16", (256, 64), deep.tobytes())
    names = {"color_primaries": codes[0], "transfer_characteristics": codes[1]}
    file.save(
        buffer,
        quality=100,
        bit_depth=bits,
        chroma=444,
        matrix_coefficients=6,
        full_range_flag=1,
        save_nclx_profile=True,
        **names,
    )
    picture = read_picture(buffer.getvalue())
    assert picture.rgb.dtype == np.uint16
    assert (picture.encoding.bits, picture.encoding.subsampling) == (bits, 0)
    assert picture.colour_tags.cicp == codes
    assert not picture.notes
    assert picture.native.max() == pytest.approx(65535, abs=2 * 65535 / 2**bits)
    again = read_picture(encode_picture(picture, ".heic", quality=100))
    assert again.encoding.bits == bits
    assert again.colour_tags == picture.colour_tags
    assert np.abs(again.native.astype(int) - picture.native).max() <= 65535 / 2**bits * 6
    assert depth_loss(picture, "HEIF") is None
    assert colour_loss(picture, "HEIF") is None


# Back into files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "chunks",
    [
        [cicp(12, 13)],
        [gama(1.0)],
        [gama(0.5), chrm(P3_CHRM)],
        [cicp(9, PQ), (b"mDCV", bytes(24)), (b"cLLI", struct.pack(">II", 6_000_000, 0))],
        [cicp(9, HLG), gama(0.5)],
        [(b"sRGB", b"\1"), gama(0.45455), chrm(SRGB_CHRM)],
        [cicp(12, 13), iccp(matrix_icc_profile("x", rgb_to_xyz(SRGB_PRIMARIES), Curve(1.0)))],
    ],
)
def test_a_png_gets_its_pixels_and_chunks_back(pixels, dtype, chunks):
    own = pixels if dtype == np.uint8 else pixels.astype(np.uint16) * np.uint16(256) + np.uint16(77)
    again = encode_picture(read_picture(png(own, *chunks)), ".png")
    found = chunks_of(again)
    assert {name: found.get(name) for name, _ in chunks} == dict(chunks)
    assert (b"iCCP" in found) == (b"iCCP" in dict(chunks))
    read = read_picture(again)
    np.testing.assert_array_equal(own if read.native is None else read.native, own)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".avif"])
def test_other_formats_get_a_profile_of_the_same_colours(suffix):
    own = np.full((16, 16, 3), (183, 122, 78), np.uint8)
    picture = read_picture(png(own, cicp(12, 13)))
    again = read_picture(encode_picture(picture, suffix, quality=100))
    assert again.icc_profile is not None
    np.testing.assert_allclose(again.native[8, 8], own[0, 0], atol=2)
    np.testing.assert_allclose(again.rgb[8, 8], picture.rgb[0, 0], atol=3)
    assert colour_loss(picture, {".jpg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".avif": "AVIF"}[suffix]) is None


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".gif", ".bmp"])
def test_hdr_becomes_srgb_where_a_format_cannot_say_it(suffix):
    picture = read_picture(png(np.full((16, 16, 3), 148, np.uint8), cicp(9, PQ)))
    again = read_picture(encode_picture(picture, suffix))
    np.testing.assert_allclose(again.rgb, 187, atol=2)
    assert again.icc_profile is None
    note = colour_loss(picture, {".jpg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".gif": "GIF", ".bmp": "BMP"}[suffix])
    assert (note.outcome, note.what) == ("converted", "HDR colours")


def test_hdr_of_an_avif_is_kept_by_png(pixels):
    picture = read_picture(avif(np.repeat(pixels[:1], 8, axis=0).astype(np.uint16) * np.uint16(4), 9, PQ, 10))
    again = encode_picture(picture, ".png")
    assert chunks_of(again)[b"cICP"] == bytes([9, PQ, 0, 1])
    np.testing.assert_array_equal(read_picture(again).native, picture.native)
    assert colour_loss(picture, "PNG") is None


def test_what_colour_formats_do_not_hold_is_said(pixels):
    p3 = read_picture(png(pixels, cicp(12, 13)))
    assert colour_loss(p3, "GIF").what == "colour profile"
    assert colour_loss(read_picture(png(pixels, cicp(1, 13))), "GIF") is None
    assert colour_loss(read_picture(png(pixels)), "GIF") is None
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert colour_loss(Picture(pixels, icc_profile=srgb), "GIF") is None


@pytest.mark.parametrize("codes", [(12, 13), (9, PQ)])
def test_changed_pixels_are_written_in_the_own_colours(pixels, codes):
    changed = np.full_like(pixels, (40, 90, 60))
    picture = read_picture(png(pixels, cicp(*codes)))
    written = read_picture(encode_picture(Picture(**(vars(picture) | {"rgb": changed})), ".png"))
    is_new = np.abs(picture.rgb.astype(int) - changed).max(axis=2) >= 32
    assert is_new.mean() > 0.8
    assert np.abs(written.rgb.astype(int) - changed)[is_new].max() <= 3


def test_pillow_images_have_colours_too(pixels):
    with Image.open(io.BytesIO(png(pixels, gama(1.0)))) as image:
        image.load()
        picture = picture_from_pil(image)
    assert picture.rgb[0, 50, 0] == 122
    back = picture_to_pil(picture)
    np.testing.assert_array_equal(np.asarray(back), pixels)
    assert read_picture_of(back).rgb[0, 50, 0] == 122
    hdr = picture_to_pil(read_picture(png(pixels, cicp(9, PQ))))
    assert np.asarray(hdr)[0, 148, 0] == 187
    assert "icc_profile" not in hdr.info


def read_picture_of(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=image.info["icc_profile"])
    return read_picture(buffer.getvalue())


# The parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peak", [250.0, 400.0, 1000.0, 4000.0])
@pytest.mark.parametrize("is_hlg", [False, True])
def test_dimmed_light_fits_the_display(peak, is_hlg):
    assert ToneMapping(peak, is_hlg).to_display(light_up_to(1.0 if is_hlg else peak / 203)).max() <= 1


@pytest.mark.parametrize(
    ("peak", "is_hlg"),
    [(250.0, False), (400.0, False), (1000.0, False), (4000.0, False), (1000.0, True), (4000.0, True)],
)
def test_dimming_has_a_way_back(peak, is_hlg):
    tone, light = ToneMapping(peak, is_hlg), light_up_to(1.0 if is_hlg else peak / 203)
    np.testing.assert_allclose(tone.from_display(tone.to_display(light)), light, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("peak", [1000.0, 4000.0])
def test_white_of_pq_is_half_the_light_of_the_display(peak):
    np.testing.assert_allclose(ToneMapping(peak, False).to_display(np.ones((1, 1, 3), np.float32)), 0.5, atol=1e-4)


def light_up_to(most):
    return np.random.default_rng(0).uniform(0, most * 0.9, (8, 64, 3)).astype(np.float32)


def test_the_written_profile_says_what_littlecms_reads(pixels):
    profile = matrix_icc_profile("Display P3, test", rgb_to_xyz(PRIMARIES[12]), SRGB_CURVE)
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    assert ImageCms.getProfileDescription(opened).strip() == "Display P3, test"
    assert int.from_bytes(profile[:4], "big") == len(profile)
    assert colour.has_way_back(profile)
    fine = matrix_profile(profile).to_srgb(pixels.astype(np.uint16) * np.uint16(257))
    assert np.abs(fine / 257 - colour.to_srgb(pixels, profile)).max() < 1.6
    own = matrix_icc_profile("x", rgb_to_xyz(SRGB_PRIMARIES), SRGB_CURVE)
    assert np.abs(colour.to_srgb(pixels, own).astype(int) - pixels).max() <= 1


def raised_black_profile():
    """An RGB profile whose darkest level is a grey: 4 % of the light, as of matt paper."""
    profile = matrix_icc_profile("Matt", rgb_to_xyz(SRGB_PRIMARIES), SRGB_CURVE)
    content = b"curv\0\0\0\0" + struct.pack(">I", 256)
    content += struct.pack(">256H", *np.linspace(0.04 * 65535, 65535, 256).astype(int))
    start, count = len(profile), int.from_bytes(profile[128:132], "big")
    changed = bytearray(profile + content)
    for number in range(count):
        place = 132 + 12 * number
        if changed[place : place + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            changed[place + 4 : place + 12] = struct.pack(">II", start, len(content))
    changed[8] = 2  # in version 4 LittleCMS always compensates
    changed[:4] = len(changed).to_bytes(4, "big")
    return bytes(changed)


def test_the_black_of_a_profile_is_that_of_srgb():
    """Without black point compensation all that is darker than the profile's black would become one level."""
    profile = raised_black_profile()
    dark = np.repeat(np.arange(0, 40, 4, dtype=np.uint8)[None, :, None], 3, axis=2)
    source, target = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile))
    crushed = ImageCms.profileToProfile(Image.fromarray(dark), source, target)
    assert not np.asarray(crushed)[0, :6].any()
    levels = colour.from_srgb(dark, profile)[0, :, 0]
    assert levels[0] == 0
    assert levels[5] > 0
    assert levels[9] > levels[7] > levels[5]
    assert np.abs(colour.to_srgb(np.zeros((1, 1, 3), np.uint8), profile)).max() == 0


@pytest.mark.parametrize("profile", [b"not a profile", b"\0" * 200])
def test_a_damaged_profile_is_said(pixels, profile):
    for data in (png(pixels, iccp(profile)), encoded(pixels, "JPEG", profile)):
        picture = read_picture(data)
        assert picture.icc_profile is None
        assert [(note.outcome, note.what) for note in picture.notes] == [("dropped", "colour profile")]


def encoded(pixels, format, profile):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, icc_profile=profile)
    return buffer.getvalue()


@pytest.mark.parametrize("cut", range(8, 240, 7))
def test_cut_off_boxes_say_nothing_wrong(cut, pixels):
    data = avif(pixels, 12, 13)
    properties = item_properties(data[:cut])
    full = item_properties(data)
    assert all(full[name].startswith(value) for name, value in properties.items())
    noise = bytearray(data)
    noise[cut] ^= 0xFF
    item_properties(bytes(noise))
