"""Which file becomes which.

Names of the results, for the model `horse2zebra`:

    no OUT       photo.jpg -> photo_horse2zebra.jpg beside it; a folder farm/ -> farm_horse2zebra/, its tree mirrored
    OUT a file   the one picture goes there, in the format of its suffix
    OUT a folder each picture under its own name; of a folder, its tree is mirrored
    -            standard input as INPUT, standard output as OUT (in the format that came in)

A video is an input like a picture, under the same rules.

Formats that can be read only (PNM, TGA, JPEG 2000; AVIF and HEIC where Pillow lacks them) become .png, MPO .jpg, videos
of old kinds (AVI, WMV, MPEG) .mp4; where that name is taken, a.ppm becomes a.ppm.png. Names that Windows cannot hold,
or cannot tell apart, are changed as little as possible. An input is never overwritten.
"""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from zorse.errors import ConfigError, ImageError
from zorse.files.names import distinct, safe_path
from zorse.files.selection import Selection
from zorse.imaging.formats import written_suffix
from zorse.imaging.io import WRITE_FORMATS
from zorse.imaging.left_out import LeftOut, left_out_by_name, lines, list_folder
from zorse.imaging.video.formats import ANIMATED_PICTURE, VIDEO_FORMATS, is_video

_WRITABLE = frozenset({*WRITE_FORMATS, *VIDEO_FORMATS})

STANDARD = Path("-")
"""Standard input or output."""


@dataclass(frozen=True)
class Job:
    """One file to translate or copy."""

    source: Path
    target: Path
    is_copy: bool = False
    """Whether the file is copied unchanged."""

    @property
    def is_video(self) -> bool:
        """Whether moving pictures are translated into a video."""
        return not self.is_copy and is_video(self.target)


@dataclass(frozen=True)
class Plan:
    """What is done with all files."""

    jobs: list[Job]
    left_out: list[LeftOut] = field(default_factory=list)
    """Pictures and videos of kinds that are not read, links that lead nowhere, and the like; what `only` and `skip`
    leave out is not among them."""
    others: Counter[str] = field(default_factory=Counter)
    """How many files of folders are neither, by suffix in lower case; `copy_others` copies them instead."""


def plan(inputs: Iterable[Path], out: Path | None, model: str, selection: Selection | None = None) -> list[Job]:
    """The jobs of `plan_all`, where there are some.

    Raises:
        ImageError: there are no pictures that can be read.
        Others: as `plan_all`.
    """
    planned = plan_all(inputs, out, model, selection)
    if not planned.jobs:
        raise ImageError(" ".join(lines(planned.left_out)))
    return planned.jobs


def plan_all(inputs: Iterable[Path], out: Path | None, model: str, selection: Selection | None = None) -> Plan:
    """Decides where each picture goes, before anything is read or written, and what is left out.

    Args:
        inputs: picture files, folders, or `-`.
        out: a file, a folder, `-`, or None for names beside the inputs.
        model: the model's name, for the names of the results.
        selection: what is translated of folders, and whether the rest is copied; None for all pictures and no copies.

    Raises:
        ConfigError: two pictures would go to one file, a result would overwrite an input, or `out` does not fit.
        ImageError: there are no pictures. Where files that were named are of kinds that are not read, and nothing is
            left beside them, it is a plan without jobs instead.
    """
    inputs = list(dict.fromkeys(inputs))
    selection = selection or Selection()
    found = Plan([])
    into_folder = out is not None and out != STANDARD and _is_folder(out, inputs)
    jobs = _apart(
        dict.fromkeys(job for entry in inputs for job in _jobs(entry, out, into_folder, model, selection, found))
    )
    if not jobs and not found.left_out:
        raise ImageError(
            "--only and --skip leave none of the pictures. A pattern has to match the name or the path as it was given."
        )
    jobs = [replace(job, target=target) for job, target in zip(jobs, distinct(job.target for job in jobs), strict=True)]
    _check(jobs)
    return replace(found, jobs=jobs)


def _is_folder(out: Path, inputs: list[Path]) -> bool:
    if out.is_dir() or not out.suffix:
        return True
    if len(inputs) > 1 or any(entry.is_dir() for entry in inputs):
        if out.suffix.lower() in _WRITABLE or out.is_file():
            raise ConfigError(f"Several pictures cannot go into the one file {out}. Name a folder instead.")
        return True
    return False


def _jobs(entry: Path, out: Path | None, into_folder: bool, model: str, selection: Selection, found: Plan) -> list[Job]:
    """The jobs of an input; what has none goes into `found`."""
    if entry.is_dir():
        return _folder_jobs(entry, out, model, selection, found)
    if entry != STANDARD and not selection.chooses(entry):
        return []
    if entry != STANDARD and (unread := left_out_by_name(entry)) is not None:
        found.left_out.append(unread)
        return []
    if out is None:
        if entry == STANDARD:
            return [Job(entry, STANDARD)]
        return [Job(entry, entry.parent / _named(Path(entry.with_stem(f"{entry.stem}_{model}").name)))]
    if not into_folder:
        _check_suffix(entry, out)
        return [Job(entry, out)]
    if entry == STANDARD:
        raise ConfigError(f"A picture from standard input has no name to use in the folder {out}. Name a file instead.")
    return [Job(entry, out / _named(Path(entry.name)))]


def _folder_jobs(folder: Path, out: Path | None, model: str, selection: Selection, found: Plan) -> list[Job]:
    if out == STANDARD:
        raise ConfigError(
            f"The pictures of the folder {folder} cannot all go to standard output. Name a folder instead."
        )
    named = folder if folder.name not in ("", "..") else folder.resolve()
    if not named.name:
        raise ConfigError(f"There is no place beside the folder {folder} for the results. Name one with -o.")
    root = out if out is not None else named.with_name(f"{named.name}_{model}")
    here, there = folder.resolve(), root.resolve()
    if here == there:
        raise ConfigError(
            f"The results cannot go into the folder {folder} that the pictures come from. Name another one."
        )
    listing = list_folder(folder, chosen=selection.chooses)
    everything = [*listing.files, *(file.source for file in listing.unread), *listing.others]
    # Results of an earlier run inside the folder are not translated again.
    is_result = there.is_relative_to(here)
    files = [file for file in sorted(everything) if not (is_result and file.resolve().is_relative_to(there))]
    jobs = []
    for file in files:
        name = file.relative_to(folder)
        if selection.is_translated(name):
            jobs.append(Job(file, root / _named(name)))
        elif selection.copy_others:
            jobs.append(Job(file, root / safe_path(name), is_copy=True))
    wanted = {file for file in files if not selection.copy_others and selection.chooses(file.relative_to(folder))}
    left_out = [*listing.unreachable, *(file for file in listing.unread if file.source in wanted)]
    found.left_out.extend(left_out)
    found.others.update(file.suffix.lower() for file in listing.others if file in wanted)
    if all(job.is_copy for job in jobs):
        chosen = " that --only and --skip leave" if selection.only or selection.skip else ""
        raise ImageError(
            f"There are no pictures in the folder {folder}{chosen}. Wanted: JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF, "
            f"or videos.{' It holds ' * bool(left_out)}{' '.join(lines(left_out))}"
        )
    return jobs


def _named(name: Path) -> Path:
    """The same name in a format that can be written, as every system takes it."""
    if name.suffix.lower() in _WRITABLE:
        return safe_path(name)
    return safe_path(name.with_suffix(".mp4" if is_video(name) else written_suffix(name.suffix)))


def _apart(jobs: Iterable[Job]) -> list[Job]:
    """Where a file would take the place of another one because its format changes, its name keeps the old suffix."""
    jobs = list(jobs)
    count = Counter(job.target for job in jobs)
    return [
        replace(job, target=job.target.with_stem(job.target.stem + job.source.suffix))
        if count[job.target] > 1 and job.target != STANDARD and job.source.suffix.lower() != job.target.suffix.lower()
        else job
        for job in jobs
    ]


def _check_suffix(source: Path, out: Path) -> None:
    """Raises an ImageError where a file cannot become one of that suffix."""
    if out == STANDARD:
        if is_video(source):
            raise ConfigError(f"The video {source} cannot go to standard output. Name a file instead.")
        return
    if is_video(source):
        wanted = list(VIDEO_FORMATS)
    else:
        wanted = [*WRITE_FORMATS, *(VIDEO_FORMATS if source.suffix.lower() == ANIMATED_PICTURE else ())]
    if out.suffix.lower() not in wanted:
        kind = "a video's name" if is_video(source) else "its name"
        raise ImageError(
            f"{out} cannot be written: {kind} must end in one of {', '.join(wanted)}. If it is to be a folder, make it "
            "first."
        )


def _check(jobs: list[Job]) -> None:
    if sum(job.target == STANDARD for job in jobs) > 1:
        raise ConfigError("Only one picture can go to standard output. Name a folder for several.")
    sources = {_identity(job.source): job.source for job in jobs if job.source != STANDARD}
    targets: dict[object, Job] = {}
    for job in jobs:
        if job.target == STANDARD:
            continue
        identity = _identity(job.target)
        if identity in sources:
            raise ConfigError(
                f"The result {job.target} would overwrite the input {sources[identity]}. Choose another OUT."
            )
        other = targets.setdefault(identity, job)
        if other is not job:
            raise ConfigError(
                f"{other.source} and {job.source} would both become {job.target}: names are made such as every system "
                "takes, and formats such as can be written. Rename one, or give them different folders."
            )


def _identity(file: Path) -> object:
    """Equal for all names of one file: links, relative paths, and upper and lower case where they do not differ."""
    try:
        status = file.stat()
    except OSError:
        return os.path.normcase(file.resolve())
    return status.st_dev, status.st_ino
