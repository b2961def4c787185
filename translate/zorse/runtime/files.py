"""Many pictures at once: which file becomes which, and a run over all of them that no bad file stops.

Names of the results, for the model `horse2zebra`:

    no OUT       photo.jpg -> photo_horse2zebra.jpg beside it; a folder farm/ -> farm_horse2zebra/, its tree mirrored
    OUT a file   the one picture goes there, in the format of its suffix
    OUT a folder each picture under its own name; of a folder, its tree is mirrored
    -            standard input as INPUT, standard output as OUT (as PNG)

Formats that can be read only (GIF, AVIF, PPM) become .png. An input is never overwritten.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zorse.errors import ConfigError, ImageError, ZorseError
from zorse.imaging.io import WRITE_FORMATS, encode_picture, find_pictures, read_picture, write_picture
from zorse.runtime.translator import Size, Translator

STANDARD = Path("-")
"""Standard input or output."""


@dataclass(frozen=True)
class Job:
    """One picture to translate."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    job: Job
    seconds: float
    error: ZorseError | None = None


def plan(inputs: Iterable[Path], out: Path | None, model: str) -> list[Job]:
    """Decides where each picture goes, before anything is read or written.

    Args:
        inputs: picture files, folders, or `-`.
        out: a file, a folder, `-`, or None for names beside the inputs.
        model: the model's name, for the names of the results.

    Raises:
        ConfigError: two pictures would go to one file, a result would overwrite an input, or `out` does not fit.
        ImageError: a folder holds no pictures.
    """
    inputs = list(dict.fromkeys(inputs))
    into_folder = out is not None and out != STANDARD and _is_folder(out, inputs)
    jobs = [job for entry in inputs for job in _jobs(entry, out, into_folder, model)]
    _check(jobs)
    return jobs


def translate_files(
    translator: Translator, jobs: Iterable[Job], size: Size = "native", strength: float = 1.0
) -> Iterator[Outcome]:
    """Translates one picture after the other; a bad one gives an `Outcome` with its error, and the next follows."""
    for job in jobs:
        start = time.perf_counter()
        error: ZorseError | None = None
        try:
            _translate(translator, job, size, strength)
        except ZorseError as failure:
            error = failure
        yield Outcome(job, time.perf_counter() - start, error)


def _translate(translator: Translator, job: Job, size: Size, strength: float) -> None:
    picture = read_picture(sys.stdin.buffer if job.source == STANDARD else job.source)
    translated = translator.translate(picture, size=size, strength=strength)
    if job.target == STANDARD:
        sys.stdout.buffer.write(encode_picture(translated, ".png"))
        sys.stdout.buffer.flush()
    else:
        write_picture(job.target, translated)


def _is_folder(out: Path, inputs: list[Path]) -> bool:
    if out.is_dir() or not out.suffix:
        return True
    if len(inputs) > 1 or any(entry.is_dir() for entry in inputs):
        if out.suffix.lower() in WRITE_FORMATS or out.is_file():
            raise ConfigError(f"Several pictures cannot go into the one file {out}. Name a folder instead.")
        return True
    return False


def _jobs(entry: Path, out: Path | None, into_folder: bool, model: str) -> list[Job]:
    if entry.is_dir():
        return _folder_jobs(entry, out, model)
    if out is None:
        return [Job(entry, STANDARD if entry == STANDARD else _named(entry.with_stem(f"{entry.stem}_{model}")))]
    if not into_folder:
        if out != STANDARD and out.suffix.lower() not in WRITE_FORMATS:
            raise ImageError(f"{out} cannot be written: its name must end in one of {', '.join(WRITE_FORMATS)}.")
        return [Job(entry, out)]
    if entry == STANDARD:
        raise ConfigError(f"A picture from standard input has no name to use in the folder {out}. Name a file instead.")
    return [Job(entry, out / _named(entry).name)]


def _folder_jobs(folder: Path, out: Path | None, model: str) -> list[Job]:
    if out == STANDARD:
        raise ConfigError(
            f"The pictures of the folder {folder} cannot all go to standard output. Name a folder instead."
        )
    folder_name = folder.resolve().name
    root = out if out is not None else folder.resolve().with_name(f"{folder_name}_{model}")
    # Results of an earlier run inside the folder are not translated again.
    sources = [file for file in find_pictures(folder) if not file.resolve().is_relative_to(root.resolve())]
    if not sources and root.resolve() == folder.resolve():
        raise ConfigError(
            f"The results cannot go into the folder {folder} that the pictures come from. Name another one."
        )
    if not sources:
        raise ImageError(
            f"There are no pictures in the folder {folder}. Wanted: JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF."
        )
    return [Job(file, root / _named(file.relative_to(folder))) for file in sources]


def _named(file: Path) -> Path:
    """The same name in a format that can be written."""
    return file if file.suffix.lower() in WRITE_FORMATS else file.with_suffix(".png")


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
                f"{other.source} and {job.source} would both become {job.target}. Give them different folders."
            )


def _identity(file: Path) -> object:
    """Equal for all names of one file: links, relative paths, and upper and lower case where they do not differ."""
    try:
        status = file.stat()
    except OSError:
        return os.path.normcase(file.resolve())
    return status.st_dev, status.st_ino
