"""Reading pictures: every common file becomes upright sRGB pixels, frame by frame where it has several."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TgaImagePlugin, TiffImagePlugin, UnidentifiedImageError

from zorse.errors import ImageError
from zorse.imaging import avif
from zorse.imaging.bmp import plain_bmp
from zorse.imaging.colour import (
    has_way_back,
    image_to_srgb,
    is_rgb,
    is_srgb,
    tagged_to_srgb,
    to_srgb,
    unkept_profile,
)
from zorse.imaging.colour_tags import read_colour_tags
from zorse.imaging.custom_readers import has_reader, read_custom
from zorse.imaging.deep import (
    Deep,
    DepthError,
    PageFirst,
    check_samples,
    decode_deep,
    decoders_agree,
    deep_grey,
    has_deep_planes,
)
from zorse.imaging.deep_heif import decode_deep_heif
from zorse.imaging.depth import reading_loss
from zorse.imaging.encoding import read_encoding
from zorse.imaging.formats import ANIMATED_FORMATS, TGA_SUFFIXES, readable_formats
from zorse.imaging.gif import GifFrames
from zorse.imaging.kinds import not_a_picture, reading_failed, refuse_other_kinds
from zorse.imaging.limits import MOST_FRAMES, own_limits
from zorse.imaging.metadata import Described, read_metadata
from zorse.imaging.orientation import upright
from zorse.imaging.parts import check_parts
from zorse.imaging.picture import Animation, Encoding, Note, Picture, Pixels
from zorse.imaging.png import MAX_TEXT, scale_transparency, without_long_texts
from zorse.imaging.pnm import plain_pnm
from zorse.imaging.profile import grey_to_srgb
from zorse.imaging.quiet import silence_pillow
from zorse.imaging.second_opinion import is_confirmed
from zorse.imaging.structure import StructureError
from zorse.imaging.tiff_compression import unread_compression
from zorse.imaging.tiff_directories import Page, read_pages
from zorse.imaging.tiff_structure import LOSSLESS, check_structure, put_first
from zorse.imaging.unwritten import digest, filled_memory, one_decoder

Source = str | Path | bytes | BinaryIO
"""A path, the content of a file, or a file opened for reading in binary mode."""

MAX_PIXELS = 250_000_000
"""Pictures of more pixels, all frames together, are refused: a small file can unfold to more than the memory holds."""


_TGA_END = b"TRUEVISION-XFILE.\0"
_SPARE_ALPHA = ("BMP", "TGA")
"""Formats whose fourth byte may be unused: where it is 0 everywhere, the picture is opaque."""

_LONG_TEXTS = Note(
    "dropped",
    "long texts",
    f"Texts or a profile are left out: unpacked they take more than {MAX_TEXT // 2**20} MB.",
)

silence_pillow()


class PictureFile:
    """An opened file with one or more frames; `open_pictures` makes it.

    Iterating decodes one frame after the other and gives each as a `Picture` of the file's full size.

    Raises:
        ImageError: a frame is damaged.
    """

    def __init__(
        self,
        image: Image.Image,
        numbers: list[int],
        largest: tuple[int, int],
        stream: io.BytesIO,
        name: str,
        max_pixels: int | None,
        gif: GifFrames | None = None,
        notes: tuple[Note, ...] = (),
        second_opinion: bool = False,
    ) -> None:
        self._image = image
        self._gif = gif
        self._numbers = numbers
        self.largest = largest
        """Width and height that hold each of the frames, in pixels: a file's pages differ."""
        self._stream = stream
        self._name = name
        self._max_pixels = max_pixels
        self._notes = notes
        self._second_opinion = second_opinion
        self._again: _TiffAgain | None = None
        self._durations: dict[int, float] = {}

    @property
    def format(self) -> str:
        """Pillow's name of the format; "JPEG" also for the JPEGs with several pictures that cameras write."""
        return _format(self._image)

    @property
    def mode(self) -> str:
        """Pillow's name of how the file stores colours: "RGB", "L", "P", "CMYK", ..."""
        return self._image.mode

    @property
    def height(self) -> int:
        """Rows of a frame as the file stores it, in pixels."""
        return self._image.height

    @property
    def width(self) -> int:
        """Columns of a frame as the file stores it, in pixels."""
        return self._image.width

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return self._image.width * self._image.height

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Picture]:
        for number in range(len(self)):
            yield self.frame(number)

    def frame(self, number: int) -> Picture:
        """Decodes one frame, counted from 0.

        Raises:
            ImageError: it is damaged or too large.
        """
        place = f" (frame {number + 1} of {len(self)})" if len(self) > 1 else ""
        try:
            return self._decoded(number)
        except (DepthError, StructureError) as error:
            raise ImageError(f"{self._name}{place} {error}") from error
        except ImageError:
            raise
        except MemoryError as error:
            raise ImageError(
                f"{self._name} is too large for the free memory. Close other programs or shrink it."
            ) from error
        except Exception as error:  # decoders raise everything from OSError to struct.error for a damaged file
            raise reading_failed(self._name, self._stream.getvalue(), error, place) from error

    def _decoded(self, number: int) -> Picture:
        image, data = self._image, self._stream.getvalue()
        if self._gif is not None:
            shown = self._gif.frame(number)
            shown.format = image.format
            self._durations[number] = float(self._gif.duration(number))
            return _picture(shown, read_metadata(image, data), data, None)
        image.seek(self._numbers[number])
        check_pixels(self._name, image.width, image.height, self._max_pixels)
        # Pillow turns a TIFF upright while it decodes it, and forgets what its tags said; the metadata of a PNG may
        # follow its pixels.
        early = read_metadata(image, data) if self.format == "TIFF" else None
        with own_limits():
            if isinstance(image, TiffImagePlugin.TiffImageFile):
                self._again = self._again or _TiffAgain(data)
                deep = _tiff_loaded(image, data, self._again)
            else:
                image.load()
                deep = decode_deep(image, data) or decode_deep_heif(image, data)
            if self._second_opinion and not is_confirmed(image, data, early.orientation if early else 1):
                raise StructureError(
                    "is damaged, or stored in a rare way: two decoders read it differently. Save it again."
                )
            self._durations[number] = float(image.info.get("duration") or 0)
            picture = _picture(image, early or read_metadata(image, data), data, deep)
        return replace(picture, notes=self._notes + picture.notes) if self._notes else picture

    def only_frame(self) -> Iterator[Picture]:
        """Decodes the first frame and lets go of the file: with Pillow's pixels it takes more memory than the picture.

        Raises:
            ImageError: it is damaged or too large.
        """
        picture = self.frame(0)
        self._numbers = self._numbers[:1]
        self._again = None
        self._image.close()
        self._stream.close()
        yield picture

    def animation(self) -> Animation | None:
        """How the frames are played; None for a single picture and for the pages of a TIFF. Call it after the last."""
        if len(self) == 1 or self.format == "TIFF":
            return None
        info = self._image.info
        return Animation(
            durations=tuple(self._durations.get(number, 0.0) for number in range(len(self))),
            plays=self._plays(),
            background=info.get("background") if self.format == "WEBP" else None,
            default_image=bool(info.get("default_image")),
        )

    def _plays(self) -> int:
        """0 for ever."""
        if self._gif is not None:
            return self._gif.plays
        if self.format == "AVIF":
            return avif.plays(self._stream.getvalue())
        return int(self._image.info.get("loop") or 0)


@contextmanager
def open_pictures(
    source: Source,
    max_pixels: int | None = MAX_PIXELS,
    *,
    only_first: bool = False,
    second_opinion: bool = False,
) -> Iterator[PictureFile]:
    """A file whose header is read and whose size is checked; its pixels are not decoded yet.

    Args:
        source: a path, the content of a file, or a file opened for reading in binary mode.
        max_pixels: most pixels of all frames together; None for no limit.
        only_first: whether the file is taken as if it held only its first frame.
        second_opinion: whether TIFFs and BMPs are decoded by OpenCV, too, and refused where the two decoders differ:
            for files that nobody vouches for.

    Raises:
        ImageError: missing, empty, too large, damaged, or not a picture.
    """
    name, data = _content(source)
    if not data:
        raise ImageError(f"{name} is empty (0 bytes). A copy or download that broke off? Get the file again.")
    try:
        pages = read_pages(data, 1 if only_first else MOST_FRAMES + 1)
        check_parts(data)
        gif = GifFrames(data) if data.startswith(b"GIF8") else None
        refuse_other_kinds(name, data)
        plain = plain_bmp(data, max_pixels) or plain_pnm(data, max_pixels) or data
    except StructureError as error:
        raise ImageError(f"{name} {error}") from error
    except ValueError as error:  # of the GIF or PNM
        raise reading_failed(name, data, error) from error
    data, is_shortened = without_long_texts(plain)
    stream, image = _opened(data, name)
    with stream, image:
        check_pixels(name, image.width, image.height, max_pixels)
        try:
            numbers = [image.tell()] if only_first else _frames(image, gif, pages)
            largest = _largest(image, gif, [pages[number] for number in numbers] if pages else [])
        except StructureError as error:
            raise ImageError(f"{name} {error}") from error
        except Exception as error:  # decoders raise everything from OSError to struct.error for a damaged file
            raise reading_failed(name, data, error) from error
        check_pixels(name, *largest, max_pixels, len(numbers))
        del data, plain  # the stream holds it, and may let go of it
        yield PictureFile(
            image,
            numbers,
            largest,
            stream,
            name,
            max_pixels,
            gif,
            (_LONG_TEXTS,) if is_shortened else (),
            second_opinion,
        )


def read_picture(source: Source, max_pixels: int | None = MAX_PIXELS) -> Picture:
    """Reads any common picture: upright, converted to sRGB, first frame of an animation.

    Grey, palette, CMYK, 16-bit and transparent pictures are taken as they are meant; 16 bits stay 16 bits.

    Args:
        source: a path, the content of a file, or a file opened for reading in binary mode.
        max_pixels: larger pictures are refused; None for no limit.

    Raises:
        ImageError: missing, empty, damaged, too large, or not a picture.
    """
    if isinstance(source, str | Path) and has_reader(Path(source)):
        return read_custom(Path(source))
    with open_pictures(source, max_pixels, only_first=True) as file:
        return file.frame(0)


def picture_from_pil(image: Image.Image) -> Picture:
    """A Pillow image of any mode as upright sRGB `Picture`; what `image.info` holds (profile, EXIF) is used.

    Raises:
        ImageError: no pixels, or a mode that has no defined colours.
    """
    if 0 in image.size:
        raise ImageError(f"The picture is {image.width}x{image.height} pixels; it needs at least 1x1.")
    try:
        return _picture(image, read_metadata(image), None, None)
    except DepthError as error:
        raise ImageError(f"The picture {error}") from error
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        raise ImageError(f"The {image.mode} picture cannot be used ({error}). Convert it to RGB first.") from error


def _content(source: Source) -> tuple[str, bytes]:
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
    if not hasattr(source, "read"):  # None, as OpenCV gives it for a missing file
        raise ImageError(
            f"The picture is a {type(source).__name__}; wanted: a path, a Pillow image, an array of pixels, the "
            "content of a file, or an opened file."
        )
    return str(getattr(source, "name", "The picture")), source.read()


def _opened(data: bytes, name: str) -> tuple[io.BytesIO, Image.Image]:
    """The file, and its header read, its pixels not yet decoded."""
    stream = io.BytesIO(data)
    try:
        with own_limits():
            return stream, _identified(stream, name)
    except UnidentifiedImageError as error:
        repaired = avif.repaired(data)
        if repaired is None:
            raise _not_identified(name, data) from error
    except Exception as error:  # as in `PictureFile.frame`
        raise reading_failed(name, data, error) from error
    return _opened(repaired, name)


def _identified(stream: io.BytesIO, name: str) -> Image.Image:
    """What the first decoder makes of a file that takes it for its own."""
    try:
        return Image.open(stream, formats=readable_formats())
    except UnidentifiedImageError:  # a TGA has no signature at its begin, and an old one has none at all
        if not stream.getvalue().endswith(_TGA_END) and Path(name).suffix.lower() not in TGA_SUFFIXES:
            raise
    stream.seek(0)
    return TgaImagePlugin.TgaImageFile(stream)


def _not_identified(name: str, data: bytes) -> ImageError:
    if (rarity := _rare_tiff(data)) is not None:
        return ImageError(f"{name} {rarity}")
    return not_a_picture(name, data)


class _TiffAgain:
    """A TIFF opened once more, to decode its pages a second time, or by another decoder.

    Args:
        data: the content of the file.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    @cached_property
    def image(self) -> Image.Image:
        """The file as Pillow sees it."""
        return _opened(self._data, "The picture")[1]

    def page_first(self, page: int) -> NDArray[np.uint8]:
        """The content with that page in front, until the next call."""
        put_first(self._content, self._directories[page])
        return np.frombuffer(self._content, np.uint8)

    @cached_property
    def _content(self) -> bytearray:
        return bytearray(self._data)

    @cached_property
    def _directories(self) -> list[int]:
        return [page.start for page in read_pages(self._data, MOST_FRAMES + 1)]


def _tiff_loaded(image: TiffImagePlugin.TiffImageFile, data: bytes, again: _TiffAgain) -> Deep | None:
    """Decodes a page, and where it has 16 bits of colour gives them and the alpha.

    Raises:
        StructureError: parts of it were never written.
    """
    check_structure(image, data)
    page = partial(again.page_first, image.tell()) if image.tell() else None
    if image.tag_v2.get(TiffImagePlugin.COMPRESSION, 1) in LOSSLESS:
        deep = _decoded(image, data, page)
        is_whole = True
    else:
        with one_decoder:
            with filled_memory(0):
                again.image.seek(image.tell())
                before = _digest(again.image, _decoded(again.image, data, page))
            with filled_memory(1):
                deep = _decoded(image, data, page)
        is_whole = _digest(image, deep) == before
    if not is_whole or (deep is not None and not decoders_agree(image, deep)):
        raise StructureError("is damaged: some of its pixels are missing. Get or save the file again.")
    return deep


def _decoded(image: Image.Image, data: bytes, page_first: PageFirst | None) -> Deep | None:
    if not has_deep_planes(image):
        image.load()
    return decode_deep(image, data, page_first)


def _digest(image: Image.Image, deep: Deep | None) -> bytes:
    return digest(None if has_deep_planes(image) else image, deep)


def _rare_tiff(data: bytes) -> str | None:
    """What there is to say of a TIFF that Pillow does not know, whose directory is all there; None of other files."""
    pages = read_pages(data, 1)
    if not pages or not pages[0].is_whole:
        return None
    return unread_compression(pages[0].compression) or (
        "is a kind of TIFF that cannot be read: floating point or signed, more than 16 bits, or rare channels. Save it "
        "as RGB or grey with 8 or 16 bits per channel."
    )


def check_pixels(name: str, width: int, height: int, max_pixels: int | None, frames: int = 1) -> None:
    """Makes sure that a file of that name may be unfolded.

    Raises:
        ImageError: it has more pixels than may be read.
    """
    if max_pixels is None or width * height * frames <= max_pixels:
        return
    size = f"{width}x{height}" if frames == 1 else f"{frames} frames of {width}x{height}"
    raise ImageError(
        f"{name} has {size} pixels; Zorse reads at most {max_pixels // 10**6} million, since a small file can unfold "
        "to more than the memory holds. If you trust the file and have the memory, allow it with --allow-large (in "
        "Python: max_pixels=None). Else shrink it or cut it into parts first."
    )


def _frames(image: Image.Image, gif: GifFrames | None, pages: list[Page]) -> list[int]:
    """Pillow's numbers of the frames that are pictures of their own.

    Raises:
        StructureError: there are too many.
    """
    if image.format not in ANIMATED_FORMATS:
        return [image.tell()]
    count = len(pages) or (getattr(image, "n_frames", 1) if gif is None else len(gif))
    if count > MOST_FRAMES:
        raise StructureError(f"has more than {MOST_FRAMES} frames or pages. Cut it into several files.")
    whole = [number for number in range(count) if not (pages and pages[number].is_reduced)]
    return whole or [0]


def _largest(image: Image.Image, gif: GifFrames | None, pages: list[Page]) -> tuple[int, int]:
    """Width and height that hold all that is decoded of each frame."""
    sizes = [image.size if gif is None else gif.largest, *((page.width, page.height) for page in pages)]
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _format(image: Image.Image) -> str:
    return "JPEG" if image.format == "MPO" else image.format or ""


def _picture(image: Image.Image, described: Described, data: bytes | None, deep: Deep | None) -> Picture:
    """Decoded image -> Picture. `data` is the file's content where there is a file, `deep` its 16 bits of colour."""
    orientation = described.orientation
    turn = 1 if image.format == "TIFF" else orientation  # Pillow and OpenCV decode a TIFF upright
    tags, notes = read_colour_tags(image, data)
    if tags is not None:
        image.info.pop("icc_profile", None)  # a PNG's cICP goes before its profile
    if image.format == "PNG" and data is not None:
        scale_transparency(image, data)
    rgb, alpha, native, profile = _pixels(image, deep)
    if tags is not None:
        rgb, native, profile = tagged_to_srgb(rgb, tags)
    elif profile is None and image.info.get("icc_profile", b"") != b"":
        notes += (unkept_profile(image),)
    lost = reading_loss(image, data, rgb)
    return Picture(
        rgb=upright(rgb, turn),
        alpha=None if alpha is None else upright(alpha, turn),
        icc_profile=profile,
        colour_tags=tags,
        native=None if native is None else upright(native, turn),
        metadata=described.metadata,
        format=_format(image),
        encoding=Encoding() if data is None else read_encoding(image, data),
        orientation=orientation,
        notes=(*described.notes, *notes, *(() if lost is None else (lost,))),
    )


def _pixels(image: Image.Image, deep: Deep | None) -> tuple[Pixels, Pixels | None, Pixels | None, bytes | None]:
    """sRGB, alpha, colours in the profile, and the profile; 16 bits where the file has them."""
    kind = image.format
    check_samples(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = deep_grey(image)
        clear = image.info.get("transparency")  # the grey that is transparent
        alpha = np.where(values == clear, np.uint16(0), np.uint16(65535)) if isinstance(clear, int) else None
        grey = grey_to_srgb(values, image.info.get("icc_profile") or b"")
        return np.repeat(grey[:, :, None], 3, axis=2), alpha, None, None
    if deep is not None:
        rgb, alpha = deep
        return _deep_to_srgb(rgb, alpha, image.info.get("icc_profile"))
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA") if image.mode not in ("LA", "RGBA") else image
        alpha = np.array(image.getchannel("A"))
        if kind in _SPARE_ALPHA and not alpha.any():
            alpha = None
    srgb, native, profile = image_to_srgb(image)
    return srgb, alpha, native, profile


def _deep_to_srgb(
    pixels: Pixels, alpha: Pixels | None, profile: bytes | None
) -> tuple[Pixels, Pixels | None, Pixels | None, bytes | None]:
    if not profile:
        return pixels, alpha, None, None
    if not is_rgb(profile):
        return grey_to_srgb(np.asarray(pixels, dtype=np.uint16), profile), alpha, None, None
    if is_srgb(profile):
        return pixels, alpha, None, profile
    srgb = to_srgb(pixels, profile)
    return (srgb, alpha, pixels, profile) if has_way_back(profile) else (srgb, alpha, None, None)
