"""Pictures that are there more than once: also mirrored, re-saved, resized, grey, or as a pair with swapped sides."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from zorse.data.doctor.findings import Check, Finding, Item, Severity, count
from zorse.data.doctor.likeness import Bits, likeness, near, perceptual_hash
from zorse.data.doctor.look import Look
from zorse.data.doctor.survey import Survey, Unit

# Chosen by looking at all candidates in horse2zebra, monet2photo, clothing, facades and edges2shoes: garments in front
# of the same wall and paintings of the same haystack are not copies, re-cut, re-coloured and blurred pictures are.
_NEAR, _NEAR_EDGES = 10 / 64, 0.93
_NEARER, _NEARER_EDGES, _NEARER_TONES = 6 / 64, 0.77, 0.82


@dataclass(frozen=True)
class Copy:
    """Two units that show the same."""

    first: int
    second: int
    """Their numbers, the first being the smaller one."""
    how: str
    """"identical", "nearly identical", "mirrored"..."""


def find_copies(units: Sequence[Unit], flip: bool) -> list[Copy]:
    """All pairs of units that show the same.

    Args:
        units: all of one look, or all of two.
        flip: also compare mirrored, since training mirrors.
    """
    if len(units) < 2:
        return []
    plain = _hashes(units, swapped=False, mirrored=False)
    found: dict[tuple[int, int], Copy] = {}
    for swapped, mirrored in product((False, True)[: len(units[0].looks)], (False, True)[: 1 + flip]):
        turned = _hashes(units, swapped, mirrored)
        for i, j in near(plain, turned, int(_NEAR * plain.shape[1])):
            if i < j and (i, j) not in found and not _is_blank(units[i]):
                distance = float(np.count_nonzero(plain[i] != turned[j])) / plain.shape[1]
                if _same(units[i].looks, _sides(units[j], swapped), mirrored, distance):
                    found[i, j] = Copy(i, j, _how(units[i], units[j], swapped, mirrored))
    return [found[key] for key in sorted(found)]


def copies(survey: Survey) -> Iterator[Finding]:
    """Copies within the training set, within the test set, across both, and across the domains."""
    units = survey.units()
    what = "pair" if units and len(units[0].looks) == 2 else "picture"
    found = find_copies(units, survey.set.config.flip)
    yield from _leaks(survey, units, found, what)
    yield from _repeated(survey, units, found, what)
    yield from _in_both_domains(survey, units, found)


def equal_sides(survey: Survey) -> Iterator[Finding]:
    """Pairs that show the same picture twice."""
    items = [
        Item(survey.names(unit))
        for unit in survey.units()
        if len(unit.looks) == 2 and unit.looks[0].digest == unit.looks[1].digest and not _is_blank(unit)
    ]
    if items:
        yield Finding(
            Check.EQUAL_SIDES,
            Severity.WARNING,
            f"{count(len(items), 'pair')} with the same picture on both sides",
            "The network is told to change nothing.",
            "Find the missing side, or remove them.",
            tuple(items),
        )


def _leaks(survey: Survey, units: Sequence[Unit], found: Sequence[Copy], what: str) -> Iterator[Finding]:
    items = []
    for copy in found:
        first, second = units[copy.first], units[copy.second]
        if first.domain == second.domain and first.split != second.split:
            test, train = (first, second) if first.split == "test" else (second, first)
            items.append(Item((survey.names(test)[0], survey.names(train)[0]), copy.how))
    if items:
        trained = len({item.files[1] for item in items})
        yield Finding(
            Check.LEAK,
            Severity.WARNING,
            f"{count(trained, f'training {what} is', f'training {what}s are')} also in the test set",
            "The model is measured on what it has seen: every figure comes out better than it is.",
            "Remove them from the training set; --fix does.",
            tuple(items),
        )


def _repeated(survey: Survey, units: Sequence[Unit], found: Sequence[Copy], what: str) -> Iterator[Finding]:
    for check, split, severity, effect in (
        (
            Check.COPIES,
            "train",
            Severity.WARNING,
            "Training sees them as often as there are copies, and learns them by heart sooner.",
        ),
        (Check.TEST_COPIES, "test", Severity.NOTE, "They count as often as there are copies when a model is measured."),
    ):
        within = [
            copy
            for copy in found
            if units[copy.first].split == units[copy.second].split == split
            and units[copy.first].domain == units[copy.second].domain
        ]
        groups = _groups(within)
        items = [_group_item(survey, units, members, how) for members, how in groups]
        surplus = sum(len(members) - 1 for members, _ in groups)
        if items:
            where = "training" if split == "train" else "test"
            yield Finding(
                check,
                severity,
                f"{count(surplus, f'{where} {what} is a copy', f'{where} {what}s are copies')} of another one",
                effect,
                "Keep one of each" + ("; --fix does." if check is Check.COPIES else "."),
                tuple(items),
            )


def _in_both_domains(survey: Survey, units: Sequence[Unit], found: Sequence[Copy]) -> Iterator[Finding]:
    items = []
    for copy in found:
        first, second = units[copy.first], units[copy.second]
        if first.domain != second.domain:
            a, b = (first, second) if first.domain == "A" else (second, first)
            items.append(Item((survey.names(a)[0], survey.names(b)[0]), copy.how))
    if items:
        yield Finding(
            Check.IN_BOTH_DOMAINS,
            Severity.WARNING,
            f"{count(len(items), 'picture is', 'pictures are')} in both domains",
            "The discriminators learn that it belongs to both: it should stay as it is and be changed at once.",
            "Remove each from the domain where it does not belong.",
            tuple(items),
        )


def _group_item(survey: Survey, units: Sequence[Unit], members: Sequence[int], how: str) -> Item:
    """The largest first: it is the one to keep."""

    def preference(number: int) -> tuple[int, str]:
        unit = units[number]
        return -unit.looks[0].width * unit.looks[0].height, survey.names(unit)[0]

    return Item(tuple(survey.names(units[number])[0] for number in sorted(members, key=preference)), how)


def _groups(found: Sequence[Copy]) -> list[tuple[list[int], str]]:
    """Connected units, with how they are alike: as the least alike two of them."""
    group: dict[int, int] = {}
    for copy in found:
        first, second = group.setdefault(copy.first, copy.first), group.setdefault(copy.second, copy.second)
        if first != second:
            group = {unit: first if leader == second else leader for unit, leader in group.items()}
    members: defaultdict[int, list[int]] = defaultdict(list)
    for unit in sorted(group):
        members[group[unit]].append(unit)
    ways: defaultdict[int, set[str]] = defaultdict(set)
    for copy in found:
        ways[group[copy.first]].add(copy.how)
    return [(units, ", ".join(sorted(ways[leader]))) for leader, units in members.items()]


def _hashes(units: Sequence[Unit], swapped: bool, mirrored: bool) -> Bits:
    """(n, 64) for pictures, (n, 128) for pairs."""
    return np.array(
        [np.concatenate([perceptual_hash(look, mirrored) for look in _sides(unit, swapped)]) for unit in units]
    )


def _sides(unit: Unit, swapped: bool) -> tuple[Look, ...]:
    return unit.looks[::-1] if swapped else unit.looks


def _same(first: Sequence[Look], second: Sequence[Look], mirrored: bool, distance: float) -> bool:
    alike = [likeness(a, b, mirrored) for a, b in zip(first, second, strict=True)]
    edges, tones = (min(values) for values in zip(*alike, strict=True))
    return edges >= _NEAR_EDGES or (distance <= _NEARER and edges >= _NEARER_EDGES and tones >= _NEARER_TONES)


def _how(first: Unit, second: Unit, swapped: bool, mirrored: bool) -> str:
    digests = [[look.digest for look in looks] for looks in (first.looks, _sides(second, swapped))]
    words = ["sides swapped"] if swapped else []
    words += ["mirrored"] if mirrored else []
    return " and ".join(words) or ("identical" if digests[0] == digests[1] else "nearly identical")


def _is_blank(unit: Unit) -> bool:
    """Nothing to compare: such pictures are reported as constant."""
    return all(look.is_constant for look in unit.looks)
