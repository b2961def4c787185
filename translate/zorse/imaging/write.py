"""Writing pictures: in the format of the name, with all that the file they came from held beside the colours."""

import errno
import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from zorse.errors import DiskFull, ImageError
from zorse.imaging.animation import paletted, timing_options
from zorse.imaging.avif import with_plays
from zorse.imaging.colour import fitted, own_colours
from zorse.imaging.colour_tags import with_colour_tags
from zorse.imaging.deep import encode_deep_png
from zorse.imaging.deep_heif import encode_deep_heif
from zorse.imaging.encoding import encoding_options
from zorse.imaging.formats import ANIMATED_FORMATS, OPAQUE_FORMATS, WRITE_FORMATS
from zorse.imaging.gif import join_frames
from zorse.imaging.metadata import info, save_options, tiff_tags
from zorse.imaging.picture import Animation, Picture, to_uint8
from zorse.imaging.tiff import Page, encode_tiff
from zorse.system.atomic import replacing


def picture_to_pil(picture: Picture) -> Image.Image:
    """An 8-bit RGB or RGBA Pillow image in the picture's own profile, with profile and metadata in `info`.

    HDR has no profile: its image is sRGB.
    """
    return _pil(fitted(picture, ""))


def _pil(picture: Picture) -> Image.Image:
    image = Image.fromarray(to_uint8(own_colours(picture)))
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(to_uint8(picture.alpha)))
    image.info.update(info(picture))
    return image


def write_picture(path: str | Path, picture: Picture, quality: int | None = None) -> None:
    """Writes a picture in the format of the path's suffix; the file appears complete or not at all.

    Alpha, ICC profile and metadata are kept where the format has them; JPEG and BMP have no alpha: white shows through.
    uint16 pixels stay 16-bit in PNG and TIFF. Missing folders are made.

    Args:
        path: ends in one of `WRITE_FORMATS`.
        picture: what to write.
        quality: of JPEG, WebP, AVIF and HEIC, 1..100; None for that of the file that the picture was read from.

    Raises:
        ImageError: unknown suffix, or the file cannot be written.
        DiskFull: no space is left for it.
    """
    path = Path(path)
    write_file(path, encode_picture(picture, path.suffix, quality))


def write_file(path: Path, content: bytes) -> None:
    """Writes a file, which appears complete or not at all; missing folders are made.

    Raises:
        ImageError: it cannot be written.
        DiskFull: no space is left for it.
    """
    with writing(path) as file:
        file.write(content)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which appears at `path` when the block has ended well; missing folders are made.

    Raises:
        ImageError: it cannot be written.
        DiskFull: no space is left for it.
    """
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        if DiskFull.is_meant_by(error):
            raise DiskFull.of(path, error) from error
        remedy = "Choose a shorter name" if error.errno == errno.ENAMETOOLONG else "Check its permissions"
        raise ImageError(
            f"{path} could not be written ({error.strerror or error}). {remedy} or choose another place."
        ) from error


def encode_picture(picture: Picture, suffix: str, quality: int | None = None) -> bytes:
    """The content of a picture file, as `write_picture` writes it.

    Raises:
        ImageError: no format that Zorse writes has that suffix, or the format cannot hold the picture.
    """
    return encode_pictures([picture], suffix, quality=quality)


def encode_pictures(
    frames: Sequence[Picture], suffix: str, animation: Animation | None = None, quality: int | None = None
) -> bytes:
    """The content of a file with one or more frames.

    Args:
        frames: at least one; metadata and compression are those of the first. Formats with one picture take the first.
        suffix: of the file, as in `WRITE_FORMATS`.
        animation: how the frames are played; None shows each for 100 ms, again and again.
        quality: as in `write_picture`.

    Raises:
        ImageError: no format that Zorse writes has that suffix, or the format cannot hold the picture.
    """
    format = write_format(suffix)
    frames = [fitted(frame, format) for frame in frames]
    return with_colour_tags(_encoded(frames, format, animation, quality), frames[0].colour_tags, format)


def _encoded(frames: Sequence[Picture], format: str, animation: Animation | None, quality: int | None) -> bytes:
    first = frames[0]
    try:
        if format == "TIFF":
            return encode_tiff([_page(frame) for frame in frames])
        if len(frames) > 1 and format == "PNG" and first.rgb.dtype == np.uint16:
            raise ImageError(
                f"{len(frames)} pictures of 16 bits per channel cannot be written as one PNG: moving ones have 8. Use "
                ".tif, which holds them as they are, or .webp, which has 8 bits."
            )
        if len(frames) > 1 and format in ANIMATED_FORMATS:
            return _encode_animation(frames, format, animation, quality)
        if format == "PNG" and first.rgb.dtype == np.uint16:
            return encode_deep_png(own_colours(first), first.alpha, save_options(first, format))
        if format == "HEIF" and first.rgb.dtype == np.uint16:
            options = _options(first, format, quality)
            return encode_deep_heif(own_colours(first), first.alpha, first.encoding.bits, options)
        return _saved(_image(first, format), format, **_options(first, format, quality))
    except (OSError, ValueError, struct.error) as error:
        size = f"{first.width}x{first.height}"
        raise ImageError(f"A {size} picture cannot be written as {format} ({error}). Try .png.") from error


def write_format(suffix: str) -> str:
    """Pillow's name of the format that a suffix stands for.

    Raises:
        ImageError: no format that Zorse writes has it.
    """
    format = WRITE_FORMATS.get(suffix.lower())
    if format is None:
        known = ", ".join(WRITE_FORMATS)
        raise ImageError(f"Pictures cannot be written as {suffix or 'a file without suffix'!r}. Use one of {known}.")
    return format


def _encode_animation(
    frames: Sequence[Picture], format: str, animation: Animation | None, quality: int | None
) -> bytes:
    animation = animation or Animation(durations=(100.0,) * len(frames))
    images = [_image(frame, format) for frame in frames]
    if format == "GIF" and any("transparency" in image.info for image in images):
        comment = save_options(frames[0], format).get("comment", b"")
        return join_frames(images, animation.durations, animation.plays, comment)
    options = _options(frames[0], format, quality) | timing_options(animation, format)
    content = _saved(images[0], format, save_all=True, append_images=images[1:], **options)
    return with_plays(content, animation.plays) if format == "AVIF" else content


def _options(picture: Picture, format: str, quality: int | None) -> dict[str, Any]:
    return save_options(picture, format) | encoding_options(picture, format, quality)


def _image(picture: Picture, format: str) -> Image.Image:
    """The picture as Pillow's encoder of a format takes it."""
    image = _pil(picture)
    image.info.clear()
    if image.mode == "RGBA" and format in OPAQUE_FORMATS:
        return _over_white(image)
    return paletted(image) if format == "GIF" else image


def _page(picture: Picture) -> Page:
    return Page(own_colours(picture), picture.alpha, tiff_tags(picture), picture.encoding.tiff_compression)


def _saved(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _over_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white
