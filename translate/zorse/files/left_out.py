"""Files that are not translated, and why: kinds of pictures and videos that Zorse does not read, and all others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zorse.files.selection import is_readable

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


@dataclass(frozen=True)
class LeftOut:
    """A picture or video that is not translated."""

    source: Path
    reason: str
    """What it is, and what to do: one sentence."""
    is_named: bool = False
    """Whether it was named itself, not the folder that it lies in."""


def reason_for(file: Path) -> str | None:
    """Why a file that looks like a picture or video is not read; None for others, and for what is read."""
    kind = None if is_readable(file) else _REASONS.get(file.suffix.lower())
    return None if kind is None else f"{file.suffix.lower()} is {kind}."


def lines(left_out: Sequence[LeftOut]) -> list[str]:
    """What people should read of them: one line for each that was named, one for each kind in folders."""
    told = [f"{file.source}: {file.reason}" for file in left_out if file.is_named]
    kinds: dict[str, list[Path]] = {}
    for file in left_out:
        if not file.is_named:
            kinds.setdefault(file.reason, []).append(file.source)
    for reason, files in kinds.items():
        names = ", ".join(str(file) for file in files[:_FIRST])
        more = ", ..." if len(files) > _FIRST else ""
        told.append(f"{len(files)} {files[0].suffix.lower()} file{'s'[: len(files) > 1]} ({names}{more}): {reason}")
    return told


def other_line(others: Counter[str]) -> str:
    """What people should read of files that are neither pictures nor videos."""
    kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in others.most_common())
    return f"{others.total()} other file{'s'[: others.total() > 1]}, neither pictures nor videos ({kinds})."
