"""Findings for people and for programs."""

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from zorse.data.doctor.diagnosis import Diagnosis
from zorse.data.doctor.findings import Check, Finding, Item, Severity, count
from zorse.data.pairing import Endings
from zorse.system.texts import visible

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_INDENT = 9
_WIDEST = 110
_KINDS = {"unpaired": "unpaired pictures", "paired": "pairs", "edges": "photos, whose edges are drawn while training"}
_EQUAL = (Check.COPIES, Check.TEST_COPIES, Check.LEAK, Check.IN_BOTH_DOMAINS)


def show(diagnosis: Diagnosis, console: Console, most: int | None = 4) -> None:
    """Print a diagnosis: what the set is, the findings from worst to least, and a verdict.

    Args:
        diagnosis: what to print.
        console: where to.
        most: items listed for each finding; all with None.
    """
    show_set(diagnosis, console)
    for finding in diagnosis.findings:
        console.print()
        _show_finding(finding, console, most)
    console.print()
    console.print(verdict(diagnosis), soft_wrap=True)


def show_briefly(diagnosis: Diagnosis, console: Console) -> None:
    """Print the findings in a line or two each, as before a training run."""
    show_set(diagnosis, console)
    for finding in diagnosis.findings:
        console.print(_title(finding), soft_wrap=True)
        if finding.severity is not Severity.NOTE:
            for item in finding.items[:2]:
                console.print(Text(" " * _INDENT + _line(finding, item), style="dim"), soft_wrap=True)
    console.print(verdict(diagnosis), soft_wrap=True)


@contextmanager
def progress(console: Console, label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that is there while the block runs, on terminals only.

    Yields:
        What to tell how many files are done, and how many there are.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_set(diagnosis: Diagnosis, console: Console) -> None:
    """Print what the set consists of."""
    found = diagnosis.survey
    console.print(
        Text.assemble((visible(found.set.root.resolve().name), "bold"), f": {_KINDS[found.set.config.kind]}"),
        soft_wrap=True,
    )
    folders = [
        f"{found.set.name(place.folder)} {sum(1 for _ in found.in_place(place)):,}" for place in found.set.places
    ]
    sizes = Counter(f"{look.width} x {look.height}" for facts in found.facts for look in facts.looks)
    size = ""
    if sizes:
        (usual, times), *_ = sizes.most_common(1)
        size = f"; {'all' if len(sizes) == 1 else 'most' if times > sizes.total() / 2 else 'many'} {usual} pixels"
    console.print(Text(visible(f"{' · '.join(folders)}{size}"), style="dim"), soft_wrap=True)
    for a, b in found.sides():
        rule = Endings(a.ending, b.ending).rule
        names = f"{found.set.name(a.folder)} and {found.set.name(b.folder)}"
        console.print(Text(visible(f"{names} matched by {rule}"), style="dim"), soft_wrap=True)


def verdict(diagnosis: Diagnosis) -> Text:
    """One line: whether to train on the set."""
    numbers = ", ".join(count(len(found), severity.value) for severity in Severity if (found := diagnosis.of(severity)))
    if diagnosis.of(Severity.ERROR):
        return Text.assemble(("Not fit for training yet", "bold red"), f": {numbers}.")
    if diagnosis.of(Severity.WARNING):
        return Text.assemble(("Fit for training, with reservations", "bold yellow"), f": {numbers}.")
    if numbers:
        return Text.assemble(("Fit for training", "bold green"), f": {numbers}.")
    return Text.assemble(("Fit for training", "bold green"), ": nothing found.")


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """The same for programs."""
    found = diagnosis.survey
    return {
        "root": str(found.set.root),
        "kind": found.set.config.kind,
        "places": [
            {
                "folder": found.set.name(place.folder),
                "split": place.split,
                "domain": place.domain,
                "files": sum(1 for _ in found.in_place(place)),
                "ending": place.ending,
            }
            for place in found.set.places
        ],
        **{f"{severity.value}s": len(diagnosis.of(severity)) for severity in Severity},
        "findings": [
            {
                "check": finding.check.value,
                "severity": finding.severity.value,
                "title": finding.title,
                "effect": finding.effect,
                "remedy": finding.remedy,
                "items": [{"files": list(item.files), "detail": item.detail} for item in finding.items],
            }
            for finding in diagnosis.findings
        ],
    }


def _show_finding(finding: Finding, console: Console, most: int | None) -> None:
    console.print(_title(finding), soft_wrap=True)
    for item in finding.items[:most]:
        console.print(Text(" " * _INDENT + _line(finding, item), style="dim"), soft_wrap=True)
    if most is not None and len(finding.items) > most:
        more = f"and {len(finding.items) - most:,} more (--all lists them)"
        console.print(Text(" " * _INDENT + more, style="dim"), soft_wrap=True)
    width = min(console.width, _WIDEST) - _INDENT
    for line in textwrap.wrap(f"{finding.effect} {finding.remedy}", max(width, 30)):
        console.print(Text(" " * _INDENT + line), soft_wrap=True)


def _title(finding: Finding) -> Text:
    return Text.assemble(
        (f"{finding.severity.value:{_INDENT}}", _COLOURS[finding.severity]), (visible(finding.title), "bold")
    )


def _line(finding: Finding, item: Item) -> str:
    files = (" = " if finding.check in _EQUAL else " + ").join(item.files)
    return visible(f"{files}  ({item.detail})" if item.detail else files)
