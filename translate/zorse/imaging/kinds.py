"""What a file is that is not read, or not read completely, in words: another kind of file is not a damaged picture."""

import re

from zorse.errors import ImageError
from zorse.imaging.formats import readable_formats
from zorse.imaging.jpeg_head import frame
from zorse.imaging.raw_photos import is_raw_photo

_COMMON = "Save it as PNG, JPEG or TIFF first."

_KINDS = (
    ("a JPEG XL picture", 0, b"\xff\x0a"),
    ("a JPEG XL picture", 4, b"JXL \r\n\x87\n"),
    ("a JPEG XR picture", 0, b"II\xbc\x01"),
    ("a JPEG-LS picture", 0, b"\xff\xd8\xff\xf7"),
    ("a Photoshop file", 0, b"8BPS"),
    ("a GIMP file", 0, b"gimp xcf"),
    ("a Krita or OpenRaster file", 30, b"mimetypeapplication/x-krita"),
    ("a Krita or OpenRaster file", 30, b"mimetypeimage/openraster"),
    ("an OpenEXR picture", 0, b"v/1\x01"),
    ("a Radiance HDR picture", 0, b"#?RADIANCE"),
    ("a Radiance HDR picture", 0, b"#?RGBE"),
    ("a PDF file", 0, b"%PDF-"),
    ("a PostScript file", 0, b"%!PS"),
    ("a PostScript file", 0, b"\xc5\xd0\xd3\xc6"),
    ("a Windows icon", 0, b"\0\0\1\0"),
    ("a Windows metafile", 0, b"\xd7\xcd\xc6\x9a"),
    ("a Windows metafile", 40, b" EMF"),
    ("an Apple icon", 0, b"icns"),
    ("a DDS texture", 0, b"DDS "),
    ("a KTX texture", 0, b"\xabKTX "),
    ("a QOI picture", 0, b"qoif"),
    ("a BPG picture", 0, b"BPG\xfb"),
    ("a FLIF picture", 0, b"FLIF"),
    ("a DjVu file", 0, b"AT&TFORM"),
    ("a FITS file", 0, b"SIMPLE  ="),
    ("a DICOM file", 128, b"DICM"),
    ("an SGI picture", 0, b"\x01\xda"),
    ("a Sun raster picture", 0, b"Y\xa6j\x95"),
    ("a PCX picture", 0, b"\n\5\1"),
    ("a PAM picture", 0, b"P7\n"),
    ("a MATLAB file", 0, b"MATLAB "),
    ("a NumPy file", 0, b"\x93NUMPY"),
    ("a ZIP archive", 0, b"PK\3\4"),
    ("a gzip archive", 0, b"\x1f\x8b"),
    ("a PNG for iPhone programs (CgBI)", 12, b"CgBI"),
)
"""Name, where its mark lies, and the mark."""

_VIDEOS = (
    ("MP4 or QuickTime", ".mp4", 4, b"ftyp"),
    ("QuickTime", ".mov", 4, b"moov"),
    ("QuickTime", ".mov", 4, b"mdat"),
    ("QuickTime", ".mov", 4, b"wide"),
    ("Matroska or WebM", ".mkv", 0, b"\x1aE\xdf\xa3"),
    ("AVI", ".avi", 8, b"AVI "),
    ("MPEG", ".mpg", 0, b"\0\0\1\xba"),
    ("MPEG", ".mpg", 0, b"\0\0\1\xb3"),
    ("Flash", ".flv", 0, b"FLV\1"),
    ("Windows Media", ".wmv", 0, b"0&\xb2u\x8ef\xcf\x11"),
)
"""Container, its usual suffix, where its mark lies, and the mark."""

_TS_PACKET = 188
"""Bytes after which a transport stream repeats its mark."""

_TEXTS = ((re.compile(rb"<svg[\s>]", re.I), "an SVG drawing"), (re.compile(rb"<(!doctype )?html", re.I), "a web page"))
_TEXT_HEAD = 1024
"""Bytes in which a text says what it is."""

_HEIF = re.compile(rb"ftyp(hei[cxms]|hev[cx]|avif|avis|mif1|msf1)")

_BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\0\0\0\x0cjP  ")
"""Of TIFF, PNG, JPEG, GIF and JPEG 2000 files: what begins so and is no picture is what is left of one."""

_NOT_READ = re.compile(r"unsupported|not supported|not implemented|unknown|unimplemented|cannot handle|no codec", re.I)
"""In the words of a decoder: it does not know a way of storing that the file names."""

_JPEG_PROCESSES = {
    0xC3: "a lossless JPEG",
    0xC5: "a hierarchical JPEG",
    0xC6: "a hierarchical JPEG",
    0xC7: "a hierarchical JPEG",
    0xC9: "a JPEG with arithmetic coding",
    0xCA: "a JPEG with arithmetic coding",
    0xCB: "a lossless JPEG",
    0xF7: "a JPEG-LS picture",
}
"""What a JPEG's frame marker says about how it is stored, where libjpeg does not read it. Source: ITU T.81, B.1."""


def refuse_other_kinds(name: str, data: bytes) -> None:
    """Makes sure that a file is not of a kind that holds something else than a finished picture, as far as it says.

    Raises:
        ImageError: it is a raw photo, or of a kind that Zorse does not read.
    """
    if is_raw_photo(data):
        raise ImageError(
            f"{name} is a raw photo: what the camera's sensor measured, and a small preview. Develop it first "
            "(darktable, RawTherapee or the camera's own program) and save it as TIFF or JPEG."
        )
    kind = next((kind for kind, place, mark in _KINDS if data.startswith(mark, place)), None)
    if kind is not None:
        raise _other_kind(name, kind)


def not_a_picture(name: str, data: bytes) -> ImageError:
    """What to say about a file that no decoder takes for its own."""
    for pattern, kind in _TEXTS:
        if pattern.search(data[:_TEXT_HEAD]):
            return _other_kind(name, kind)
    heif = _HEIF.match(data, 4)
    if heif and heif[1].startswith(b"he") and "HEIF" not in readable_formats():
        return ImageError(f"{name} is a HEIC picture. Install what reads it: pip install pillow-heif.")
    if heif:
        return ImageError(
            f"{name} is an AVIF or HEIC picture that is damaged or cut off, or of a kind that Zorse does not read. Get "
            "the file again, or save it as PNG, JPEG or TIFF first."
        )
    if not heif and (video := _video(data)) is not None:
        kind, suffix = video
        return ImageError(
            f"{name} is a video ({kind}) and not a picture. Give it a name that ends in {suffix}, and Zorse translates "
            "it as a video."
        )
    if data.startswith(_BEGINNINGS) or (data.startswith(b"RIFF") and data.startswith(b"WEBP", 8)):
        return reading_failed(name, data, ValueError("its head is incomplete or wrong"))
    return ImageError(
        f"{name} is not a picture that can be read. Wanted: JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC, JPEG 2000, "
        f"TGA or PNM{'' if 'HEIF' in readable_formats() else ' (HEIC needs the package pillow-heif)'}."
    )


def reading_failed(name: str, data: bytes, error: Exception, place: str = "") -> ImageError:
    """What to say about a picture that a decoder began and gave up.

    Args:
        name: of the file.
        data: its content.
        error: of the decoder.
        place: which frame, in words that follow "completely".
    """
    kind = _jpeg_kind(data)
    if kind is not None:
        return _other_kind(name, kind)
    reason = " ".join(str(error).split())
    if _NOT_READ.search(reason):
        return ImageError(
            f"{name} is stored in a way that Zorse does not read, or is damaged{place} ({reason}). {_COMMON}"
        )
    return ImageError(
        f"{name} is damaged or cut off and cannot be read completely{place} ({reason}). Get or save the file again."
    )


def _video(data: bytes) -> tuple[str, str] | None:
    """Container and suffix of a video."""
    if all(data.startswith(b"G", place) for place in range(0, 4 * _TS_PACKET, _TS_PACKET)):
        return "a transport stream", ".ts"
    return next(((kind, suffix) for kind, suffix, place, mark in _VIDEOS if data.startswith(mark, place)), None)


def _other_kind(name: str, kind: str) -> ImageError:
    remedy = "A download that went wrong? Get the picture itself." if kind == "a web page" else _COMMON
    if "archive" in kind:
        remedy = "Unpack it first."
    return ImageError(f"{name} is {kind}, which Zorse does not read. {remedy}")


def _jpeg_kind(data: bytes) -> str | None:
    """What kind of JPEG it is, where libjpeg does not read that kind."""
    marker, bits, _ = frame(data) or (0, 8, 0)
    if marker in (0xC0, 0xC1, 0xC2) and bits != 8:
        return f"a JPEG of {bits} bits per channel"
    return _JPEG_PROCESSES.get(marker)
