"""Label maps, and pictures whose levels fill only the lowest part of what their files can hold."""

from collections.abc import Iterator

from zorse.data.config import EdgesConfig
from zorse.data.doctor.findings import Check, Finding, Item, Severity, count
from zorse.data.doctor.look import Look
from zorse.data.doctor.survey import Facts, Survey
from zorse.data.labels import FEW_COLOURS, label_sides

DARK_SHARE = 0.25
"""Of all levels: 12 bits in a file of 16 stay below, and class numbers do. Photos do not, with few exceptions."""
_MOST = 0.5
"""Share of a side's files from which it is how the side is stored, not that some pictures are dark."""


def dark(survey: Survey) -> Iterator[Finding]:
    """Sides whose pictures are nearly black because of how their values are stored."""
    for name, side in _sides(survey):
        few = [facts for facts, look in side if 0 < look.highest < DARK_SHARE * 255]
        if len(few) <= _MOST * len(side):
            continue
        highest = max(facts.highest for facts in few)
        folder = few[0].place.folder
        if few[0].is_deep:
            bits = highest.bit_length()
            what = f"levels up to {highest:,} of 65,535: {bits} bits in files of 16"
            remedy = f"'zorse data levels {folder} OUT --range 0 {2**bits - 1}' spreads them over all levels."
        else:
            what = f"levels up to {highest} of 255"
            remedy = (
                f"If they are class numbers, 'zorse data levels {folder} OUT --classes' gives each class a colour; "
                f"else 'zorse data levels {folder} OUT --range 0 {highest}' spreads them over all levels."
            )
        yield Finding(
            Check.DARK,
            Severity.WARNING,
            f"{count(len(few), 'picture')}{name and f' on side {name}'} nearly black: {what}",
            "Training reads levels as brightness, and hardly tells these from black.",
            f"{remedy} Pictures to translate later need the same.",
            tuple(Item((survey.name(facts),)) for facts in few),
        )


def label_maps(survey: Survey) -> Iterator[Finding]:
    """Sides whose pictures have as few colours as label maps."""
    config = survey.set.config
    if isinstance(config, EdgesConfig):
        return
    sides = dict(_sides(survey))
    files_a, files_b = ([facts.path for facts, _ in sides.get(name, ())] for name in "AB")
    are_resized_so = label_sides(config.nearest, files_a, files_b)._asdict()
    for name, side in sides.items():
        looks = [look for _, look in side]
        if not all(look.has_few_colours and not look.is_drawing for look in looks) or any(f.is_deep for f, _ in side):
            continue
        is_kept = are_resized_so[name.lower()]
        yield Finding(
            Check.LABEL_MAPS,
            Severity.NOTE,
            f"The pictures on side {name} have up to {FEW_COLOURS} colours, as label maps do",
            "They are resized to the nearest pixel, so that no other colour appears."
            if is_kept
            else "Resizing mixes their colours, so that training sees some that no map has.",
            "If they are no label maps: --set data.nearest=neither."
            if is_kept
            else f"If they are label maps: --set data.nearest={name}, or both.",
        )


def _sides(survey: Survey) -> list[tuple[str, list[tuple[Facts, Look]]]]:
    """What each side holds, by its name: the halves of AB files, too. The one of photos has no name."""
    sides: dict[str, list[tuple[Facts, Look]]] = {}
    for facts in survey.facts:
        names = [""] if facts.place.domain == "photos" else list(facts.place.domain)
        for name, look in zip(names, facts.looks, strict=False):  # no looks where there is a problem
            sides.setdefault(name, []).append((facts, look))
    return sorted(sides.items())
