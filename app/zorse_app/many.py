"""Many pictures at once: zips and files in, one zip out, with what failed in a list."""

import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from zorse.errors import ImageError, Stopped, ZorseError
from zorse.files.names import safe_path
from zorse.imaging.io import WRITE_FORMATS
from zorse.imaging.receipt import Receipt
from zorse_app import receipts, texts
from zorse_app.archives import ArchivedPicture, ArchiveError, Contents, ZipLimits, count_files, is_zip, read_pictures
from zorse_app.gate import Busy, TimeUsedUp
from zorse_app.limits import Limits
from zorse_app.picture_files import PictureFile, Tell, TranslatedFile, Wish, silence, translate_file
from zorse_app.service import Service
from zorse_app.uploads import Upload

MOST_FILES = 2000
"""More pictures are not taken at once."""

_FOLDED = 4
"""A zip may unfold to so many times what may be uploaded: JPEGs do not shrink in zips."""
_PATIENCE = 1.0
"""Seconds between two tries where the line is full."""


@dataclass
class Batch:
    """What became of many pictures."""

    download: Path
    """A zip of the results, each under its picture's name, in its folder, and their receipts."""
    total: int
    """Files that came, those in zips one by one."""
    done: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Name of each file that cannot be translated, and why."""
    receipts: dict[str, Receipt] = field(default_factory=dict)
    """What became of what the others held, by their names in the zip."""
    ended: str | None = None
    """Why not all of them had their turn; None where they had."""

    @property
    def missing(self) -> int:
        """Files that are not in the zip, among them those that had no turn."""
        return self.total - self.done


def translate_many(
    service: Service,
    sent: Sequence[Upload],
    wish: Wish,
    tell: Tell = silence,
    check: Callable[[], None] = lambda: None,
) -> Batch:
    """Translates pictures and zips of pictures; one that fails does not stop the others.

    Args:
        service: what translates.
        sent: what the visitor sent.
        wish: model, size and strength.
        tell: is told how far the work is.
        check: raises `Stopped` when the work shall end; what is done until then is kept.

    Raises:
        ImageError: nothing came, or too many.
        UnknownModel: no such model.
        ArchiveError, TooLarge: the only file is one that cannot be used.
    """
    total = sum(count_files(upload.path) if _is_zip(upload) else 1 for upload in sent)
    if not sent or total > MOST_FILES:
        raise ImageError(texts.MANY_TOO_MANY.format(count=total, limit=MOST_FILES) if sent else texts.NOT_UPLOADED)
    model = service.shelf.translator(wish.model).card.name
    folder = service.new_folder()
    batch = Batch(folder / f"{safe_path(Path(model[:80])).name}.zip", total)
    try:
        with zipfile.ZipFile(batch.download, "w", zipfile.ZIP_STORED) as results:
            try:
                _work(service, sent, wish, batch, results, tell, check)
            finally:
                results.writestr(receipts.FILE, receipts.file_content(batch.receipts))
    except Stopped:
        batch.ended = texts.MANY_STOPPED
    except TimeUsedUp as error:
        batch.ended = str(error)
    return batch


def _work(
    service: Service,
    sent: Sequence[Upload],
    wish: Wish,
    batch: Batch,
    results: zipfile.ZipFile,
    tell: Tell,
    check: Callable[[], None],
) -> None:
    taken: set[str] = set()
    start = time.monotonic()
    for picture in _pictures(sent, service.shelf.gate.limits, batch):
        check()
        try:
            translated = _translated(service, picture, wish, check)
        except (Stopped, TimeUsedUp):
            raise
        except ZorseError as error:
            batch.failures.append((picture.name, str(error)))
        else:
            name = _new_name(picture.name, translated.suffix, taken)
            results.writestr(name, translated.content)
            batch.receipts[name] = translated.receipt
            batch.done += 1
        share = min((batch.done + len(batch.failures)) / max(batch.total, 1), 1.0)
        tell(share, (time.monotonic() - start) * (1 / share - 1))


def _translated(service: Service, picture: ArchivedPicture, wish: Wish, check: Callable[[], None]) -> TranslatedFile:
    """Waits with patience where the line is full: nobody presses a button again for each of many pictures."""
    file = PictureFile(lambda: picture.data, PurePosixPath(picture.name).name, len(picture.data))
    while True:
        try:
            return translate_file(service.shelf, file, wish, check)
        except Busy:
            check()
            time.sleep(_PATIENCE)


def _pictures(sent: Sequence[Upload], limits: Limits, batch: Batch) -> Iterator[ArchivedPicture]:
    """All of them, one in memory at a time; what cannot be read goes to the failures."""
    contents = Contents()
    folded = ZipLimits(MOST_FILES, limits.file_bytes, _FOLDED * limits.request_bytes)
    for upload in sent:
        try:
            if _is_zip(upload):
                yield from read_pictures(upload.path, upload.name, folded, contents)
            else:
                limits.check_bytes(upload.path.stat().st_size)
                yield ArchivedPicture(str(safe_path(Path(Path(upload.name).name))), upload.path.read_bytes())
        except (ArchiveError, ImageError) as error:
            if len(sent) == 1 and not batch.done and not batch.failures:
                raise
            batch.failures.append((upload.name, str(error)))
    batch.failures += [(name, texts.MANY_NO_PICTURE) for name in contents.left_out]


def _is_zip(upload: Upload) -> bool:
    """By content, or by name: of a broken one it shall be said that it is a broken zip."""
    return is_zip(upload.path) or Path(upload.name).suffix.lower() == ".zip"


def _new_name(name: str, suffix: str, taken: set[str]) -> str:
    """The picture's own name, with another ending where another format was written; no two alike."""
    path = PurePosixPath(name)
    if WRITE_FORMATS.get(path.suffix.lower()) != WRITE_FORMATS[suffix]:
        path = path.with_name(f"{path.stem or path.name}{suffix}")
    number, free = 2, path
    while str(free).lower() in taken:
        free = path.with_name(f"{path.stem}_{number}{path.suffix}")
        number += 1
    taken.add(str(free).lower())
    return str(free)
