"""Zip files that visitors send: pictures come out of them, and nothing else.

No name from a zip is ever used as a place to write to: names with '..' or an absolute path are refused, whatever a
system cannot write is replaced. What a zip claims of its sizes is not believed: bytes are counted while they unfold.
"""

import hashlib
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from zorse.errors import ZorseError
from zorse.imaging.io import READ_SUFFIXES
from zorse_app import texts

_CHUNK = 2**20
_LONGEST_PART = 100
"""Characters of a file's or a folder's name; file systems take 255 bytes."""
_DEEPEST = 64
_LONGEST_PATH = 1000
"""Bytes of a path below the folder; systems take 4096 for all of it."""
_ENCRYPTED = 0x1
# What Python's zipfile raises for a damaged file, a kind of zip that it does not know, or a wrong checksum.
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
)
_LEFT_BY_SYSTEMS = ("__MACOSX", "Thumbs.db", "desktop.ini")


class ArchiveError(ZorseError):
    """A zip file that cannot be used."""


@dataclass(frozen=True)
class ZipLimits:
    """What a zip may unfold to."""

    files: int = 20_000
    file_bytes: int = 50 * 10**6
    total_bytes: int = 4 * 10**9


@dataclass
class Contents:
    """What has come out of a zip so far."""

    pictures: int = 0
    n_bytes: int = 0
    left_out: list[str] = field(default_factory=list)
    """Names of files that are no pictures, as far as their endings tell."""


@dataclass(frozen=True)
class ArchivedPicture:
    """A file in a zip whose name ends like a picture's."""

    name: str
    """A relative path with slashes that every system can write; what all files of the zip have in common is left
    out of it."""
    data: bytes


def read_pictures(
    archive: Path, called: str, limits: ZipLimits | None = None, contents: Contents | None = None
) -> Iterator[ArchivedPicture]:
    """The pictures in a zip, one after the other, in the order of their names.

    Args:
        archive: the file.
        called: its name on the visitor's computer, for messages.
        limits: what it may unfold to.
        contents: counts what comes out, also that of several zips together.

    Raises:
        ArchiveError: no zip, damaged, encrypted, with names that lead out of it, larger than allowed, or without
            pictures. Names and limits are checked before the first picture is given.
    """
    limits, contents = limits or ZipLimits(), contents or Contents()
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _pictures(opened, called, limits, contents)
            names = _names([entry.filename for entry in entries])
            for entry, name in zip(entries, names, strict=True):
                with opened.open(entry) as file:
                    data = _read(file, entry.filename, called, limits, contents)
                contents.pictures += 1
                yield ArchivedPicture(name, data)
    except _DAMAGES as error:
        raise ArchiveError(_damaged(archive, called, error)) from error


def unpack_pictures(
    archive: Path, called: str, folder: Path, limits: ZipLimits | None = None, contents: Contents | None = None
) -> None:
    """Writes the pictures of a zip into a folder, in subfolders as they are in the zip; nothing is overwritten.

    Args:
        archive: the file.
        called: its name on the visitor's computer, for messages.
        folder: where to; it is made.
        limits: what the zip may unfold to.
        contents: counts what comes out, also that of several zips together.

    Raises:
        ArchiveError: see `read_pictures`; what had been written by then stays in the folder.
    """
    for picture in read_pictures(archive, called, limits, contents):
        target = folder / picture.name
        target.parent.mkdir(parents=True, exist_ok=True)
        free_name(target).write_bytes(picture.data)


def free_name(file: Path) -> Path:
    """The file, or, where there is one of its name, one that is named likewise: of two sides of pairs always alike."""
    while file.exists():
        file = file.with_name(f"{file.stem}_{file.suffix}")
    return file


def count_files(archive: Path) -> int:
    """How many files a zip holds, whatever they are; 1 where it cannot be opened."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return len(_files(opened)) or 1
    except _DAMAGES:
        return 1


def is_zip(file: Path) -> bool:
    """Whether a file is a zip, whatever it is called."""
    return zipfile.is_zipfile(file)


def _files(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Without folders, and without what systems put into zips by themselves."""
    return [entry for entry in opened.infolist() if not entry.is_dir() and not _is_hidden(entry.filename)]


def _pictures(opened: zipfile.ZipFile, called: str, limits: ZipLimits, contents: Contents) -> list[zipfile.ZipInfo]:
    files = _files(opened)
    if len(files) > limits.files:
        raise ArchiveError(texts.ZIP_TOO_MANY.format(name=called, count=len(files), limit=limits.files))
    for entry in files:
        _check_name(entry.filename, called)
    pictures = [entry for entry in files if PurePosixPath(_slashed(entry.filename)).suffix.lower() in READ_SUFFIXES]
    if not pictures:
        found = texts.ZIP_FOUND_OTHERS.format(count=len(files)) if files else texts.ZIP_FOUND_NOTHING
        kinds = ", ".join(sorted(READ_SUFFIXES))
        raise ArchiveError(texts.ZIP_WITHOUT_PICTURES.format(name=called, found=found, kinds=kinds))
    if any(entry.flag_bits & _ENCRYPTED for entry in pictures):
        raise ArchiveError(texts.ZIP_LOCKED.format(name=called))
    if sum(entry.file_size for entry in pictures) > limits.total_bytes - contents.n_bytes:
        raise ArchiveError(_too_much(called, limits))
    chosen = {id(entry) for entry in pictures}
    contents.left_out += [entry.filename for entry in files if id(entry) not in chosen]
    return sorted(pictures, key=lambda entry: entry.filename)


def _read(file: IO[bytes], entry: str, called: str, limits: ZipLimits, contents: Contents) -> bytes:
    """All of one file; stops as soon as it unfolds to more than allowed."""
    parts, length = [], 0
    while part := file.read(_CHUNK):
        parts.append(part)
        length += len(part)
        contents.n_bytes += len(part)
        if length > limits.file_bytes:
            limit = limits.file_bytes // 10**6
            raise ArchiveError(texts.ZIP_ENTRY_TOO_LARGE.format(entry=_short(entry), name=called, limit=limit))
        if contents.n_bytes > limits.total_bytes:
            raise ArchiveError(_too_much(called, limits))
    return b"".join(parts)


def _too_much(called: str, limits: ZipLimits) -> str:
    return texts.ZIP_TOO_LARGE.format(name=called, limit=f"{limits.total_bytes / 10**9:.3g}")


def _damaged(archive: Path, called: str, error: Exception) -> str:
    if not zipfile.is_zipfile(archive):
        return texts.ZIP_IS_NONE.format(name=called)
    return texts.ZIP_DAMAGED.format(name=called, reason=error)


def _check_name(name: str, called: str) -> None:
    path = PurePosixPath(_slashed(name))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
        raise ArchiveError(texts.ZIP_LEADS_OUT.format(name=called, entry=_short(name)))
    if len(path.parts) > _DEEPEST or len(name.encode("utf-8", "surrogatepass")) > _LONGEST_PATH:
        raise ArchiveError(texts.ZIP_TOO_DEEP.format(name=called, limit=_DEEPEST))


def _is_hidden(name: str) -> bool:
    """What systems put into zips beside what people put there."""
    parts = PurePosixPath(_slashed(name)).parts
    return not parts or any(part in _LEFT_BY_SYSTEMS for part in parts) or parts[-1].startswith("._")


def _slashed(name: str) -> str:
    return name.replace("\\", "/")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_PART else f"{name[:_LONGEST_PART]}..."


def _names(raw: list[str]) -> list[str]:
    """Paths that can be written, all different, without the folders that all of them share."""
    paths = [PurePosixPath(_slashed(name)).parts for name in raw]
    shared = 0
    while all(len(parts) > shared + 1 and parts[shared] == paths[0][shared] for parts in paths):
        shared += 1
    taken: set[str] = set()
    names = []
    for parts in paths:
        name = "/".join(written_name(part) for part in parts[shared:])
        while name.lower() in taken:
            path = PurePosixPath(name)
            name = str(path.with_name(f"{path.stem}_{path.suffix}"))
        taken.add(name.lower())
        names.append(name)
    return names


def written_name(part: str) -> str:
    """A file name that every system takes; names that differ stay different, equal ones equal, also across zips."""
    plain = re.sub(r'[\x00-\x1f\x7f<>:"|?*/\\]', "_", part).strip(" ") or "_"
    plain = f"_{plain[1:]}" if plain.startswith(".") else plain
    if plain == part and len(part.encode()) <= _LONGEST_PART:
        return plain
    path = PurePosixPath(plain)
    mark = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{path.stem.encode('utf-8', 'ignore')[:60].decode('utf-8', 'ignore')}_{mark}{path.suffix[:10]}"
