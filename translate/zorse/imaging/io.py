"""Reading and writing pictures: every common file becomes upright sRGB pixels, and goes back the way it came.

Networks see 3-channel sRGB. What a file holds beside that (alpha, ICC profile, EXIF, 16 bits) is kept in `Picture`, so
that a translated picture can be written with all of it.
"""

import io
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from zorse.atomic import replacing
from zorse.errors import ImageError

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

MAX_PIXELS = 250_000_000
"""Pictures of more pixels are refused: a small file can unfold to more than the memory holds."""

READ_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".ppm"})
"""What `find_pictures` takes for a picture. `read_picture` looks at the content, not at the name."""

WRITE_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
"""Suffix of a file to write -> Pillow's name of the format."""

# Pillow knows formats that start other programs (EPS: Ghostscript); only these are opened.
_READ_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM")

_pillow_limit = threading.Lock()


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright sRGB picture with what its file held beside the colours."""

    rgb: Pixels
    """(H, W, 3), uint8 or, from 16-bit files, uint16; sRGB over the full range of the dtype."""
    alpha: Pixels | None = None
    """(H, W) of the same dtype as `rgb`, 0 is transparent; None where the file has no transparency."""
    icc_profile: bytes | None = None
    """The file's RGB profile. `rgb` is sRGB already; writing converts it back into this profile."""
    exif: bytes = b""
    """EXIF block without the orientation, which is applied to the pixels."""
    format: str = ""
    """Pillow's name of the format it was read from ("JPEG", "PNG", ...); empty for pictures made in memory."""

    @property
    def height(self) -> int:
        """Rows, in pixels."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Columns, in pixels."""
        return int(self.rgb.shape[1])


def read_picture(source: str | Path | bytes | BinaryIO) -> Picture:
    """Reads any common picture: upright, converted to sRGB, first frame of an animation.

    Grey, palette, CMYK, 16-bit and transparent pictures are taken as they are meant. 16 bits are kept for pictures
    without profile or in sRGB; in other profiles they are reduced to 8, since the colour conversion works on 8 bits.

    Args:
        source: a path, the content of a file, or a file opened for reading in binary mode.
    Raises:
        ImageError: missing, empty, damaged, too large, or not a picture.
    """
    name, data = _content(source)
    if not data:
        raise ImageError(f"{name} is empty (0 bytes). A copy or download that broke off? Get the file again.")
    try:
        with _opened(data, name) as image:
            image.load()
            return _picture(image, data)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(f"{name} is too large for the free memory. Close other programs or shrink it.") from error
    except Exception as error:  # decoders raise everything from OSError to struct.error for a damaged file
        raise ImageError(
            f"{name} is damaged or cut off and cannot be read completely ({error}). Get or save the file again."
        ) from error


def picture_from_pil(image: Image.Image) -> Picture:
    """A Pillow image of any mode as upright sRGB `Picture`; what `image.info` holds (profile, EXIF) is used.

    Raises:
        ImageError: no pixels, or a mode that has no defined colours.
    """
    if 0 in image.size:
        raise ImageError(f"The picture is {image.width}x{image.height} pixels; it needs at least 1x1.")
    try:
        return _picture(image, None)
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        raise ImageError(f"The {image.mode} picture cannot be used ({error}). Convert it to RGB first.") from error


def picture_to_pil(picture: Picture) -> Image.Image:
    """An 8-bit RGB or RGBA Pillow image in the picture's own profile, with profile and EXIF in `info`."""
    image = Image.fromarray(to_uint8(picture.rgb))
    profile = picture.icc_profile
    if profile is not None:
        image = _from_srgb(image, profile)
        image.info["icc_profile"] = profile
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(to_uint8(picture.alpha)))
    if picture.exif:
        image.info["exif"] = picture.exif
    return image


def write_picture(path: str | Path, picture: Picture, quality: int = 95) -> None:
    """Writes a picture in the format of the path's suffix; the file appears complete or not at all.

    Alpha, ICC profile and EXIF are kept where the format has them; JPEG and BMP have no alpha: white shows through.
    uint16 pixels stay 16-bit in PNG and TIFF. Missing folders are made.

    Args:
        path: ends in .jpg, .jpeg, .jfif, .png, .webp, .tif, .tiff or .bmp.
        picture: what to write.
        quality: of JPEG and WebP, 1..100.
    Raises:
        ImageError: unknown suffix, or the file cannot be written.
    """
    path = Path(path)
    data = encode_picture(picture, path.suffix, quality=quality)
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise ImageError(
            f"{path} could not be written ({error.strerror or error}). Free space or pick another place."
        ) from error


def encode_picture(picture: Picture, suffix: str, quality: int = 95) -> bytes:
    """The content of a picture file, as `write_picture` writes it.

    Raises:
        ImageError: no format that Zorse writes has that suffix, or the format cannot hold the picture.
    """
    format = WRITE_FORMATS.get(suffix.lower())
    if format is None:
        known = ", ".join(WRITE_FORMATS)
        raise ImageError(f"Pictures cannot be written as {suffix or 'a file without suffix'!r}. Use one of {known}.")
    if picture.rgb.dtype == np.uint16 and format in ("PNG", "TIFF"):
        return _encode_16_bit(picture, format)
    image = picture_to_pil(picture)
    if image.mode == "RGBA" and format in ("JPEG", "BMP"):
        image = _over_white(image)
    options: dict[str, Any] = {"format": format}
    if picture.icc_profile is not None:
        options["icc_profile"] = picture.icc_profile
    # A JPEG segment holds 64 KB; a longer EXIF block (from a TIFF, say) cannot be kept.
    if picture.exif and not (format == "JPEG" and len(picture.exif) > 65_000):
        options["exif"] = picture.exif
    if format in ("JPEG", "WEBP"):
        options["quality"] = quality
    if format == "JPEG":
        options["subsampling"] = 0 if quality >= 95 else -1
    if format == "TIFF":
        options["compression"] = "tiff_deflate"
    buffer = io.BytesIO()
    try:
        image.save(buffer, **options)
    except (OSError, ValueError, struct.error) as error:
        size = f"{picture.width}x{picture.height}"
        raise ImageError(f"A {size} picture cannot be written as {format} ({error}). Try .png.") from error
    return buffer.getvalue()


def find_pictures(folder: str | Path) -> list[Path]:
    """All picture files in a folder and its subfolders, sorted, by suffix; hidden files and folders are skipped.

    Raises:
        ImageError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder. Check the path.")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in READ_SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def to_uint8(pixels: Pixels) -> NDArray[np.uint8]:
    """uint8 as it is; uint16 rounded to the nearest of 256 levels (65535 is 255)."""
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, dtype=np.uint8)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _content(source: str | Path | bytes | BinaryIO) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        return "The picture", source
    if isinstance(source, str | Path):
        path = Path(source)
        try:
            return str(path), path.read_bytes()
        except FileNotFoundError as error:
            raise ImageError(f"There is no picture {path}. Check the path.") from error
        except IsADirectoryError as error:
            raise ImageError(f"{path} is a folder; a picture file was expected.") from error
        except (OSError, ValueError) as error:
            raise ImageError(f"{path} cannot be opened ({error}). Check the path and its permissions.") from error
    return str(getattr(source, "name", "The picture")), source.read()


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """The file's header read, its size checked, its pixels not yet decoded."""
    Image.init()
    formats = [format for format in _READ_FORMATS if format in Image.OPEN]
    # Pillow warns at its own limit, a process-wide variable: it is lifted only while the header is read.
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(io.BytesIO(data), formats=formats)
        except UnidentifiedImageError as error:
            raise ImageError(
                f"{name} is not a picture that can be read. Wanted: JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF."
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(
                f"{name} has {image.width}x{image.height} pixels; Zorse reads at most {MAX_PIXELS // 10**6} million. "
                "Shrink it or cut it into parts first."
            )
        yield image


def _picture(image: Image.Image, data: bytes | None) -> Picture:
    """Decoded image -> Picture. `data` is the file's content where there is a file."""
    exif = image.getexif()
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    rgb, alpha, profile = _deep_pixels(image, data) or _pixels(image)
    return Picture(
        rgb=_upright(rgb, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        icc_profile=profile,
        exif=_exif_bytes(exif),
        format=image.format or "",
    )


def _pixels(image: Image.Image) -> tuple[Pixels, Pixels | None, bytes | None]:
    """sRGB, alpha and RGB profile of an image with 8 bits per channel (or 16 bits of grey)."""
    if image.mode.startswith("I") or image.mode == "F":
        return _grey_16_bit(image), None, None
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA") if image.mode not in ("LA", "RGBA") else image
        alpha = np.array(image.getchannel("A"))
    srgb, profile = _to_srgb(image)
    return np.array(srgb), alpha, profile


def _grey_16_bit(image: Image.Image) -> NDArray[np.uint16]:
    """Modes I;16 and I hold 0..65535; wider integers and floats have no defined white."""
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ImageError(
            f"The picture holds {values.dtype} values from {values.min():g} to {values.max():g}; it is not known which "
            "of them is white. Save it with 8 or 16 bits per channel."
        )
    return np.repeat(values.astype(np.uint16)[:, :, None], 3, axis=2)


def _deep_pixels(image: Image.Image, data: bytes | None) -> tuple[Pixels, Pixels | None, bytes | None] | None:
    """16-bit colour of a PNG or TIFF, which Pillow reduces to 8; None for everything else."""
    if data is None or image.mode not in ("RGB", "RGBA", "LA") or not _has_16_bits(image, data):
        return None
    profile = image.info.get("icc_profile")
    if profile is not None and not _is_srgb(profile):
        return None
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # libtiff warns of harmless tags
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    cv2.utils.logging.setLogLevel(level)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[1::-1] != image.size:
        return None
    if pixels.shape[2] == 4:
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB).astype(np.uint16), pixels[:, :, 3].astype(np.uint16), profile
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint16), None, profile


def _has_16_bits(image: Image.Image, data: bytes) -> bool:
    if image.format == "PNG":
        return data[24] == 16  # bit depth: after signature (8), chunk head (8), width and height (8)
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        return all(bits == 16 for bits in tags.get(258, (8,)))  # BitsPerSample
    return False


def _to_srgb(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """RGB image in sRGB, and the profile to write it in again (only RGB profiles that can be converted into)."""
    data = image.info.get("icc_profile")
    plain = image.convert("RGB") if image.mode not in ("L", "LA", "CMYK") else image
    if not data:
        return plain.convert("RGB"), None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        space = profile.profile.xcolor_space.strip()
        if space == "RGB" and _is_srgb(data):
            return plain.convert("RGB"), data
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[space]
        if mode != plain.mode.rstrip("A") and mode != "RGB":  # a profile for other data than the file's
            return plain.convert("RGB"), None
        flags = ImageCms.Flags.HIGHRESPRECALC | ImageCms.Flags.BLACKPOINTCOMPENSATION
        srgb = ImageCms.profileToProfile(
            plain.convert(mode), profile, ImageCms.createProfile("sRGB"), outputMode="RGB", flags=flags
        )
        if srgb is None:
            return plain.convert("RGB"), None
        return srgb, data if mode == "RGB" and _can_convert_into(profile) else None
    except (ImageCms.PyCMSError, OSError, KeyError):  # a damaged or exotic profile: browsers ignore it as well
        return plain.convert("RGB"), None


def _from_srgb(image: Image.Image, data: bytes) -> Image.Image:
    if _is_srgb(data):
        return image
    profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
    flags = ImageCms.Flags.HIGHRESPRECALC | ImageCms.Flags.BLACKPOINTCOMPENSATION
    converted = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), profile, flags=flags)
    return image if converted is None else converted


def _is_srgb(data: bytes) -> bool:
    """Whether a profile is one of the many that are called sRGB: their colours need no conversion."""
    try:
        return "srgb" in ImageCms.getProfileDescription(io.BytesIO(data)).lower()
    except (ImageCms.PyCMSError, OSError):
        return False


def _can_convert_into(profile: ImageCms.ImageCmsProfile) -> bool:
    """Camera and scanner profiles may have no way back from sRGB."""
    try:
        ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", "RGB")
    except ImageCms.PyCMSError:
        return False
    return True


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Applies EXIF orientation 1..8 to (H, W, ...) pixels; other values mean upright."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _exif_bytes(exif: Image.Exif) -> bytes:
    """A copy of the block without the orientation."""
    if not exif:
        return b""
    try:
        upright = Image.Exif()
        upright.load(exif.tobytes())
        upright.pop(ExifTags.Base.Orientation, None)
        return upright.tobytes() if upright else b""
    except Exception:  # tags of wrong types, as some cameras write them: the picture matters more
        return b""


def _over_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _encode_16_bit(picture: Picture, format: str) -> bytes:
    """PNG or TIFF through OpenCV, since Pillow has no 16-bit colour. Only PNG keeps profile and EXIF here."""
    pixels = cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2BGR)
    if picture.alpha is not None:
        pixels = np.dstack([pixels, picture.alpha])
    written, buffer = cv2.imencode(f".{format.lower()}", pixels)
    if not written:
        raise ImageError(f"A 16-bit picture of {picture.width}x{picture.height} cannot be written as {format}.")
    data = buffer.tobytes()
    if format != "PNG":
        return data
    chunks = b""
    if picture.icc_profile is not None:
        chunks += _png_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(picture.icc_profile))
    if picture.exif:
        chunks += _png_chunk(b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    return data[:33] + chunks + data[33:]  # 33: signature (8) and IHDR (25), which must come first


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
