"""What a folder holds: files that are read, and all others with the reason why they are not.

Every command that reads a folder lists it here, so that none leaves a picture out without a word.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zorse.imaging.formats import HEIF_SUFFIXES, READ_SUFFIXES, find_files, is_picture_name, special_kind
from zorse.imaging.video.formats import VIDEO_SUFFIXES

_SUFFIXES = READ_SUFFIXES | VIDEO_SUFFIXES | {*HEIF_SUFFIXES}
"""HEIC counts even where it cannot be read: it is then said what is missing."""

_FIRST = 3
"""Names that a line gives."""

_RAW = "a camera's raw file, which has to be developed first. Save it as JPEG or TIFF in the camera's program"
_LAYERED = "a picture in layers, as its program saves it. Export it as PNG or TIFF"
_DRAWING = "a drawing, not pixels. Export it as PNG"
_RARE = "a kind of picture that Zorse does not read. Save it as PNG or TIFF"
_LIGHT = "an HDR picture without a defined white level. Save it as PNG or TIFF with 16 bits"
_VIDEO = "a kind of video that Zorse does not read. Convert it to .mp4 or .mkv"

_KINDS = {
    _RAW: ".dng .cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .raf .orf .rw2 .pef .srw .x3f .3fr .fff .iiq .kdc .dcr .mrw "
    ".rwl .erf .mef .mos .raw .gpr",
    _LAYERED: ".psd .psb .xcf .kra .ora .afphoto .clip .procreate",
    _DRAWING: ".svg .svgz .eps .ai .cdr .wmf .emf",
    _LIGHT: ".exr .hdr .pfm",
    _RARE: ".jxl .jxr .wdp .jls .heics .avifs .avci .bpg .flif .qoi .pcx .dds .ico .cur .icns .pam .sgi .ras .xbm "
    ".xpm .fits .dcm .djvu",
    _VIDEO: ".vob .asf .f4v .mxf .rm .rmvb .dv .ogm .mod .braw .r3d .insv .swf .mjpeg .mjpg .h264 .h265 .y4m",
}
_REASONS = {suffix: reason for reason, suffixes in _KINDS.items() for suffix in suffixes.split()}
"""Suffix -> what such a file is, and what to do. What can be read is not looked up here."""

_NO_HEIF = "a picture in HEIC. Install its reader: pip install pillow-heif"
_MOVING = "a video. Save its frames as pictures"

_DROPPINGS = frozenset({"thumbs.db", "desktop.ini", "icon\r"})
"""What systems put into folders, in lower case."""

_OPEN_PIPES = ("/dev/", "/proc/")
"""Where shells put pipes that somebody writes into already."""


@dataclass(frozen=True)
class LeftOut:
    """What is not read."""

    source: Path
    reason: str
    """What it is, and what to do: one sentence."""
    is_named: bool = False
    """Whether it was named itself, not the folder that it lies in."""
    kind: str = ""
    """Suffix in lower case that is the reason; empty for another reason."""
    is_folder: bool = False
    """Whether it is a folder that cannot be read: nobody knows what is missing."""


@dataclass(frozen=True)
class Listing:
    """What a folder and its subfolders hold, each list sorted."""

    files: list[Path]
    """That are read."""
    unread: list[LeftOut]
    """Pictures and videos of kinds that are not."""
    unreachable: list[LeftOut]
    """Links that lead nowhere, pipes, hidden pictures, folders without permission."""
    others: list[Path]
    """Neither pictures nor videos; what systems put into folders is not among them."""

    def told(self) -> list[str]:
        """What people should read of all that is left out."""
        left_out = lines([*self.unread, *self.unreachable])
        kinds = Counter(file.suffix.lower() for file in self.others)
        return [*left_out, other_line(kinds)] if kinds else left_out


def is_readable(file: Path) -> bool:
    """Whether a file's name says that it is a picture or video of a kind that is read."""
    return file.suffix.lower() in _SUFFIXES


def list_folder(
    folder: Path, *, pictures_only: bool = False, chosen: Callable[[Path], bool] = lambda _path: True
) -> Listing:
    """Everything in a folder and its subfolders; links are followed.

    Args:
        folder: where.
        pictures_only: whether videos are left out, too.
        chosen: whether a file that cannot be reached, by its path below the folder, would have been wanted.

    Raises:
        ImageError: there is no such folder, or it may not be read.
    """
    found = Listing([], [], [], [])

    def leave_out(path: Path, reason: str) -> None:
        is_folder, is_hidden = path.is_dir(), path.name.startswith(".")
        if is_hidden and not is_folder and not is_readable(path):
            return  # a system's or a program's
        if is_folder or chosen(path.relative_to(folder)):
            is_missing = is_folder and not is_hidden and not path.is_symlink()
            found.unreachable.append(LeftOut(path, reason, is_folder=is_missing))

    for file in find_files(folder, leave_out):
        if is_picture_name(file) if pictures_only else is_readable(file):
            found.files.append(file)
        elif (reason := reason_for(file, pictures_only=pictures_only)) is not None:
            found.unread.append(LeftOut(file, reason, kind=file.suffix.lower()))
        elif file.name.lower() not in _DROPPINGS:
            found.others.append(file)
    return found


def reason_for(file: Path, *, pictures_only: bool = False) -> str | None:
    """Why a file that looks like a picture or video is not read; None for others, and for what is read."""
    suffix = file.suffix.lower()
    if is_picture_name(file) or (is_readable(file) and not pictures_only):
        return None
    kind = _NO_HEIF if suffix in HEIF_SUFFIXES else _MOVING if suffix in VIDEO_SUFFIXES else _REASONS.get(suffix)
    return None if kind is None else f"{suffix} is {kind}."


def left_out_by_name(file: Path) -> LeftOut | None:
    """A file that was named and is not read; None for one that is, or that is not there.

    A pipe would be waited for, perhaps for ever, unless a shell made it (`<(...)`).
    """
    try:
        special = special_kind(file.stat().st_mode)
    except OSError:  # whoever opens it says why
        return None
    if special is not None and not (special == "pipe" and str(file).startswith(_OPEN_PIPES)):
        return LeftOut(file, f"it is a {special}, not a file. Send its content to standard input.", is_named=True)
    reason = reason_for(file)
    return None if reason is None else LeftOut(file, reason, is_named=True, kind=file.suffix.lower())


def lines(left_out: Sequence[LeftOut]) -> list[str]:
    """What people should read of them: one line for each that was named, one for each reason in folders."""
    told = [f"{file.source}: {file.reason}" for file in left_out if file.is_named]
    kinds: dict[str, list[LeftOut]] = {}
    for file in left_out:
        if not file.is_named:
            kinds.setdefault(file.reason, []).append(file)
    for reason, files in kinds.items():
        names = ", ".join(str(file.source) for file in files[:_FIRST])
        more = ", ..." if len(files) > _FIRST else ""
        if len(files) == 1 and not files[0].kind:
            told.append(f"{names}: {reason}")
            continue
        suffix = f"{files[0].kind} " if files[0].kind else ""
        told.append(f"{len(files)} {suffix}file{'s'[: len(files) > 1]} ({names}{more}): {reason}")
    return told


def other_line(others: Counter[str]) -> str:
    """What people should read of files that are neither pictures nor videos."""
    kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in others.most_common())
    return f"{others.total()} other file{'s'[: others.total() > 1]}, neither pictures nor videos ({kinds})."
