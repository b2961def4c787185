"""Whole picture files through a model, from content to content: every frame, in the format that came."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from zorse.confined.files import ConfinedPicture, open_confined
from zorse.errors import ConfigError
from zorse.imaging.io import Picture
from zorse.imaging.receipt import Receipt
from zorse.runtime.streamed.execute import Progress
from zorse.runtime.translator import Size
from zorse.system.stopping import check_stopped
from zorse_app import texts
from zorse_app.gate import GatedTranslator
from zorse_app.limits import Limits
from zorse_app.shelf import Shelf

_DIGITS = 5

Tell = Callable[[float, float | None], None]
"""Is told which share of the work is done, 0 to 1, and how many seconds the rest will take, if that is known. What it
raises ends the work."""

_looking = threading.BoundedSemaphore(4)
"""So many files at a time are looked at before they have a turn."""

_GLANCE = 0.2
"""Seconds between two looks at whether one that waits for that is still wanted."""


@contextmanager
def _turn_to_look() -> Iterator[None]:
    while not _looking.acquire(timeout=_GLANCE):
        check_stopped()
    try:
        yield
    finally:
        _looking.release()


def silence(done: float, remaining: float | None) -> None:
    """Ignores the progress."""


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
    before: Picture
    """Pixels of the first frame."""
    after: Picture
    """Their translation."""
    seconds: float
    """That the translation took."""


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
    shelf: Shelf, file: PictureFile, wish: Wish, check: Callable[[], None] = lambda: None, tell: Tell = silence
) -> TranslatedFile:
    """Translates a picture or animation; metadata, transparency and profile stay.

    The file is read and written in a process of its own. Its turn comes once for all that it takes: reading,
    translating and writing.

    Args:
        shelf: the models.
        file: the picture.
        wish: model, size and strength.
        check: is called between the frames; what it raises ends the work.
        tell: is told how far the work is.

    Raises:
        TooLarge: beyond the limits.
        ImageError: not a picture, or damaged.
        UnknownModel: no such model.
        ConfigError: size or strength make no sense.
        Busy, TimeUsedUp, TakesTooLong, Stopped: see `GatedTranslator.translate`.
    """
    shelf.gate.limits.check_bytes(file.n_bytes)
    work = _Work(shelf.translator(wish.model), wish, check, tell)
    with ExitStack() as stack:
        with _turn_to_look():
            opened = stack.enter_context(open_file(file, shelf.gate.limits))
            needed = work.needed(opened)
        is_next = shelf.gate.has_room(needed)
        if not is_next:  # what waits for its turn does not wait in memory
            stack.close()
        with shelf.gate.work(needed):
            return work.done(opened if is_next else stack.enter_context(open_file(file, shelf.gate.limits)))


def open_file(file: PictureFile, limits: Limits) -> AbstractContextManager[ConfinedPicture]:
    """The file, with its header read; see `open_confined`."""
    return open_confined(file.content(), file.name, limits.file_memory, limits.check_picture)


class _Work:
    """The translation of one file."""

    def __init__(self, translator: GatedTranslator, wish: Wish, check: Callable[[], None], tell: Tell) -> None:
        self._translator, self._wish, self._check, self._tell = translator, wish, check, tell
        self._first: list[tuple[Picture, Picture]] = []
        self._frames = 0
        self._seconds = 0.0

    def needed(self, file: ConfinedPicture) -> int:
        """Bytes that it takes."""
        return self._translator.needed(file.height, file.width, {"size": self._wish.size}, len(file))

    def done(self, file: ConfinedPicture) -> TranslatedFile:
        """The file with every frame translated."""
        content, receipt = file.translated(partial(self._translated, len(file)))
        before, after = self._first[0]
        return TranslatedFile(content, file.suffix, receipt, before, after, self._seconds)

    def _translated(self, count: int, picture: Picture) -> Picture:
        self._check()
        start = time.perf_counter()
        report = partial(self._report, count)
        translated = self._translator.translate(
            picture, size=self._wish.size, strength=self._wish.strength, report=report
        )
        self._seconds += time.perf_counter() - start
        if self._frames == 0:
            self._first.append((picture, translated))
        self._frames += 1
        self._tell(self._frames / count, None)
        return translated

    def _report(self, count: int, progress: Progress) -> None:
        """Of the frames before only their number is known; a picture tells of its own tiles."""
        self._tell((self._frames + progress.done) / count, progress.remaining if count == 1 else None)
