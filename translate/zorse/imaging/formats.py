"""Which files are pictures, and in which formats pictures are written.

HEIC is read and written where the package `pillow-heif` is installed, AVIF where Pillow was built with it.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, features

from zorse.errors import ImageError
from zorse.imaging.custom_readers import has_reader


def _register_heif() -> bool:
    """Tells Pillow about HEIC where the plugin is there."""
    if find_spec("pillow_heif") is None:
        return False
    import_module("pillow_heif").register_heif_opener()
    return True


HEIF_SUFFIXES = (".heic", ".heif", ".hif")
"""Of files that are pictures whether or not they can be read here."""

_HEIF = dict.fromkeys(HEIF_SUFFIXES, "HEIF") if _register_heif() else {}
_AVIF = {".avif": "AVIF"} if features.check("avif") else {}

WRITE_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".png": "PNG",
    ".apng": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".dib": "BMP",
    **_AVIF,
    **_HEIF,
}
"""Suffix of a file to write -> Pillow's name of the format."""

TGA_SUFFIXES = frozenset({".tga", ".icb", ".vda", ".vst"})
"""Of a format without a signature: old files are known by their name only."""

_READ_ONLY = frozenset(
    {".avif", ".mpo", ".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", *TGA_SUFFIXES}
)

READ_SUFFIXES = frozenset({*WRITE_FORMATS, *_READ_ONLY})
"""What `find_pictures` takes for a picture. `read_picture` looks at the content, not at the name."""

ANIMATED_FORMATS = frozenset({"GIF", "WEBP", "PNG", "AVIF", "TIFF"})
"""Formats with several frames; the frames of a TIFF are its pages."""

OPAQUE_FORMATS = frozenset({"JPEG", "BMP"})
"""Formats that are written without transparency: white shows through."""

# Pillow knows formats that start other programs (EPS: Ghostscript); only these are opened.
_READ_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF", "PPM", "JPEG2000")

_SUFFIXES = {"MPO": ".jpg"} | {format: suffix for suffix, format in reversed(WRITE_FORMATS.items())}


def readable_formats() -> list[str]:
    """Pillow's names of the formats that may be opened and can be."""
    Image.init()
    return [format for format in _READ_FORMATS if format in Image.OPEN]


def format_name(format: str) -> str:
    """What people call a format, by Pillow's name of it."""
    return {"WEBP": "WebP", "HEIF": "HEIC"}.get(format, format)


def written_suffix(suffix: str) -> str:
    """The suffix that a picture of that suffix is written with: its own, or that of another format."""
    if suffix.lower() in WRITE_FORMATS:
        return suffix
    return ".jpg" if suffix.lower() == ".mpo" else ".png"  # an MPO is a JPEG with further pictures behind it


def suffix_of(format: str) -> str:
    """The suffix to write a format with (Pillow's name of it); .png for what is only read, or not known."""
    return _SUFFIXES.get(format, ".png")


def holds_frames(suffix: str) -> bool:
    """Whether a file of that suffix may hold several frames or pages."""
    return WRITE_FORMATS.get(suffix.lower()) in ANIMATED_FORMATS


def find_pictures(folder: str | Path) -> list[Path]:
    """All picture files in a folder and its subfolders, sorted, by suffix; hidden files and folders are skipped.

    Raises:
        ImageError: there is no such folder.
    """
    return [path for path in find_files(folder) if is_picture_name(path)]


def is_picture_name(path: Path) -> bool:
    """Whether a file is a picture, by the end of its name."""
    return path.suffix.lower() in READ_SUFFIXES or has_reader(path)


def find_files(folder: str | Path, leave_out: Callable[[Path, str], None] | None = None) -> list[Path]:
    """All files in a folder and its subfolders, sorted; hidden files and folders are skipped, links are followed.

    Args:
        folder: where.
        leave_out: is told what is there and cannot be read, or is hidden, and why: broken links, pipes, subfolders
            without permission, hidden files. Without it, such subfolders are errors.

    Raises:
        ImageError: there is no such folder, or it may not be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder. Check the path.")
    return sorted(_files_in(folder, frozenset(), leave_out))


def special_kind(mode: int) -> str | None:
    """What a file is that has no content of its own, by its mode (`st_mode`); None for files and folders."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    kinds = ((stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
    return next((kind for is_kind, kind in kinds if is_kind(mode)), "device")


def _files_in(
    folder: Path, above: frozenset[tuple[int, int]], leave_out: Callable[[Path, str], None] | None
) -> Iterator[Path]:
    """The files of a folder; `above` names the folders that it lies in, which links may lead back to."""
    tell = leave_out or (lambda _path, _reason: None)
    try:
        status = folder.stat()
        around = above | {(status.st_dev, status.st_ino)}
        if around == above:
            tell(folder, "the link leads back to a folder that it lies in.")
            return
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError as error:
        if above and leave_out is not None:
            tell(folder, f"the folder cannot be read ({error.strerror}). Check its permissions.")
            return
        raise ImageError(f"The folder {folder} cannot be read ({error.strerror}). Check its permissions.") from error
    for entry in entries:
        path = Path(entry)
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            if not entry.name.startswith("."):  # some editors mark open files by hidden links
                tell(path, _unreachable(path, error))
            continue
        if entry.name.startswith("."):
            if _may_be_meant(path, mode):
                tell(path, "its name begins with a dot, so that it is hidden. Rename it to have it translated.")
        elif stat.S_ISDIR(mode):
            yield from _files_in(path, around, leave_out)
        elif (kind := special_kind(mode)) is not None:
            tell(path, f"it is a {kind}, not a file.")
        else:
            yield path


def _unreachable(path: Path, error: OSError) -> str:
    """Why a name leads to no file."""
    if path.is_symlink() and isinstance(error, FileNotFoundError):
        return "the link leads nowhere. Bring back the file that it leads to, or remove it."
    if error.errno == errno.ELOOP:
        return "the link leads to itself. Remove it."
    return f"it cannot be reached ({error.strerror}). Check its permissions."


def _may_be_meant(hidden: Path, mode: int) -> bool:
    """Whether a hidden file is not one that macOS puts beside others (`._a.jpg`), or a hidden folder has a picture."""
    if not stat.S_ISDIR(mode):
        return stat.S_ISREG(mode) and not hidden.name.startswith("._")
    try:
        with os.scandir(hidden) as entries:
            return any(is_picture_name(Path(entry)) for entry in entries)
    except OSError:
        return False
