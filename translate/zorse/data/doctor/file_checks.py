"""What is wrong with single files."""

from collections.abc import Callable, Iterator, Sequence

from zorse.data.doctor.findings import Check, Finding, Item, Severity, count
from zorse.data.doctor.label_checks import DARK_SHARE
from zorse.data.doctor.survey import Facts, Survey

_LEAVE_OUT = "Replace or remove them; --fix leaves them out."
_MUCH_SMALLER = 0.8
"""Pictures whose short side is below this share of the crop are enlarged so much that it shows."""
_LONG = 3
"""Sides of this ratio leave two thirds of the picture out of every crop."""


def unreadable(survey: Survey) -> Iterator[Finding]:
    """Empty, truncated or damaged files, and files that are no pictures."""
    items = _problems(survey, Check.UNREADABLE)
    if items:
        yield Finding(
            Check.UNREADABLE,
            Severity.ERROR,
            f"{count(len(items), 'file')} cannot be read",
            "Training stops as soon as it comes to such a file.",
            "Get them again, or remove them; --fix leaves them out.",
            items,
        )


def unusable_shape(survey: Survey) -> Iterator[Finding]:
    """Pictures too small for training to accept."""
    items = _problems(survey, Check.UNUSABLE_SHAPE)
    if items:
        yield Finding(
            Check.UNUSABLE_SHAPE,
            Severity.ERROR,
            f"{count(len(items), 'picture')} too small to learn from",
            "Training stops at a picture with a side below 8 pixels.",
            _LEAVE_OUT,
            items,
        )


def not_a_pair(survey: Survey) -> Iterator[Finding]:
    """Files of a set of AB files that cannot be two pictures side by side."""
    items = _problems(survey, Check.NOT_A_PAIR)
    if items:
        yield Finding(
            Check.NOT_A_PAIR,
            Severity.ERROR,
            f"{count(len(items), 'file')} cannot be two pictures side by side",
            "Training stops at a file that is not about twice as wide as high, or that has an odd width.",
            "Make pairs with 'zorse data pair', or remove them; --fix leaves them out. If these are plain photos, "
            "check them with --kind edges.",
            items,
        )


def constant(survey: Survey) -> Iterator[Finding]:
    """Pictures of one colour."""
    items = [
        Item(survey.names(unit), _sides([look.is_constant for look in unit.looks]))
        for unit in survey.units()
        if any(look.is_constant for look in unit.looks)
    ]
    if items:
        yield Finding(
            Check.CONSTANT,
            Severity.WARNING,
            f"{count(len(items), 'picture')} of one colour"
            if not survey.sides()
            else f"{count(len(items), 'pair')} with a side of one colour",
            "InstanceNorm divides by a picture's spread: a flat one carries nothing to learn from, its faintest noise "
            "is blown up to the whole range of values, and gradients grow up to a hundredfold, which can end in NaN.",
            _LEAVE_OUT,
            tuple(items),
        )


def small(survey: Survey) -> Iterator[Finding]:
    """Pictures much smaller than the crop."""
    crop = survey.set.config.at(1.0).crop_size
    items = [
        Item((survey.name(facts),), f"{look.width} x {look.height}")
        for facts in survey.facts
        for look in facts.looks[:1]
        if min(look.width, look.height) < _MUCH_SMALLER * crop
    ]
    if items:
        yield Finding(
            Check.SMALL,
            Severity.WARNING,
            f"{count(len(items), 'picture')} much smaller than the crop of {crop} pixels",
            "They are enlarged, and the networks learn their blur.",
            "Get larger ones, or train smaller: --set data.load_size and --set data.crop_size.",
            tuple(items),
        )


def elongated(survey: Survey) -> Iterator[Finding]:
    """Pictures of which a square crop shows little."""
    items = [
        Item((survey.name(facts),), f"{look.width} x {look.height}")
        for facts in survey.facts
        for look in facts.looks[:1]
        if max(look.width, look.height) >= _LONG * min(look.width, look.height)
    ]
    if items:
        yield Finding(
            Check.ELONGATED,
            Severity.NOTE,
            f"{count(len(items), 'picture')} three times as long as wide, or more",
            "A square crop shows a third of such a picture at most, often without what it is about. Of a strip, other "
            "crops are taken each time.",
            "Crop them to what should be learned.",
            tuple(items),
        )


def rotated(survey: Survey) -> Iterator[Finding]:
    """Pictures that their EXIF block turns."""
    yield from _noted(
        survey,
        lambda facts: facts.orientation != 1,
        Check.ROTATED,
        "turned by their EXIF orientation",
        "Zorse turns them upright when it reads them; other tools may not.",
        "Nothing; --fix writes them upright.",
    )


def deep(survey: Survey) -> Iterator[Finding]:
    """16 bits per channel."""
    yield from _noted(
        survey,
        lambda facts: facts.is_deep and facts.highest >= DARK_SHARE * 65535,
        Check.DEEP,
        "of 16 bits per channel",
        "They are rounded to 8 bits when they are read, which costs time and changes nothing that one sees.",
        "Nothing; --fix writes 8 bits.",
    )


def transparent(survey: Survey) -> Iterator[Finding]:
    """Pictures with transparent parts."""
    yield from _noted(
        survey,
        lambda facts: facts.is_transparent,
        Check.TRANSPARENT,
        "with transparent parts",
        "What is transparent becomes white.",
        "If it should be another background, put them onto it; --fix writes them on white.",
    )


def cmyk(survey: Survey) -> Iterator[Finding]:
    """Pictures in printing colours."""
    yield from _noted(
        survey,
        lambda facts: facts.mode == "CMYK",
        Check.CMYK,
        "in CMYK, the colours of printing",
        "They are converted to sRGB when they are read, with their profile where they have one.",
        "See whether their colours are right; --fix writes sRGB.",
    )


def animated(survey: Survey) -> Iterator[Finding]:
    """Files with several frames."""
    yield from _noted(
        survey,
        lambda facts: facts.frames > 1,
        Check.ANIMATED,
        "with several frames",
        "Only the first frame is read.",
        "Save other frames as files of their own if they should be learned from.",
    )


def skipped(survey: Survey) -> Iterator[Finding]:
    """Files and folders that training does not look at."""
    pictures = [entry for entry in survey.skipped if entry.reason and not entry.is_folder]
    others = [entry for entry in survey.skipped if not entry.reason or entry.is_folder]
    for entries, severity, what, remedy in (
        (pictures, Severity.WARNING, "file", "Do what stands beside each of them."),
        (others, Severity.NOTE, "other file or folder", "Convert or move them if they are pictures to train on."),
    ):
        if entries:
            kinds = sorted({"a folder" if e.is_folder else e.source.suffix.lower() or "no suffix" for e in entries})
            yield Finding(
                Check.SKIPPED,
                severity,
                f"{count(len(entries), what, what.replace('file', 'files').replace('folder', 'folders'))} left aside "
                f"({', '.join(kinds[:6])})",
                "Training takes files of the folders above whose names end like those of pictures that it reads.",
                remedy,
                tuple(Item((survey.set.name(entry.source),), entry.reason.rstrip(".")) for entry in entries),
            )


def _problems(survey: Survey, check: Check) -> tuple[Item, ...]:
    return tuple(Item((survey.name(facts),), facts.detail) for facts in survey.facts if facts.problem is check)


def _noted(
    survey: Survey, concerned: Callable[[Facts], bool], check: Check, what: str, effect: str, remedy: str
) -> Iterator[Finding]:
    items = tuple(Item((survey.name(facts),)) for facts in survey.facts if concerned(facts))
    if items:
        yield Finding(check, Severity.NOTE, f"{count(len(items), 'picture')} {what}", effect, remedy, items)


def _sides(concerned: Sequence[bool]) -> str:
    """Which sides of a pair."""
    if len(concerned) == 1:
        return ""
    return " and ".join(side for side, is_concerned in zip("AB", concerned, strict=True) if is_concerned)
