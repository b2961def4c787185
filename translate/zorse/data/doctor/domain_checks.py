"""What is wrong with a domain as a whole, or with the two beside each other."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from zorse.data.doctor.findings import Check, Finding, Item, Severity, count
from zorse.data.doctor.likeness import separability
from zorse.data.doctor.pair_checks import swapped_pairs
from zorse.data.doctor.survey import Survey, Unit

_ALIKE, _ENOUGH = 0.58, 50
"""Area under the ROC curve of hardly more than chance, and the pictures from which it can be estimated."""
_FEW, _VERY_FEW = 200, 20
_UNEVEN, _VERY_UNEVEN = 4, 20
_UNEVEN_CLASSES = 5
_MINORITY = 0.5
_OUTSIDERS = 0.1


def grey(survey: Survey) -> Iterator[Finding]:
    """Grey pictures among coloured ones, and the other way round."""
    for label, units, side in _domains(survey):
        grey_ones = [unit for unit in units if unit.looks[side].is_grey]
        share = len(grey_ones) / len(units)
        if 0 < share < _MINORITY:
            yield Finding(
                Check.GREY,
                Severity.WARNING if share >= 0.02 else Severity.NOTE,
                f"{len(grey_ones):,} of {count(len(units), 'picture')} {label} grey, the others coloured",
                "A generator that draws this domain learns to drop the colour now and then.",
                "Remove them if the model should keep colours.",
                _items(survey, grey_ones),
            )
        elif _MINORITY <= share < 1:
            coloured = [unit for unit in units if not unit.looks[side].is_grey]
            if len(coloured) <= _OUTSIDERS * len(units):
                yield Finding(
                    Check.COLOURED,
                    Severity.NOTE,
                    f"{len(coloured):,} of {count(len(units), 'picture')} {label} coloured, the others grey",
                    "A generator that draws this domain learns to add colour now and then.",
                    "Make them grey if the domain should be.",
                    _items(survey, coloured),
                )


def grey_domain(survey: Survey) -> Iterator[Finding]:
    """One domain grey and the other coloured, where nobody may have meant it."""
    if survey.set.config.kind != "unpaired":
        return
    shares = {label: np.mean([unit.looks[0].is_grey for unit in units]) for label, units, _ in _domains(survey)}
    greys = [label for label, share in shares.items() if share >= 0.9]
    if len(shares) == 2 and len(greys) == 1:
        yield Finding(
            Check.GREY_DOMAIN,
            Severity.NOTE,
            f"Practically all pictures {greys[0]} grey, those of the other domain coloured",
            "The model learns above all to remove or to invent colour.",
            "Nothing, if this is what it should learn; else make both domains alike.",
        )


def drawings(survey: Survey) -> Iterator[Finding]:
    """Line drawings among photos, and photos among line drawings."""
    if survey.set.config.kind == "paired":
        return
    for label, units, side in _domains(survey):
        lines = [unit for unit in units if unit.looks[side].is_drawing]
        others = [unit for unit in units if not unit.looks[side].is_drawing]
        if 0 < len(lines) <= _OUTSIDERS * len(units):
            yield Finding(
                Check.DRAWINGS,
                Severity.WARNING,
                f"{len(lines):,} of {count(len(units), 'picture')} {label} line drawings",
                "The others are no line drawings: the model learns that they may look like one.",
                "Remove them.",
                _items(survey, lines),
            )
        elif 0 < len(others) <= _OUTSIDERS * len(units):
            yield Finding(
                Check.PHOTOS,
                Severity.WARNING,
                f"{len(others):,} of {count(len(units), 'picture')} {label} no line drawings, unlike the others",
                "The model learns that a drawing may look like that.",
                "Remove them.",
                _items(survey, others),
            )
        if survey.set.config.kind == "edges" and len(lines) > len(units) / 2:
            yield Finding(
                Check.DRAWINGS,
                Severity.WARNING,
                f"{len(lines):,} of {count(len(units), 'picture')} {label} line drawings",
                "A set of kind 'edges' wants photos: the lines are found in them while training, and from drawings the "
                "model learns to turn lines into lines.",
                "Give it the photos; or, if the files are pairs, check and train with --kind paired.",
            )


def alike(survey: Survey) -> Iterator[Finding]:
    """Two domains that hold the same kind of pictures."""
    if survey.set.config.kind != "unpaired":
        return
    domains = [
        np.stack([unit.looks[0].statistics for unit in units if unit.split == "train"])
        for _, units, _ in _domains(survey)
        if sum(unit.split == "train" for unit in units) >= _ENOUGH
    ]
    if len(domains) == 2 and (area := separability(domains[0], domains[1])) < _ALIKE:
        yield Finding(
            Check.ALIKE,
            Severity.WARNING,
            "The two domains look alike",
            "A simple classifier of colours, tones and edges tells unseen pictures of A and B apart hardly better than "
            f"chance (area under the ROC curve {area:.2f}; 0.5 is chance). If they are of the same kind indeed, there "
            "is nothing to learn.",
            "See whether both folders hold what they should. If the domains differ in shape alone, go on.",
        )


def few(survey: Survey) -> Iterator[Finding]:
    """Hardly anything to learn from."""
    units = [unit for unit in survey.units() if unit.split == "train"]
    if survey.set.config.kind == "unpaired":
        sizes = {f"of {domain}": sum(unit.domain == domain for unit in units) for domain in "AB"}
    else:
        sizes = {"pairs" if survey.set.config.kind == "paired" else "pictures": len(units)}
    few_of = {what: size for what, size in sizes.items() if 0 < size < _FEW}
    if few_of:
        numbers = ", ".join(f"{size:,} {what}" for what, size in few_of.items())
        yield Finding(
            Check.FEW,
            Severity.WARNING if min(few_of.values()) < _VERY_FEW else Severity.NOTE,
            f"Few to learn from: {numbers}",
            "The discriminators soon know them by heart, and the generator learns to please them with few tricks.",
            "Collect more. Else start from a trained model, let the discriminators augment what they see, and look at "
            "the samples often.",
        )


def imbalance(survey: Survey) -> Iterator[Finding]:
    """A domain or a class much larger than another."""
    if survey.set.config.kind == "unpaired":
        sizes = Counter(unit.domain for unit in survey.units() if unit.split == "train")
        if len(sizes) == 2:
            (large, most), (little, least) = sizes.most_common()
            if most >= _UNEVEN * least:
                yield Finding(
                    Check.IMBALANCE,
                    Severity.WARNING if most >= _VERY_UNEVEN * least else Severity.NOTE,
                    f"Domain {large} has {most / least:.0f} times as many pictures as {little}: {most:,} and {least:,}",
                    f"Each picture of {little} is shown that much more often, and its discriminator knows it by heart "
                    "much sooner.",
                    f"Collect more of {little} rather than less of {large}.",
                )
    for place in survey.set.places:
        classes = Counter(
            parts[0] for facts in survey.in_place(place) if len(parts := facts.path.relative_to(place.folder).parts) > 1
        )
        if place.split == "train" and len(classes) > 1:
            (common, most), (rare, least) = classes.most_common()[0], classes.most_common()[-1]
            if most >= _UNEVEN_CLASSES * least:
                yield Finding(
                    Check.IMBALANCE,
                    Severity.NOTE,
                    f"The subfolders of {survey.set.name(place.folder)} are uneven: {most:,} pictures in {common}, "
                    f"{least:,} in {rare}",
                    "What is rare is learned late and badly.",
                    "Collect more of what is rare, or accept it.",
                )


def no_test(survey: Survey) -> Iterator[Finding]:
    """Nothing to measure a model with."""
    tested = {unit.domain for unit in survey.units() if unit.split == "test"}
    is_tested = len(tested) == 2 if survey.set.config.kind == "unpaired" else bool(tested)
    there = [place for place in survey.set.places if place.split == "test" and any(survey.in_place(place))]
    if not is_tested and there:
        yield Finding(
            Check.NO_TEST,
            Severity.WARNING,
            "The test set cannot be used",
            f"No picture that could be measured with is in {' or '.join(survey.set.name(p.folder) for p in there)}: "
            "'zorse evaluate' would stop.",
            "Mend what is said above of its files.",
        )
    elif not is_tested:
        yield Finding(
            Check.NO_TEST,
            Severity.NOTE,
            "There is no test set",
            "Sample grids show training pictures, and 'zorse evaluate' has nothing that the model has not seen.",
            "Set some pictures aside: "
            + ("testA and testB." if survey.set.config.kind == "unpaired" else "a folder test beside train."),
        )


def _domains(survey: Survey) -> list[tuple[str, list[Unit], int]]:
    """What is compared with itself: a phrase ("of A are"), its units, and which of their looks is meant."""
    units = survey.units()
    if not units:
        return []
    match survey.set.config.kind:
        case "unpaired":
            by_domain = [(f"of {domain} are", [unit for unit in units if unit.domain == domain]) for domain in "AB"]
            return [(label, members, 0) for label, members in by_domain if members]
        case "paired":
            turned = {unit.files for unit in swapped_pairs(survey)}
            ordered = [unit for unit in units if unit.files not in turned]
            return [("on side A are", ordered, 0), ("on side B are", ordered, 1)]
        case "edges":
            return [("are", units, 0)]


def _items(survey: Survey, units: Sequence[Unit]) -> tuple[Item, ...]:
    return tuple(Item(survey.names(unit)) for unit in units)
