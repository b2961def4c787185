"""The data doctor's findings, a training's state and its alarms in plain words, as HTML."""

import re
from collections import Counter
from collections.abc import Sequence
from html import escape

from zorse.data.doctor.diagnosis import Diagnosis
from zorse.data.doctor.findings import Finding, Item, Severity
from zorse_app import texts
from zorse_app.training_desk.pictures import is_fixable, is_usable
from zorse_app.training_desk.progress import Alarm
from zorse_app.training_desk.record import Wish

_FILES = 3
"""Names shown of each finding."""
_SIGNS = {Severity.ERROR: "✕", Severity.WARNING: "!", Severity.NOTE: "i"}
_ABOUT = 5
"""Estimates are rounded to this many minutes where they are longer than half an hour."""


def report(diagnosis: Diagnosis, wish: Wish, left_out: Sequence[str] = ()) -> str:
    """What the doctor found, from worst to least."""
    if not is_usable(diagnosis):
        verdict, mood = (texts.TRAIN_BAD_FIXABLE if is_fixable(diagnosis) else texts.TRAIN_BAD), "error"
    elif diagnosis.of(Severity.WARNING):
        verdict, mood = texts.TRAIN_SO_SO, "warning"
    else:
        verdict, mood = texts.TRAIN_GOOD, "good"
    aside = ""
    if left_out:
        names = ", ".join(name.rsplit("/")[-1] for name in left_out[:_FILES])
        aside = f"<p>{escape(texts.TRAIN_LEFT_ASIDE.format(n=len(left_out), names=names))}</p>"
    findings = "".join(_finding(finding, wish) for finding in diagnosis.findings)
    return (
        f'<div class="doctor {mood}"><h4>{escape(verdict)}</h4><p class="counts">{escape(_counts(diagnosis, wish))}</p>'
        f"{aside}<ul>{findings}</ul></div>"
    )


def alarms(found: Sequence[Alarm]) -> str:
    """What the flight recorder saw, the newest first."""
    return "".join(_alarm(alarm) for alarm in reversed(found))


def duration(seconds: float) -> str:
    """'40 seconds', '9 minutes', '1.5 hours'."""
    if seconds < 90:
        return texts.SECONDS.format(n=max(10, round(seconds, -1)))
    minutes = seconds / 60
    if minutes < 90:
        return texts.MINUTES.format(n=minutes if minutes < 30 else _ABOUT * round(minutes / _ABOUT))
    hours = minutes / 60
    if hours < 48:
        return texts.HOURS.format(n=round(2 * hours) / 2 if hours < 5 else round(hours))
    return texts.DAYS.format(n=hours / 24)


def size(n_bytes: float) -> str:
    """'12 MB', '1.4 GB'."""
    if n_bytes >= 10**9:
        return texts.GIGABYTES.format(n=n_bytes / 10**9)
    return texts.MEGABYTES.format(n=max(1, n_bytes / 10**6))


def _counts(diagnosis: Diagnosis, wish: Wish) -> str:
    found = diagnosis.survey
    numbers = Counter({place.domain: 0 for place in found.set.places})
    for place in found.set.places:
        if place.split == "train":
            numbers[place.domain] += sum(1 for _ in found.in_place(place))
    if "A" in numbers:
        return texts.TRAIN_COUNTS_AB.format(a=numbers["A"], name_a=wish.name_a, b=numbers["B"], name_b=wish.name_b)
    return texts.TRAIN_COUNTS.format(n=numbers.total())


def _finding(finding: Finding, wish: Wish) -> str:
    effect, remedy = texts.TRAIN_FINDINGS.get(finding.check.value, (finding.effect, finding.remedy))
    title = _named(finding.title, wish)
    files = "".join(f"<code>{escape(_file(item))}</code> " for item in finding.items[:_FILES])
    more = len(finding.items) - _FILES
    rest = escape(texts.TRAIN_FILES_MORE.format(n=f"{more:,}")) if more > 0 else ""
    return (
        f'<li class="{finding.severity.value}"><span class="sign" aria-hidden="true">{_SIGNS[finding.severity]}</span>'
        f"<div><b>{escape(title)}.</b> {escape(effect)} {escape(remedy)}"
        f"{f'<p>{files}{rest}</p>' if files else ''}</div></li>"
    )


def _named(title: str, wish: Wish) -> str:
    """The doctor calls the sides A and B; visitors have given them names."""
    names = {"A": wish.name_a, "B": wish.name_b}
    named = re.sub(
        r"\b(of|as|Domain) ([AB])\b",
        lambda found: names[found[2]] if found[1] == "Domain" else f"{found[1]} {names[found[2]]}",
        title,
    )
    return named[0].upper() + named[1:]


def _file(item: Item) -> str:
    return " = ".join(item.files) if len(item.files) < 3 else item.files[0]


def _alarm(alarm: Alarm) -> str:
    title, cause, remedy = texts.TRAIN_ALARMS.get(alarm.name, (alarm.name, alarm.cause, alarm.remedy))
    is_over = alarm.cleared and alarm.name != "rollback"
    when = (texts.TRAIN_ALARM_OVER if is_over else texts.TRAIN_ALARM_AT).format(iteration=f"{alarm.iteration:,}")
    mood = "note" if alarm.cleared else "warning"
    return (
        f'<li class="{mood}"><span class="sign" aria-hidden="true">{"i" if alarm.cleared else "!"}</span>'
        f"<div><b>{escape(title)}</b> <small>{escape(when)}</small><br>{escape(cause)} {escape(remedy)}</div></li>"
    )
