"""The table of `zorse benchmark gans`."""

from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table

from zorse.cli.console import Console

if TYPE_CHECKING:
    from zorse.gans.training.benchmark import BenchmarkFigure, BenchmarkRow, GanBenchmark

Interval = tuple[float, float] | None


def print_table(result: "GanBenchmark", console: Console) -> None:
    """Under each preset a row for each figure: mean and 95 % interval over the seeds, and each seed's value.

    Where tricks were measured, what they change stands in place of the single values.
    """
    tricks = any(row.trick for row in result.rows)
    table = Table("preset", "mean", "95 % interval", "change" if tricks else "by seed", box=None, pad_edge=False)
    for row in result.rows:
        table.add_row(_name(row))
        for figure in row.figures:
            last = _change(figure) if tricks else _each(figure)
            table.add_row(f"  {figure.name}", _number(figure.mean), _interval(figure.interval), last)
        table.add_row("  seconds", f"{row.seconds:.0f}")
    for column in table.columns:  # A figure that is cut off is of no use.
        column.min_width = max(len(str(cell)) for cell in column.cells)
    console.print(table)
    for remark in (*result.remarks, _conditions(result)):
        console.print(remark)


def markdown_tables(result: "GanBenchmark") -> str:
    """The same for a Markdown page, a row for each preset; presets with the same figures share a table.

    In brackets stands the interval, or of a trick what it changes and the interval of that.
    """
    parts = []
    for figures, group in groupby(result.rows, key=lambda row: tuple(figure.name for figure in row.figures)):
        rows = [["preset", *figures, "seconds"], ["---"] * (len(figures) + 2)]
        rows += [[_name(row), *map(_cell, row.figures), f"{row.seconds:.0f}"] for row in group]
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in rows))
    return "\n\n".join([*parts, " ".join([*result.remarks, _conditions(result)])])


def _name(row: "BenchmarkRow") -> str:
    return f"{row.preset}, {row.trick}" if row.trick else row.preset


def _cell(figure: "BenchmarkFigure") -> str:
    """The mean; with it what a trick changes, or else the interval."""
    more = _change(figure) or _interval(figure.interval)
    return f"{_number(figure.mean)} ({more})" if more else _number(figure.mean)


def _conditions(result: "GanBenchmark") -> str:
    """What the figures hold for."""
    seeds = ", ".join(map(str, result.seeds))
    threads = f"{result.threads} {'thread' if result.threads == 1 else 'threads'} of a CPU ({result.processor})"
    settings = " ".join(next((row.settings for row in result.rows if row.trick is None), ()))
    tricks = "of a trick, the change against the same seeds without it, with its interval; "
    return (
        f"{'Seeds' if len(result.seeds) > 1 else 'Seed'} {seeds}; means with 95 % intervals by Student's t; "
        f"{tricks if any(row.trick for row in result.rows) else ''}{threads}{f'; with {settings}' if settings else ''}."
    )


def _number(value: float) -> str:
    return f"{value:.3g}"


def _interval(interval: Interval) -> str:
    return "" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"


def _each(figure: "BenchmarkFigure") -> str:
    return ", ".join(_number(value) for value in figure.values)


def _change(figure: "BenchmarkFigure") -> str:
    if figure.change is None:
        return ""
    low_high = figure.change_interval
    return f"{figure.change:+.3g}" + (f", {low_high[0]:+.3g} to {low_high[1]:+.3g}" if low_high else "")
