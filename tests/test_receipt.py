"""What a receipt says is what the written file holds: every format with every property, written and read again."""

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features
from pydantic import TypeAdapter

from exif_maker import NOTE_VALUE, PREVIEW, exif_block, jpeg, note_value, segment
from test_imaging_io import wide_gamut_profile
from zorse.imaging import exif_block as blocks
from zorse.imaging import iptc
from zorse.imaging.io import (
    WRITE_FORMATS,
    Metadata,
    Picture,
    as_stored,
    encode_picture,
    encode_pictures,
    open_pictures,
    read_picture,
)
from zorse.imaging.metadata import read_metadata
from zorse.imaging.picture import Note
from zorse.imaging.read_notes import clean_xmp
from zorse.imaging.receipt import Receipt, receipt_of
from zorse.imaging.tiff import Page, encode_tiff
from zorse_app.receipts import header_value

ROOT = Path(__file__).resolve().parent.parent
FORMATS = {format: suffix for suffix, format in reversed(WRITE_FORMATS.items())}

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:D%s/>'
XMP += b"</rdf:RDF></x:xmpmeta>"
IPTC = b"\x1c\x02\x78\0\x07a horse\x1c\x02\x05\0\x01\0"
GCAMERA = b'xmlns:C="http://ns.google.com/photos/1.0/camera/"'
HDRGM = b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
APPLE = b"Apple iOS\0\0\1MM" + struct.pack(">H", 2)
APPLE += struct.pack(">HHII", 0x0011, 2, 37, 200) + struct.pack(">HHIi", 0x0021, 9, 1, 5) + bytes(4)


@pytest.fixture
def smooth():
    return smooth_pixels()


def smooth_pixels():
    y, x = np.mgrid[0:40, 0:60]
    return np.dstack([80 + 2 * x, 90 + 2 * y, 100 + x + y]).astype(np.uint8)


def saved(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def opened(data):
    with open_pictures(data) as file:
        frames = list(file)
        return frames, file.animation()


def entries(receipt):
    return {entry.what: entry.outcome for entry in receipt.entries}


def receipt_for(data, suffix, source_suffix=""):
    frames, animation = opened(data)
    return receipt_of(frames, animation, suffix, len(frames), source_suffix)


# Every format with every property ------------------------------------------------------------------------------------


def sources():
    """Name of a property -> a file that has it."""
    smooth = smooth_pixels()
    image = Image.fromarray(smooth)
    soft = Image.fromarray(np.dstack([smooth, np.linspace(0, 255, 2400).reshape(40, 60).astype(np.uint8)]))
    deep = Picture(smooth.astype(np.uint16) * np.uint16(257) + np.uint16(3))
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "somebody")
    moving = [Image.fromarray(np.roll(smooth, 20 * n, axis=1)) for n in range(3)]
    more = {"save_all": True, "append_images": moving[1:], "lossless": True}
    return {
        "transparency": saved(soft, "PNG"),
        "palette": saved(image.quantize(), "PNG"),
        "grey": saved(image.convert("L"), "PNG"),
        "CMYK": saved(image.convert("CMYK"), "TIFF"),
        "colour profile": saved(image, "PNG", icc_profile=wide_gamut_profile()),
        "16 bits per channel": encode_picture(deep, ".png"),
        "orientation": jpeg(smooth, exif_block(orientation=6)),
        "EXIF": jpeg(smooth, exif_block()),
        "GPS": jpeg(smooth, exif_block()),
        "maker note": jpeg(smooth, exif_block()),
        "XMP": jpeg(smooth, xmp=XMP % b""),
        "IPTC": jpeg(smooth, segments=iptc.segments(IPTC)),
        "comment": jpeg(smooth, comment=b"hello"),
        "texts": saved(image, "PNG", pnginfo=texts),
        "resolution": jpeg(smooth, dpi=(300, 200)),
        "frames": saved(moving[0], "WEBP", duration=[100, 200, 50], loop=0, **more),
        "timing": saved(moving[0], "WEBP", duration=[100, 205, 50], loop=0, **more),
        "repetition": saved(moving[0], "WEBP", duration=[100, 200, 50], loop=3, **more),
        "gain map": jpeg(smooth, xmp=XMP % (b" " + HDRGM + b' hdrgm:Version="1.0"')),
        "film": jpeg(smooth, xmp=XMP % (b" " + GCAMERA + b' C:MotionPhoto="1"')) + b"a film",
        "pages": saved(moving[0], "TIFF", save_all=True, append_images=moving[1:]),
    }


def kept_if(condition, otherwise="dropped"):
    return "kept" if condition else otherwise


def fate(what, before, after, data):
    """What became of a property, by looking at the files only."""
    (old, old_timing), (new, new_timing) = before, after
    was, now = old[0].metadata, new[0].metadata
    gone = now.exif == b""
    match what:
        case "transparency":
            if new[0].alpha is None:
                return "dropped"
            return kept_if(np.abs(new[0].alpha.astype(int) - old[0].alpha).max() <= 8, "converted")
        case "colour profile":
            return kept_if(new[0].icc_profile == old[0].icc_profile, "converted")
        case "16 bits per channel":
            return kept_if(new[0].rgb.dtype == np.uint16 and np.array_equal(new[0].rgb, old[0].rgb), "converted")
        case "palette" | "grey" | "CMYK":
            return kept_if(what in {note.what for note in new[0].notes}, "converted")
        case "gain map" | "film":
            return kept_if(what in {note.what for note in new[0].notes})
        case "orientation":
            assert (new[0].height, new[0].width) == (60, 40)
            return kept_if(new[0].orientation == old[0].orientation, "converted")
        case "EXIF":
            return kept_if(not gone and b"a horse" in now.exif)
        case "GPS":
            return kept_if(blocks.parts(now.exif).gps)
        case "maker note":
            return kept_if(not gone and note_value(now.exif) == NOTE_VALUE)
        case "XMP":
            return kept_if(now.xmp == was.xmp)
        case "IPTC":
            return kept_if(now.iptc == was.iptc)
        case "comment":
            return kept_if(b"hello" in data)
        case "texts":
            return kept_if(b"somebody" in data)
        case "resolution":
            return kept_if(now.dpi == pytest.approx(was.dpi, abs=0.02) if now.dpi else False)
        case "frames":
            return kept_if(len(new) == len(old))
        case "pages":
            return "dropped" if len(new) < len(old) else kept_if(new_timing is None, "converted")
        case "timing":
            if new_timing is None:
                return "dropped"
            return kept_if(new_timing.durations == old_timing.durations, "converted")
        case "repetition":
            return kept_if(new_timing is not None and new_timing.plays == old_timing.plays)
    raise ValueError(what)


def fates():
    """(Property, format) -> what the receipt says and what the file says."""
    result = {}
    for what, data in sources().items():
        before = opened(data)
        for format, suffix in FORMATS.items():
            written = encode_pictures(before[0], suffix, before[1])
            said = entries(receipt_of(*before, suffix, len(before[0]))).get(what)
            result[what, format] = said, fate(what, before, opened(written), written)
    return result


@pytest.fixture(scope="module")
def seen():
    return fates()


def test_a_receipt_says_what_the_file_holds(seen):
    wrong = {}
    for (what, format), (said, is_so) in seen.items():
        # Of a format with one picture it is said that the frames are gone; nothing is said of their times.
        if said is None and what in ("GPS", "maker note", "timing", "repetition"):
            assert is_so == "dropped"
        elif said != is_so:
            wrong[what, format] = said, is_so
    assert not wrong


def table(seen):
    """The table of the documentation."""
    words = {"kept": "kept", "converted": "converted, said", "dropped": "dropped, said"}
    columns = list(reversed(FORMATS))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for what in sources():
        cells = [words[seen[what, format][1]] if seen[what, format][0] else "-" for format in columns]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


@pytest.mark.skipif(not {"AVIF", "HEIF"} <= set(FORMATS), reason="the table has all formats")
def test_the_table_of_the_documentation_is_true(seen):
    text = (ROOT / "translate/zorse/imaging/README.md").read_text(encoding="utf-8")
    assert table(seen) in text, table(seen)


# EXIF ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_exif_is_patched_in_place(smooth, order, orientation):
    block = exif_block(order, orientation)
    picture = read_picture(jpeg(smooth, block))
    kept = picture.metadata.exif
    assert picture.orientation == orientation
    assert note_value(kept) == NOTE_VALUE
    assert PREVIEW not in kept
    exif = Image.Exif()
    exif.load(kept)
    assert (exif[0x0112], exif[0x010E], exif.get_ifd(0x8825)[1]) == (1, "a horse", "N")
    assert exif.get_ifd(1) == {}
    inner = exif.get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == ((40, 60) if orientation == 6 else (60, 40))
    assert entries(receipt_of([picture], None, ".jpg", 1))["preview"] == "dropped"
    if orientation == 1:  # nothing else differs
        length = len(kept)
        assert sum(one != other for one, other in zip(kept, block, strict=False)) <= 8
        assert length < len(block)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_pictures_as_stored_say_so_in_exif(smooth, suffix):
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    for block in (exif_block(orientation=6), b""):
        frame = read_picture(jpeg(smooth, block, xmp=XMP % b' xmlns:tiff="t" tiff:Orientation="6"'))
        assert frame.orientation == 6
        picture = as_stored(frame)
        again = read_picture(encode_picture(picture, suffix))
        assert again.orientation == 6
        if not block:
            continue
        said = entries(receipt_of([picture], None, suffix, 1))
        held = again.metadata.exif
        assert said["maker note"] == ("kept" if note_value(held) == NOTE_VALUE else "dropped")
        assert said["maker note"] == ("dropped" if suffix in (".tif", ".avif") else "kept")


def test_maker_notes_that_count_from_themselves_may_move(smooth):
    block = exif_block(maker_note=b"Nikon\0\2\x10\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    picture = read_picture(jpeg(smooth, block))
    assert entries(receipt_of([picture], None, ".tif", 1))["maker note"] == "kept"
    tiff = encode_picture(picture, ".tif")
    assert b"Nikon\0\2" in tiff
    assert b"Nikon\0\2" in encode_picture(read_picture(tiff), ".jpg")


def test_the_maker_note_of_a_tiff_is_left_out_with_a_note(smooth):
    tags = {0x010E: "a horse", 0x8769: {0x927C: b"a note that points somewhere"}}
    picture = read_picture(encode_tiff([Page(smooth, tags=tags)]))
    assert b"a horse" in picture.metadata.exif
    assert b"points somewhere" not in picture.metadata.exif
    assert entries(receipt_of([picture], None, ".tif", 1))["maker note"] == "dropped"


def test_the_film_and_the_gain_map_of_an_iphone_are_not_spoken_of(smooth):
    block = exif_block(maker_note=APPLE)
    assert blocks.parts(block).live_photo
    picture = read_picture(jpeg(smooth, block, segments=segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % HDRGM)))
    assert not blocks.parts(picture.metadata.exif).live_photo
    assert entries(receipt_of([picture], None, ".jpg", 1))["link to a film"] == "dropped"
    assert blocks.parts(picture.metadata.exif).maker_note


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("seed", range(40))
def test_damaged_blocks_cost_nothing_but_themselves(smooth, seed):
    rng = np.random.default_rng(seed)
    block = bytearray(exif_block("<>"[seed % 2]))
    for place in rng.integers(6, len(block), 4):
        block[place] = rng.integers(0, 256)
    picture = read_picture(jpeg(smooth, bytes(block[: len(block) - 40 * (seed % 3 == 0)])))
    for suffix in (".jpg", ".png", ".tif"):
        assert read_picture(encode_picture(picture, suffix)).width == picture.width
        receipt_of([picture], None, suffix, 1)


def test_a_preview_whose_place_is_a_lie_is_not_cut_out(smooth):
    block = bytearray(exif_block())
    place = block.rindex(struct.pack("<HHI", 0x0201, 4, 1)) + 8
    block[place : place + 4] = struct.pack("<I", 8)
    assert note_value(read_picture(jpeg(smooth, bytes(block))).metadata.exif) == NOTE_VALUE


def test_no_resolution_is_invented(smooth):
    picture = read_picture(jpeg(smooth, exif_block()))
    assert picture.metadata.dpi is None
    assert "resolution" not in entries(receipt_of([picture], None, ".webp", 1))


# IPTC ----------------------------------------------------------------------------------------------------------------


def test_iptc_in_several_segments_is_read_and_written(smooth):
    long = b"\x1c\x02\x78\x84\x03" + (140_000).to_bytes(1027, "big") + bytes(range(250)) * 560 + IPTC
    assert len(iptc.segments(IPTC + long)) > 2 * 65_000
    data = jpeg(smooth, segments=iptc.segments(IPTC + long))
    again = read_picture(encode_picture(read_picture(data), ".jpg"))
    assert again.metadata.iptc == IPTC + long
    head = b"Photoshop 3.0\0"
    apart = [
        head + b"8BIM\x04\x0a\0\0\0\0\0\x01\x01\0",
        head + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC,
    ]
    picture = read_picture(jpeg(smooth, segments=b"".join(segment(0xED, content) for content in apart)))
    assert picture.metadata.iptc == IPTC
    assert entries(receipt_of([picture], None, ".jpg", 1))["copyright flag"] == "dropped"


@pytest.mark.parametrize(("mode", "form"), [("L", "<HHI"), ("L", "<HHQ"), ("I;16B", ">HHI")])
def test_iptc_of_a_tiff_is_bytes_or_numbers(mode, form):
    padded = IPTC + b"\0" * (-len(IPTC) % 4)
    exchanged = b"".join(padded[start : start + 4][::-1] for start in range(0, len(padded), 4))
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
    for tag, kind, size, content in (
        (33723, 7, 1, IPTC),
        (33723, 1, 1, IPTC),
        (33723, 4, 4, padded),
        (33723, 4, 4, exchanged),
        (34377, 1, 1, resource),
    ):
        plain, described = Image.new(mode, (8, 8)), Image.new(mode, (8, 8))
        described.encoderinfo = {"tiffinfo": {tag: content}}
        data = saved(plain, "TIFF", save_all=True, append_images=[described], big_tiff=form == "<HHQ")
        entry = struct.pack(form, tag, 7 if tag == 33723 else 1, len(content))
        assert data.count(entry) == 1
        data = data.replace(entry, struct.pack(form, tag, kind, len(content) // size))
        with Image.open(io.BytesIO(data)) as image:
            assert read_metadata(image).metadata.iptc == b""
            image.seek(1)
            assert image.tag_v2.tagtype[tag] == kind
            assert read_metadata(image).metadata.iptc == IPTC


def test_iptc_of_a_tiff_is_called_numbers_as_libtiff_expects(smooth):
    written = encode_picture(Picture(smooth, metadata=Metadata(iptc=IPTC)), ".tif")
    with Image.open(io.BytesIO(written)) as image:
        assert image.tag_v2.tagtype[33723] == 4
    assert struct.pack("<HHI", 33723, 4, (len(IPTC) + 3) // 4) in written


def test_iptc_in_a_png_as_imagemagick_hides_it(smooth):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Raw profile type iptc", f"\niptc\n{len(IPTC):8}\n{IPTC.hex()}\n")
    assert read_picture(saved(Image.fromarray(smooth), "PNG", pnginfo=texts)).metadata.iptc == IPTC
    assert iptc.raw_profile("\niptc\n 3\nnot hex") == b""


# What cameras attach -------------------------------------------------------------------------------------------------


def test_a_motion_photo_becomes_a_picture_that_does_not_lie(smooth):
    speaks = GCAMERA + b' C:MotionPhoto="1" C:MicroVideoOffset="5580" C:Kept="yes"'
    data = jpeg(smooth, xmp=XMP % (b" " + speaks)) + b"a film"
    receipt = receipt_for(data, ".jpg")
    assert entries(receipt)["film"] == "dropped"
    assert any("film" in line for line in receipt.told())
    written = encode_picture(read_picture(data), ".jpg")
    assert b"MotionPhoto" not in written
    assert b"MicroVideo" not in written
    assert b'C:Kept="yes"' in written
    assert "film" not in entries(receipt_for(written, ".jpg"))


def test_a_film_behind_samsungs_trailer_is_noticed(smooth):
    assert entries(receipt_for(jpeg(smooth) + b"MotionPhoto_Data film SEFT", ".jpg"))["film"] == "dropped"
    assert "film" not in entries(receipt_for(jpeg(smooth) + b"SEFT", ".jpg"))


def multi_picture(smooth, second):
    """An MPO of Pillow, whose second picture holds those bytes in a segment."""
    buffer = io.BytesIO()
    image, other = Image.fromarray(smooth), Image.fromarray(smooth[:20, :30])
    image.save(buffer, "MPO", save_all=True, append_images=[other])
    return buffer.getvalue().replace(
        b"\xff\xd9\xff\xd8", b"\xff\xd9\xff\xd8" + (segment(0xE1, second) if second else b"")
    )


def test_further_pictures_and_gain_maps_are_noticed(smooth):
    assert entries(receipt_for(multi_picture(smooth, b""), ".jpg"))["further pictures"] == "dropped"
    said = entries(receipt_for(multi_picture(smooth, b"http://ns.adobe.com/xap/1.0/\0" + XMP % HDRGM), ".jpg"))
    assert said["gain map"] == "dropped"
    assert "further pictures" not in said
    ultra = jpeg(smooth, xmp=XMP % (b" " + HDRGM + b' hdrgm:Version="1.0"'))
    assert entries(receipt_for(ultra, ".jpg"))["gain map"] == "dropped"
    assert b"hdrgm:Version" not in encode_picture(read_picture(ultra), ".jpg")


@pytest.mark.skipif("HEIF" not in FORMATS, reason="the package pillow-heif is missing")
def test_what_a_heic_holds_beside_its_picture_is_noticed(smooth):
    image, other = Image.fromarray(smooth), Image.fromarray(smooth[:32, :32])
    plain = saved(image, "HEIF")
    assert set(entries(receipt_for(plain, ".heic"))) == {"format"}
    two = saved(image, "HEIF", save_all=True, append_images=[other])
    assert entries(receipt_for(two, ".heic"))["further pictures"] == "dropped"
    film = plain + struct.pack(">I", 16) + b"mpvd" + b"a film.."
    assert entries(receipt_for(film, ".heic"))["film"] == "dropped"
    brands = plain[: plain.index(b"meta")]
    toned = brands[:16] + brands[16:].replace(b"mif1", b"tmap", 1) + plain[len(brands) :]
    assert entries(receipt_for(toned, ".heic"))["gain map"] == "dropped"


def test_xmp_is_cleaned_without_touching_the_rest():
    inside = b"""<?xpacket begin=''?><x:xmpmeta xmlns:x="adobe:ns:meta/"><r:D xmlns:r="r" xmlns:dc="dc" %s
      xmlns:G="http://ns.google.com/photos/1.0/container/" xmlns:C="http://ns.google.com/photos/1.0/camera/"%s>%s<dc:t>a
      horse</dc:t></r:D></x:xmpmeta><?xpacket end="w"?>\0\0"""
    attributes = b""" C:MotionPhoto = '1' hdrgm:Version="1.0" """.rstrip()
    elements = b'<G:Directory><r:S><r:i G:x="/>"/></r:S></G:Directory><hdrgm:Off/><hdrgm:On a="1/>" />'
    elements += b"<C:MicroVideo>1</C:MicroVideo>"
    clean = clean_xmp(inside % (HDRGM, attributes, elements))
    assert clean.xmp == inside % (HDRGM, b"", b"")
    assert (clean.film, clean.gain_map, clean.extended, clean.broken) == (True, True, False, False)
    assert clean_xmp(clean.xmp) == type(clean)(clean.xmp)
    assert clean_xmp(inside % (HDRGM, b' C:MotionPhoto="0"', b"")).film is False
    assert clean_xmp((inside % (HDRGM, attributes, elements))[:300]).broken


# The receipt ---------------------------------------------------------------------------------------------------------


def test_a_wrong_name_is_said(smooth):
    receipt = receipt_for(saved(Image.fromarray(smooth), "PNG"), ".jpg", ".jpg")
    assert entries(receipt)["format"] == "converted"
    assert receipt.told() == ["The file is PNG, although its name ends in .jpg; the result is JPEG."]


def test_what_goes_without_saying_is_not_told(smooth):
    assert receipt_for(jpeg(smooth, exif_block()), ".jpg").told() == []
    grey = Image.fromarray(smooth).convert("P")
    assert entries(receipt_for(saved(grey, "PNG"), ".png"))["palette"] == "converted"
    assert receipt_for(saved(grey, "PNG"), ".png").told() == []
    opaque = Image.fromarray(np.dstack([smooth, np.full((40, 60), 255, np.uint8)]))
    assert "transparency" not in entries(receipt_for(saved(opaque, "PNG"), ".jpg"))


def test_a_receipt_goes_through_json(smooth):
    receipt = receipt_for(jpeg(smooth, exif_block()), ".gif")
    adapter = TypeAdapter(Receipt)
    assert adapter.validate_json(adapter.dump_json(receipt)) == receipt


def test_a_header_is_short_and_ascii(smooth):
    def value(fates):
        return header_value(Receipt("PNG", "PNG", tuple(Note(f, f"thing {n}", "é" * 60) for n, f in enumerate(fates))))

    few, kept, lost, many = (
        value(fates) for fates in (["kept"], ["kept"] * 7 + ["dropped"], ["dropped"] * 20, ["dropped"] * 999)
    )
    for text in (few, kept, lost, many):
        assert text.isascii()
        assert len(text) <= 4000
    assert json.loads(few)["entries"][0] == {"what": "thing 0", "outcome": "kept", "detail": "é" * 60}
    assert "shortened" not in json.loads(few)
    assert [entry["what"] for entry in json.loads(kept)["entries"]] == [f"thing {n}" for n in range(8)]
    assert [set(entry) for entry in json.loads(lost)["entries"]] == [{"what", "outcome"}] * 20
    assert json.loads(lost)["shortened"]
    assert json.loads(many)["shortened"]
    shorter = json.loads(value(["kept"] * 30 + ["dropped"]))
    assert [entry["what"] for entry in shorter["entries"]] == ["thing 30"]
    assert shorter["entries"][0]["detail"] == "é" * 60


def test_names_of_texts_are_short_and_do_not_steer_a_terminal(smooth):
    texts = {f"\x1b[2J {number} é": "x" for number in range(300)}
    picture = Picture(smooth, metadata=Metadata(texts=tuple(texts.items())), format="PNG")
    (told,) = receipt_of([picture], None, ".png", 1, ".png").entries[1:]
    assert told.detail == "Texts (?[2J 0 é, ?[2J 1 é, ?[2J 2 é, ?[2J 3 é, ?[2J 4 é, ...) are in the result."


def test_comments_and_damaged_exif_are_said(smooth):
    data = jpeg(smooth, segments=segment(0xFE, b"one"), comment=b"two")
    picture = read_picture(data)
    assert set(picture.metadata.comment.split(b"\n")) == {b"one", b"two"}
    assert entries(receipt_of([picture], None, ".jpg", 1))["comments"] == "converted"
    assert entries(receipt_for(jpeg(smooth, b"Exif\0\0not a block"), ".jpg"))["EXIF"] == "dropped"
