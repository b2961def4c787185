"""What is wrong between the two sides of pairs."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from zorse.data.ab import have_same_shape
from zorse.data.doctor.findings import Check, Finding, Item, Severity, count
from zorse.data.doctor.likeness import correspondence, order
from zorse.data.doctor.look import Look
from zorse.data.doctor.survey import Survey, Unit
from zorse.data.pairing import Endings

_FEWEST = 12
"""Pairs from which it can be said what is usual in a set."""
_CLEAR_ORDER = 3.0
"""Standard deviations by which most pairs must be off the middle before any is called swapped."""
_SWAPPED = 1.5
"""Standard deviations by which a pair must lie on the wrong side."""
_MIXED = 0.45
"""Share of swapped pairs from which it is not clear which order is meant."""
_RELATED, _UNRELATED = 3.5, 0.75
"""Usual fit of the sides (see `correspondence`) that allows a judgement, and the fit below which one is wrong."""


def unmatched(survey: Survey) -> Iterator[Finding]:
    """Files without a counterpart in the other folder."""
    items = []
    for place_a, place_b in survey.sides():
        side_a, side_b = survey.by_stem(place_a), survey.by_stem(place_b)
        for side, other in ((side_a, side_b), (side_b, side_a)):
            items += [
                Item((survey.name(facts),)) for stem in sorted(side.keys() - other.keys()) for facts in side[stem]
            ]
    if items:
        yield Finding(
            Check.UNMATCHED,
            Severity.ERROR,
            f"{count(len(items), 'file')} without a counterpart on the other side",
            f"Training stops before it starts: pairs are matched by {_rule(survey)}.",
            "Rename or remove them, or name the endings that do not count (--ending-a and --ending-b here, "
            "data.ending_a and data.ending_b in training); --fix leaves them out. If these are no pairs, check with "
            "--kind unpaired.",
            tuple(items),
        )


def ambiguous_name(survey: Survey) -> Iterator[Finding]:
    """Files of one side that differ in nothing but their extension."""
    items = [
        Item(tuple(survey.name(facts) for facts in same))
        for places in survey.sides()
        for place in places
        for same in survey.by_stem(place).values()
        if len(same) > 1
    ]
    if items:
        yield Finding(
            Check.AMBIGUOUS_NAME,
            Severity.ERROR,
            f"{count(len(items), 'name')} shared by several files of one side",
            "Training stops before it starts: it cannot know which of them belongs to the other side.",
            "Remove the wrong one; --fix leaves out all of them.",
            tuple(items),
        )


def unequal_sides(survey: Survey) -> Iterator[Finding]:
    """Sides of different size."""
    unequal = [unit for unit in _pairs(survey) if unit.looks[0].size != unit.looks[1].size]
    items = [
        tuple(
            Item(survey.names(unit), " and ".join(f"{look.width} x {look.height}" for look in unit.looks))
            for unit in unequal
            if _same_shape(unit) == same_shape
        )
        for same_shape in (False, True)
    ]
    if items[False]:
        folders = " ".join(str(place.folder) for place in survey.sides()[0]) if survey.sides() else "DIR_A DIR_B"
        yield Finding(
            Check.UNEQUAL_SIDES,
            Severity.ERROR,
            f"{count(len(items[False]), 'pair')} with sides of different shape",
            "Training stops at such a pair: what belongs together must lie in the same place.",
            f"If the sides show the same around the same middle, 'zorse data pair {folders} OUT/train --crop' cuts "
            "them to it and writes pairs to train on; --fix leaves them out.",
            items[False],
        )
    if items[True]:
        yield Finding(
            Check.RESIZED_SIDES,
            Severity.NOTE,
            f"{count(len(items[True]), 'pair')} with sides of different size, but of the same shape",
            "The smaller side is resized to the larger one's size when it is read.",
            "Nothing, if both show the same.",
            items[True],
        )


def swapped_pairs(survey: Survey) -> list[Unit]:
    """Pairs whose sides are the other way round than those of most others; none where the sides look alike."""
    pairs = _usual_pairs(survey)
    if len(pairs) < _FEWEST:
        return []
    scores = _order(pairs)
    if np.quantile(np.abs(scores), 0.25) < _CLEAR_ORDER:
        return []
    return [pair for pair, score in zip(pairs, scores, strict=True) if score < -_SWAPPED]


def swapped(survey: Survey) -> Iterator[Finding]:
    """Pairs with swapped sides, or two halves of a set with different orders."""
    wrong = swapped_pairs(survey)
    if not wrong:
        return
    items = tuple(Item(survey.names(pair)) for pair in wrong)
    n = len(_usual_pairs(survey))
    if len(wrong) > _MIXED * n:
        yield Finding(
            Check.MIXED_ORDER,
            Severity.WARNING,
            f"{len(wrong):,} of {count(n, 'pair')} have their sides the other way round than the rest",
            "The network is asked for both directions at once and learns neither.",
            "About half the set is either way, so that it is not known which is right: turn one half round.",
            items,
        )
        return
    yield Finding(
        Check.SWAPPED,
        Severity.WARNING,
        f"{len(wrong):,} of {count(n, 'pair')} have their sides swapped, compared with the majority",
        "The network is shown output as input and input as output, and learns to do both badly.",
        "Turn them round; --fix does.",
        items,
    )


def unrelated(survey: Survey) -> Iterator[Finding]:
    """Pairs whose sides do not show the same things in the same places."""
    pairs = _usual_pairs(survey)
    if len(pairs) < _FEWEST:
        return
    usual = _in_usual_order(pairs)
    scores = correspondence([looks[0] for looks in usual], [looks[1] for looks in usual])
    middle = float(np.median(scores))
    if middle < 0.6:
        yield Finding(
            Check.UNRELATED_SET,
            Severity.WARNING,
            "The sides of the pairs fit together no better than sides of different pairs",
            "pix2pix compares pixel by pixel: from pairs that do not lie on each other it learns a blur.",
            "See whether the two sides were numbered alike. If they belong together only in kind, train a CycleGAN.",
        )
    wrong = [pair for pair, score in zip(pairs, scores, strict=True) if score < _UNRELATED]
    if middle >= _RELATED and wrong:
        yield Finding(
            Check.UNRELATED,
            Severity.WARNING,
            f"{count(len(wrong), 'pair')} whose sides do not seem to belong together",
            "Their edges fit no better than those of different pairs, and what they teach is wrong. About one wrong "
            "pair in four fits by chance and is not seen.",
            "Look at them; correct or remove what does not belong together.",
            tuple(Item(survey.names(pair)) for pair in wrong),
        )


def _rule(survey: Survey) -> str:
    return " or ".join({Endings(a.ending, b.ending).rule: None for a, b in survey.sides()})


def _pairs(survey: Survey) -> list[Unit]:
    return [unit for unit in survey.units() if len(unit.looks) == 2]


def _usual_pairs(survey: Survey) -> list[Unit]:
    """Those that can be compared with each other."""
    return [pair for pair in _pairs(survey) if _same_shape(pair) and not any(look.is_constant for look in pair.looks)]


def _same_shape(pair: Unit) -> bool:
    a, b = pair.looks
    return have_same_shape(a.size, b.size)


def _order(pairs: Sequence[Unit]) -> NDArray[np.float32]:
    return order(*(np.stack([pair.looks[side].statistics for pair in pairs]) for side in (0, 1)))


def _in_usual_order(pairs: Sequence[Unit]) -> list[tuple[Look, ...]]:
    scores = _order(pairs)
    return [pair.looks if score >= 0 else pair.looks[::-1] for pair, score in zip(pairs, scores, strict=True)]
