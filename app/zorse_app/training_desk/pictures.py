"""From what a visitor sent to a set that can be trained on."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from zorse.data.config import DataConfig, EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.doctor.diagnosis import Diagnosis, diagnose
from zorse.data.doctor.findings import Check, Severity
from zorse.data.doctor.repair import repair
from zorse.errors import DatasetError
from zorse.imaging.io import READ_SUFFIXES
from zorse_app import texts
from zorse_app.archives import ArchiveError, Contents, ZipLimits, free_name, is_zip, unpack_pictures, written_name
from zorse_app.training_desk.command import METHODS
from zorse_app.training_desk.record import Kind
from zorse_app.uploads import Upload

OnFile = Callable[[int, int], None]
"""Is told how many files are done, and how many there are."""

FIXABLE = frozenset(
    {
        Check.UNREADABLE,
        Check.UNUSABLE_SHAPE,
        Check.NOT_A_PAIR,
        Check.UNMATCHED,
        Check.AMBIGUOUS_NAME,
        Check.UNEQUAL_SIDES,
        Check.CONSTANT,
        Check.LEAK,
        Check.COPIES,
        Check.SWAPPED,
    }
)
"""What a clean copy puts right, and training does not by itself."""

_SPARE = 10**9
"""Bytes of the disk that are left alone."""


def gather(
    first: Sequence[Upload], second: Sequence[Upload], folder: Path, limits: ZipLimits | None = None
) -> Contents:
    """Put all pictures into a folder: those of two kinds, or sides, into its folders A and B; those of one as they lie.

    Args:
        first: of the first kind, or all there is.
        second: of the second kind; may be empty.
        folder: new.
        limits: of all together.

    Raises:
        ArchiveError: a file cannot be used, or there is too much.
    """
    limits = _that_fit(limits or ZipLimits(), folder)
    contents = Contents()
    for files, target in ((first, folder / "A" if second else folder), (second, folder / "B")):
        for sent in files:
            _take(sent, target, limits, contents)
    return contents


def data_config(kind: Kind) -> DataConfig:
    """How the set is laid out and cut."""
    method = METHODS[kind]
    match kind:
        case "unpaired":
            return UnpairedConfig(load_size=method.load_size, crop_size=method.crop_size, scale=method.scale)
        case "paired":
            return PairedConfig(load_size=method.load_size, crop_size=method.crop_size)
        case "edges":
            return EdgesConfig(load_size=method.load_size, crop_size=method.crop_size, strokes=method.strokes)


def examine(folder: Path, kind: Kind, on_file: OnFile) -> Diagnosis:
    """Let the data doctor look at a set.

    Raises:
        DatasetError: there is no set of this kind.
    """
    try:
        return diagnose(folder, data_config(kind), on_file)
    except DatasetError as error:
        said = str(error).replace(f"{folder}/", "").replace(str(folder), texts.TRAIN_WHAT_YOU_SENT)
        raise DatasetError(said) from error


def is_usable(diagnosis: Diagnosis) -> bool:
    """Whether training would go through."""
    return not diagnosis.of(Severity.ERROR)


def is_fixable(diagnosis: Diagnosis) -> bool:
    """Whether a clean copy would be better."""
    return any(finding.check in FIXABLE for finding in diagnosis.findings)


def count_pictures(diagnosis: Diagnosis) -> int:
    """Files to learn from."""
    found = diagnosis.survey
    return sum(len(list(found.in_place(place))) for place in found.set.places if place.split == "train")


def fix(diagnosis: Diagnosis, folder: Path, on_file: OnFile) -> None:
    """Put a clean copy in the place of a set.

    Raises:
        DatasetError: nothing would be left; the set is as it was.
    """
    clean = folder.with_name("clean")
    shutil.rmtree(clean, ignore_errors=True)
    try:
        repair(diagnosis, clean, on_file)
    except DatasetError as error:
        raise DatasetError(texts.TRAIN_NOT_MENDED) from error
    old = folder.with_name("before")
    folder.rename(old)
    clean.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _that_fit(limits: ZipLimits, folder: Path) -> ZipLimits:
    place = next(parent for parent in folder.absolute().parents if parent.exists())
    free = shutil.disk_usage(place).free - _SPARE
    if free <= 0:
        raise ArchiveError(texts.TRAIN_DISK_FULL)
    return replace(limits, total_bytes=min(limits.total_bytes, free))


def _take(sent: Upload, folder: Path, limits: ZipLimits, contents: Contents) -> None:
    if is_zip(sent.path) or sent.path.suffix.lower() == ".zip":
        unpack_pictures(sent.path, sent.name, folder, limits, contents)
        return
    name = written_name(sent.name)
    if Path(name).suffix.lower() not in READ_SUFFIXES:
        raise ArchiveError(texts.TRAIN_NO_PICTURE.format(name=sent.name, kinds=", ".join(sorted(READ_SUFFIXES))))
    folder.mkdir(parents=True, exist_ok=True)
    target = free_name(folder / name)
    shutil.copyfile(sent.path, target)
    contents.pictures += 1
    contents.n_bytes += target.stat().st_size
