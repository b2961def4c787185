"""What the doctor says."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is. Only plain facts are errors; what is concluded from the pixels is a warning at most."""

    ERROR = "error"
    """Training would stop."""
    WARNING = "warning"
    """Training would run and learn something wrong or worse."""
    NOTE = "note"
    """Good to know."""


class Check(StrEnum):
    """What was looked for. The values are part of the JSON output."""

    UNREADABLE = "unreadable"
    UNUSABLE_SHAPE = "unusable_shape"
    NOT_A_PAIR = "not_a_pair"
    UNEQUAL_SIDES = "unequal_sides"
    RESIZED_SIDES = "resized_sides"
    UNMATCHED = "unmatched"
    AMBIGUOUS_NAME = "ambiguous_name"
    CONSTANT = "constant"
    LEAK = "leak"
    COPIES = "copies"
    TEST_COPIES = "test_copies"
    IN_BOTH_DOMAINS = "in_both_domains"
    EQUAL_SIDES = "equal_sides"
    SWAPPED = "swapped"
    MIXED_ORDER = "mixed_order"
    UNRELATED = "unrelated"
    UNRELATED_SET = "unrelated_set"
    GREY = "grey"
    COLOURED = "coloured"
    GREY_DOMAIN = "grey_domain"
    DRAWINGS = "drawings"
    PHOTOS = "photos"
    ALIKE = "alike"
    SMALL = "small"
    ELONGATED = "elongated"
    FEW = "few"
    IMBALANCE = "imbalance"
    NO_TEST = "no_test"
    SKIPPED = "skipped"
    ROTATED = "rotated"
    TRANSPARENT = "transparent"
    DEEP = "deep"
    DARK = "dark"
    LABEL_MAPS = "label_maps"
    CMYK = "cmyk"
    ANIMATED = "animated"


@dataclass(frozen=True)
class Item:
    """One thing that a finding concerns: a file, or several that belong together (a pair, a group of copies)."""

    files: tuple[str, ...]
    """Relative to the set's folder, with slashes. In groups of copies and leaks the one worth keeping comes first."""
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """One problem, with all files that have it."""

    check: Check
    severity: Severity
    title: str
    """What was found, with numbers; without a full stop."""
    effect: str
    """What it does to the training: whole sentences."""
    remedy: str
    """What to do: whole sentences."""
    items: tuple[Item, ...] = ()


def count(number: int, singular: str, plural: str = "") -> str:
    """'1 picture', '2,000 pictures'."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
