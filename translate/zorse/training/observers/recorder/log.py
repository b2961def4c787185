"""metrics.jsonl: losses with signals beside them; alarms, rollbacks and evaluations as lines of their own.

{"iteration": 700, "losses": {...}, ..., "signals": {"diversity_fake_B": 0.04, ...}}
{"iteration": 700, "alarm": {"name": "mode_collapse", "about": "fake_B", "state": "raised", "value": 0.04, ...}}
{"iteration": 500, "rollback": {"from": 700, "number": 1, "rate_factor": 0.5, "reason": "...", "alarms": [...]}}
{"iteration": 1000, "evaluation": {"figure": "...", "mean": 52.1, "generators": {...}, "best": true, ...}}
"""

import json
from pathlib import Path
from typing import Any

from zorse.training.files import write_atomically

Line = dict[str, Any]


def append_line(metrics: Path, line: Line) -> None:
    """Append one JSON object to metrics.jsonl."""
    with metrics.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_log(metrics: Path) -> list[Line]:
    """The lines of metrics.jsonl that can be read: not one that was cut off, or that a disk has damaged."""
    if not metrics.exists():
        return []
    lines = []
    for text in metrics.read_bytes().splitlines():
        try:
            line = json.loads(text)
            if isinstance(line["iteration"], int):
                lines.append(line)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return lines


def forget_after(metrics: Path, iteration: int) -> None:
    """Drop the lines of iterations that a resumed run will do again, and those that cannot be read."""
    if metrics.exists():
        kept = [json.dumps(line) + "\n" for line in read_log(metrics) if line["iteration"] <= iteration]
        write_atomically(metrics, "".join(kept).encode())


def alarm_summary(lines: list[Line]) -> list[str]:
    """What a log tells of alarms and rollbacks, a sentence for each; empty if there were none."""
    told = []
    for number, line in enumerate(lines):
        if "rollback" in line:
            told.append(f"Rollback from iteration {line['rollback']['from']} to {line['iteration']}.")
            told += [f"  Undone with it: {_name(alarm)}." for alarm in line["rollback"]["alarms"]]
        elif line.get("alarm", {}).get("state") == "raised":
            end = _cleared_at(lines[number:], line["alarm"])
            until = f"cleared in iteration {end}" if end is not None else "stood to the end"
            told.append(f"{_name(line['alarm'])} was raised in iteration {line['iteration']} and {until}.")
    return told


def _name(alarm: Line) -> str:
    return f"{alarm['name']} ({alarm['about']})" if alarm["about"] else str(alarm["name"])


def _cleared_at(later: list[Line], raised: Line) -> int | None:
    for line in later:
        alarm = line.get("alarm", {})
        if alarm.get("state") == "cleared" and _name(alarm) == _name(raised):
            return int(line["iteration"])
    return None
