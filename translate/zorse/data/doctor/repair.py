"""A clean copy of a data set: what can be put right without a doubt is, what cannot is left out or left as it is."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from zorse.data.ab import split_ab
from zorse.data.decode import Picture
from zorse.data.doctor.diagnosis import Diagnosis, check
from zorse.data.doctor.findings import Check, Finding, Item
from zorse.data.doctor.survey import Facts, Survey
from zorse.data.layout import check_new
from zorse.errors import DatasetError, ImageError
from zorse.imaging import io
from zorse.system.texts import json_text

CHANGES_FILE = "changes.json"

_LEFT_OUT = {
    Check.UNREADABLE: "cannot be read",
    Check.UNUSABLE_SHAPE: "too small",
    Check.NOT_A_PAIR: "cannot be two pictures side by side",
    Check.UNMATCHED: "has no counterpart",
    Check.AMBIGUOUS_NAME: "shares its name with another file",
    Check.UNEQUAL_SIDES: "differs in size from its counterpart",
    Check.CONSTANT: "is of one colour",
}
"""Findings whose files all go, with the reason."""


class Deed(StrEnum):
    """What was done with a file."""

    COPIED = "copied"
    """Byte by byte."""
    CHANGED = "changed"
    """Decoded, put right, and written again in high quality."""
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Change:
    """What was done with one file of the set."""

    file: str
    """Relative to the set's folder."""
    deed: Deed
    why: str = ""
    written: str = ""
    """Relative to the new folder; empty where left out."""


def repair(
    diagnosis: Diagnosis, out: Path, on_file: Callable[[int, int], None] = lambda done, total: None
) -> list[Change]:
    """Write a clean copy of a set, laid out like the set, with a list of all changes in `changes.json`.

    Args:
        diagnosis: of the set.
        out: folder to write; it must not exist or be empty, and lie outside of the set.
        on_file: told after each file how many are done, and how many there are.

    Returns:
        One change for each file of the set.

    Raises:
        DatasetError: `out` cannot be used, a folder of the set lies outside of it, or nothing would be left.
    """
    found = diagnosis.survey
    check_out(found.set.root, out)
    _check_places(found)
    reasons, kept = _left_out(found)
    if not kept.units():
        raise DatasetError(
            f"A clean copy of {found.set.root} was wanted, but no usable picture would be left. 'zorse data check "
            f"{found.set.root}' says why; perhaps --kind is not what the folder holds."
        )
    turned = _swapped(diagnosis)
    partners = _partners(found)
    changes = []
    for facts in found.facts:
        if facts.path in reasons:
            changes.append(Change(found.name(facts), Deed.LEFT_OUT, reasons[facts.path]))
        else:
            source = partners.get(facts.path, facts) if facts.path in turned else facts
            changes.append(_write(found, facts, source, facts.path in turned, out))
        on_file(len(changes), len(found.facts))
    listed = json_text([asdict(change) for change in changes], indent=1)
    io.write_file(out / CHANGES_FILE, listed.encode())
    return changes


def check_out(root: Path, out: Path) -> None:
    """See that a clean copy of a set can be written to a folder.

    Raises:
        DatasetError: it holds files, or lies inside of the set.
    """
    check_new(out)
    if out.resolve().is_relative_to(root.resolve()):
        raise DatasetError(f"{out} lies inside of {root}, and would become a part of it. Choose another one.")


def _check_places(found: Survey) -> None:
    root = found.set.root.resolve()
    outside = [place.folder for place in found.set.places if not place.folder.resolve().is_relative_to(root)]
    if outside:
        raise DatasetError(
            f"A clean copy can be made of a set that lies in one folder, but {outside[0]} is not in {found.set.root}. "
            "Move the folders together first."
        )


def _left_out(found: Survey) -> tuple[dict[Path, str], Survey]:
    """Which files go and why, and the set without them.

    What goes may bring to light what hid behind it (a copy of a copy), so that the rest is checked again.
    """
    reasons: dict[Path, str] = {}
    partners = _partners(found)
    kept = found
    while True:
        new = _to_leave_out(kept, check(kept))
        if not new:
            return reasons, kept
        for path, why in new.items():
            reasons[path] = why
            partner = partners.get(path)
            if partner is not None:
                reasons.setdefault(partner.path, f"belongs to {found.set.name(path)}, which {why}")
        kept = found.without(reasons)


def _to_leave_out(found: Survey, findings: tuple[Finding, ...]) -> dict[Path, str]:
    reasons: dict[Path, str] = {}
    for finding in findings:
        for item in finding.items:
            for name, why in _surplus(finding.check, item):
                reasons.setdefault(found.set.root / name, why)
    return reasons


def _surplus(problem: Check, item: Item) -> list[tuple[str, str]]:
    """Names of files that go for a finding's item, with the reason."""
    if problem in _LEFT_OUT:
        return [(name, _LEFT_OUT[problem]) for name in item.files]
    if problem is Check.LEAK:
        test, train = item.files
        return [(train, f"is also in the test set: {test} ({item.detail})")]
    if problem is Check.COPIES:
        return [(name, f"is a copy of {item.files[0]} ({item.detail})") for name in item.files[1:]]
    return []


def _swapped(diagnosis: Diagnosis) -> set[Path]:
    root = diagnosis.survey.set.root
    return {
        root / name
        for finding in diagnosis.findings
        if finding.check is Check.SWAPPED
        for item in finding.items
        for name in item.files
    }


def _partners(found: Survey) -> dict[Path, Facts]:
    """The other file of each pair in two folders."""
    partners: dict[Path, Facts] = {}
    for place_a, place_b in found.sides():
        for a, b in found.matches(place_a, place_b):
            partners[a.path], partners[b.path] = b, a
    return partners


def _write(found: Survey, facts: Facts, source: Facts, turned: bool, out: Path) -> Change:
    """Write the file in place of `facts`; `source` is another one where the sides of a pair change places."""
    name = found.name(facts)
    target = out / name
    halves = turned and facts.place.domain == "AB"
    reasons = ["sides turned round"] if turned else []
    rewrite = [*_reasons(source), *(["sides turned round"] if halves else [])]
    if not rewrite:
        # An exchanged file keeps its own format under the name of the other side.
        target = target.with_suffix(source.path.suffix)
        io.write_file(target, source.path.read_bytes())
        return Change(name, Deed.CHANGED if turned else Deed.COPIED, ", ".join(reasons), _below(target, out))
    keeps_colours = source.path.suffix.lower() in io.WRITE_FORMATS and source.path.suffix.lower() != ".gif"
    suffix = source.path.suffix if keeps_colours else ".png"
    target = _free(target.with_suffix(suffix), facts, found)
    try:
        picture = io.read_picture(source.path)
        pixels = _exchanged(io.on_white(picture), source.path) if halves else io.on_white(picture)
        # With the quantisation tables that the file had, a JPEG loses next to nothing once more.
        io.write_picture(target, io.Picture(pixels, format=picture.format, encoding=picture.encoding))
    except ImageError as error:
        raise DatasetError(f"The clean copy is not complete. {error}") from error
    return Change(name, Deed.CHANGED, ", ".join(dict.fromkeys([*reasons, *_reasons(source)])), _below(target, out))


def _reasons(facts: Facts) -> list[str]:
    """Why a file cannot simply be copied."""
    return [
        what
        for what, is_so in (
            ("turned upright", facts.orientation != 1),
            ("put on white", facts.is_transparent),
            ("16 to 8 bits", facts.is_deep),
            ("CMYK to sRGB", facts.mode == "CMYK"),
        )
        if is_so
    ]


def _exchanged(pixels: Picture, path: Path) -> Picture:
    left, right = split_ab(pixels, path)
    return np.hstack([right, left])


def _free(target: Path, facts: Facts, found: Survey) -> Path:
    """The target, or a longer name where another file of the set has it already."""
    taken = any(
        other.path != facts.path and other.path.parent == facts.path.parent and other.path.name == target.name
        for other in found.facts
    )
    return target.with_name(f"{facts.path.name}{target.suffix}") if taken else target


def _below(target: Path, out: Path) -> str:
    return target.relative_to(out).as_posix()
