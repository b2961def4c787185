"""Whole picture files through a model, from content to content: every frame, in the format that came."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from zorse.errors import ConfigError
from zorse.imaging.io import encode_pictures, open_pictures, suffix_of
from zorse.imaging.receipt import Receipt, receipt_of
from zorse.runtime.translator import Size
from zorse_app import texts
from zorse_app.gate import GatedTranslator
from zorse_app.shelf import Shelf

_DIGITS = 5

_looking = threading.Lock()


@dataclass(frozen=True)
class PictureFile:
    """A file that somebody sent."""

    content: Callable[[], bytes]
    """Reads it: what waits for its turn should not wait in memory."""
    name: str
    """What errors call it."""
    n_bytes: int


@dataclass(frozen=True)
class Wish:
    """How it shall be translated."""

    model: str
    size: Size = "auto"
    strength: float = 1.0


@dataclass(frozen=True)
class TranslatedFile:
    """What became of it."""

    content: bytes
    suffix: str
    """Of its format: ".jpg"."""
    receipt: Receipt
    """What the file held, and what became of it."""


def size_of(text: str) -> Size:
    """The size that a word or a number of pixels means.

    Raises:
        ConfigError: neither.
    """
    match text:
        case "auto" | "native" | "keep":
            return text
        case _ if text.isdecimal() and text.isascii() and len(text) <= _DIGITS:
            return int(text)
    raise ConfigError(texts.NO_SIZE.format(size=text[:50]))


def translate_file(
    shelf: Shelf, file: PictureFile, wish: Wish, check: Callable[[], None] = lambda: None
) -> TranslatedFile:
    """Translates a picture or animation; metadata, transparency and profile stay.

    Its turn comes once for all that it takes: reading, translating and writing.

    Args:
        shelf: the models.
        file: the picture.
        wish: model, size and strength.
        check: is called between the frames; what it raises ends the work.

    Raises:
        TooLarge: beyond the limits.
        ImageError: not a picture, or damaged.
        UnknownModel: no such model.
        ConfigError: size or strength make no sense.
        Busy, TimeUsedUp: see `Gate.work`.
    """
    shelf.gate.limits.check_bytes(file.n_bytes)
    translator = shelf.translator(wish.model)
    needed = _needed(translator, file, wish)
    with shelf.gate.work(needed), open_pictures(_named(file), max_pixels=None) as pictures:
        frames = []
        for picture in pictures:
            check()
            frames.append(translator.translate(picture, size=wish.size, strength=wish.strength))
        suffix = suffix_of(pictures.format)
        animation = pictures.animation()
        content = encode_pictures(frames, suffix, animation)
        receipt = receipt_of(frames, animation, suffix, len(pictures), PurePath(file.name).suffix)
        return TranslatedFile(content, suffix, receipt)


def _needed(translator: GatedTranslator, file: PictureFile, wish: Wish) -> int:
    """Bytes that the work takes, from the file's header. One file at a time is looked at."""
    with _looking, open_pictures(_named(file), max_pixels=None) as pictures:
        return translator.needed(pictures.height, pictures.width, {"size": wish.size}, len(pictures))


def _named(file: PictureFile) -> io.BytesIO:
    content = io.BytesIO(file.content())
    content.name = file.name
    return content
