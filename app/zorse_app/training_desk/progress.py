"""How far a training is, from the files that it writes."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from zorse.training.observers.recorder.log import read_log
from zorse_app import texts
from zorse_app.training_desk.record import INTERRUPTED_EXIT, Training

_RECENT = 10
"""Lines of the log that tell how fast it is now."""


@dataclass(frozen=True)
class Alarm:
    """Something that the flight recorder saw."""

    iteration: int
    name: str
    """"rollback" for having gone back to an earlier state."""
    cleared: bool
    cause: str
    remedy: str


@dataclass(frozen=True)
class Progress:
    """How far a training is."""

    iteration: int
    total: int
    seconds_left: float | None
    """At the present speed; None where that is not known."""
    losses: tuple[tuple[int, dict[str, float]], ...]
    """Iteration, and losses by their names."""
    alarms: tuple[Alarm, ...]
    """The oldest first; an alarm that was cleared says so."""
    samples: tuple[Path, ...]
    """Grids of pictures, the oldest first; their names are iterations."""
    best: int | None
    """Iteration of the best state so far, by its pictures."""


def revision(training: Training) -> str:
    """Changes whenever there is something new to show."""
    run = training.folder.run
    files = (run.metrics, run.samples, run.generators, run.best_generators, run.kept_generators, training.folder.record)
    return f"{training.key} {training.state} {' '.join(str(_stamp(file)) for file in files)}"


def read_progress(training: Training) -> Progress:
    """How far it is."""
    run = training.folder.run
    lines = _lines(run.metrics, _stamp(run.metrics))
    losses = tuple((line["iteration"], line["losses"]) for line in lines if "losses" in line)
    iteration = losses[-1][0] if losses else 0
    best = [line["iteration"] for line in lines if line.get("evaluation", {}).get("best")]
    return Progress(
        iteration=iteration,
        total=training.wish.iterations,
        seconds_left=_seconds_left(lines, iteration, training),
        losses=losses,
        alarms=_alarms(lines),
        samples=tuple(sorted(run.samples.glob("*.png"))),
        best=best[-1] if best else None,
    )


def failure(training: Training) -> str:
    """What a training that failed said last, without this computer's paths."""
    lines = _tail(training.folder.log).splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    if errors:
        said = " ".join(lines[errors[-1] :]).removeprefix("Error: ")
    elif training.exit_code is not None and training.exit_code not in (0, INTERRUPTED_EXIT):
        said = lines[-1] if lines else ""
    else:
        return ""
    root = str(training.folder.root)
    return said.replace(str(training.folder.pictures), texts.TRAIN_YOUR_PICTURES).replace(root, texts.TRAIN_ITSELF)


def _tail(log: Path, n_bytes: int = 20_000) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - n_bytes))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=16)
def _lines(metrics: Path, stamp: int) -> list[dict[str, Any]]:
    """The lines of the log; `stamp` tells old from new. The last one may be half written."""
    try:
        return read_log(metrics)
    except OSError:
        return []


def _seconds_left(lines: list[dict[str, Any]], iteration: int, training: Training) -> float | None:
    timed = [line for line in lines if "seconds_since_last_line" in line][-_RECENT - 1 :]
    speeds = [
        now["seconds_since_last_line"] / (now["iteration"] - before["iteration"])
        for before, now in pairwise(timed)
        if now["iteration"] > before["iteration"]
    ]
    per_iteration = median(speeds) if speeds else training.wish.seconds_per_iteration
    return None if per_iteration is None else per_iteration * (training.wish.iterations - iteration)


def _alarms(lines: list[dict[str, Any]]) -> tuple[Alarm, ...]:
    seen: dict[tuple[str, str], Alarm] = {}
    for line in lines:
        if "alarm" in line:
            alarm = line["alarm"]
            key = (alarm["name"], alarm.get("about", ""))
            before = seen.pop(key, None)
            cleared = alarm["state"] == "cleared"
            seen[key] = Alarm(
                iteration=line["iteration"],
                name=alarm["name"],
                cleared=cleared,
                cause=alarm.get("cause") or (before.cause if before else ""),
                remedy=alarm.get("remedy") or (before.remedy if before else ""),
            )
        elif "rollback" in line:
            back = line["rollback"]
            seen["rollback", str(back.get("number"))] = Alarm(line["iteration"], "rollback", True, back["reason"], "")
    return tuple(seen.values())
