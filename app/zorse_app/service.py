"""What the page does, without the page: a picture comes in, files to show and to download come out."""

import io
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zorse.card import ModelCard
from zorse.errors import ConfigError, ImageError
from zorse.imaging.edges import Lines, extract_edges
from zorse.imaging.io import Picture, encode_picture, read_picture
from zorse.imaging.tensor import resize
from zorse.runtime.translator import Size, Translator, working_size
from zorse_app import texts
from zorse_app.shelf import Shelf
from zorse_app.sketch import clean_lines, over_white

MAX_BYTES = 50 * 10**6
"""Larger files are refused."""

MAX_PIXELS = 60 * 10**6
"""Larger pictures are refused: a page has several visitors, and decoding alone takes 10 bytes per pixel."""

MAX_KEPT_PIXELS = 4 * 10**6
"""A network that works at the picture's own size takes about 1 KB per pixel of it."""

SHOWN_SIDE = 1600
"""Long side, in pixels, of the pictures in the before/after slider; the download has the full size."""

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}


@dataclass(frozen=True)
class Upload:
    """A file that a visitor sent."""

    path: Path
    name: str
    """As it was called on the visitor's computer."""


@dataclass(frozen=True)
class Outcome:
    """What the page shows."""

    before: Path
    """Picture for the slider's left side."""
    after: Path
    """Picture of the same size for its right side."""
    download: Path
    """The result at full size, in the format of the input where it can be written."""
    caption: str
    """Which model, in which state, measured how, and how long it took; Markdown."""


class Service:
    """Translates what visitors send. Safe to use from several threads.

    Args:
        shelf: the models.
        folder: where results are written; who made it empties it.
    """

    def __init__(self, shelf: Shelf, folder: Path) -> None:
        self.shelf = shelf
        self._folder = folder

    def translate_photo(self, photo: Upload, model: str, size: Size = "native", strength: float = 1.0) -> Outcome:
        """Translates a photo or painting at its own size.

        Args:
            photo: what the visitor sent.
            model: a name on the shelf.
            size: see `Translator.translate`.
            strength: 0 is the picture, 1 the translation.

        Raises:
            ImageError: not a picture, damaged, or too large.
            UnknownModel: no such model.
            ConfigError: size or strength make no sense.
        """
        picture = _read(photo)
        translator = self.shelf.translator(model)
        _check_working_size(picture, size, translator.card.native_size)
        start = time.perf_counter()
        translated = translator.translate(picture, size=size, strength=strength)
        seconds = time.perf_counter() - start
        name = f"{_plain(Path(photo.name).stem)}_{model}{_SUFFIXES.get(picture.format, '.png')}"
        return self._outcome(picture, translated, name, translator, seconds)

    def translate_sketch(self, sketch: Upload, model: str) -> Outcome:
        """Turns an uploaded sketch, also a photographed one, into a photo.

        Args:
            sketch: what the visitor sent.
            model: a name on the shelf, of a model that takes edges.

        Raises:
            ImageError: not a picture, damaged, too large, or without lines.
            UnknownModel: no such model.
        """
        picture = _read(sketch)
        translator = self.shelf.translator(model)
        lines = clean_lines(picture, translator.card.native_size)
        return self._from_lines(lines, translator, Path(sketch.name).stem)

    def translate_drawing(self, drawing: NDArray[np.uint8], model: str) -> Outcome:
        """Turns a drawing from the page's canvas into a photo.

        Args:
            drawing: (height, width, 3) sRGB.
            model: a name on the shelf, of a model that takes edges.

        Raises:
            ImageError: nothing is drawn.
            UnknownModel: no such model.
        """
        translator = self.shelf.translator(model)
        lines = clean_lines(Picture(drawing), translator.card.native_size)
        return self._from_lines(lines, translator, "drawing")

    def translate_edges(self, photo: Upload, model: str, detail: float = 0.5) -> Outcome:
        """Draws the edges of a photo and turns them into another photo.

        Args:
            photo: what the visitor sent.
            model: a name on the shelf, of a model that takes edges.
            detail: from 0, only the strongest edges, to 1, nearly all.

        Raises:
            ImageError: not a picture, damaged, too large, or without edges.
            UnknownModel: no such model.
            ConfigError: `detail` is outside 0..1.
        """
        if not 0 <= detail <= 1:
            raise ConfigError(f"The detail {detail!r} is not between 0 (the strongest edges) and 1 (nearly all).")
        picture = _read(photo)
        translator = self.shelf.translator(model)
        height, width = working_size(picture.height, picture.width, "native", translator.card.native_size)
        lines = extract_edges(resize(over_white(picture), height, width), detail=detail)
        return self._from_lines(lines, translator, f"{Path(photo.name).stem}_edges")

    def _from_lines(self, lines: Lines, translator: Translator, name: str) -> Outcome:
        if lines.min() == 255:
            raise ImageError(texts.NO_LINES)
        picture = Picture(np.repeat(lines[:, :, None], 3, axis=2))
        start = time.perf_counter()
        translated = translator.translate(picture, size="keep")
        seconds = time.perf_counter() - start
        return self._outcome(picture, translated, f"{_plain(name)}_{translator.card.name}.png", translator, seconds)

    def _outcome(self, before: Picture, after: Picture, name: str, translator: Translator, seconds: float) -> Outcome:
        folder = self._folder / secrets.token_hex(16)
        folder.mkdir(parents=True)
        outcome = Outcome(
            before=folder / "before.jpg",
            after=folder / "after.jpg",
            download=folder / name,
            caption=caption(translator.card, translator.provider, seconds),
        )
        outcome.before.write_bytes(_shown(before))
        outcome.after.write_bytes(_shown(after))
        outcome.download.write_bytes(encode_picture(after, outcome.download.suffix))
        return outcome


def caption(card: ModelCard, provider: str, seconds: float) -> str:
    """What a visitor should know about a result, as one line of Markdown."""
    parts = [f"**{card.task}**", texts.STATES[card.state]]
    parts += [f"{metric.name} {metric.value:.3g}" for metric in card.metrics[:2]]
    device = "GPU" if "CUDA" in provider else "CPU"
    parts.append(texts.TOOK.format(seconds=f"{seconds:.2f}", device=device))
    return " · ".join(parts)


def _read(upload: Upload) -> Picture:
    """Reads from memory, so that no error can name a path of this computer."""
    if upload.path.stat().st_size > MAX_BYTES:
        raise ImageError(texts.FILE_TOO_LARGE.format(limit=MAX_BYTES // 10**6))
    data = upload.path.read_bytes()
    _check_pixels(data)
    file = io.BytesIO(data)
    file.name = upload.name  # what errors call it
    return read_picture(file)


def _check_pixels(data: bytes) -> None:
    """Refuses pictures that unfold to too much, from their header; what is wrong otherwise `read_picture` says."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(texts.PICTURE_TOO_LARGE.format(limit=MAX_PIXELS // 10**6)) from None
    except Exception:  # decoders raise everything from OSError to struct.error for a damaged file
        return
    if width * height > MAX_PIXELS:
        raise ImageError(texts.PICTURE_TOO_LARGE.format(limit=MAX_PIXELS // 10**6))


def _check_working_size(picture: Picture, size: Size, native_size: int) -> None:
    height, width = working_size(picture.height, picture.width, size, native_size)
    if height * width > MAX_KEPT_PIXELS:
        raise ImageError(texts.WORK_TOO_LARGE.format(size=f"{width}x{height}", limit=f"{MAX_KEPT_PIXELS / 10**6:.0f}"))


def _shown(picture: Picture) -> bytes:
    rgb = over_white(picture)
    scale = min(1.0, SHOWN_SIDE / max(rgb.shape[:2]))
    rgb = resize(rgb, max(1, round(picture.height * scale)), max(1, round(picture.width * scale)))
    return encode_picture(Picture(rgb), ".jpg")


def _plain(stem: str) -> str:
    """A file name that every system takes."""
    return re.sub(r"[^\w.-]+", "_", stem)[:80].strip("._") or "picture"
