"""The table of `zorse benchmark gans`."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from zorse.training.baselines.benchmark import BenchmarkFigure, GanBenchmark


def print_table(result: "GanBenchmark", console: Console) -> None:
    """A row for each preset and figure: mean and 95 % interval over the seeds, and each seed's value."""
    table = Table("preset", "figure", "mean", "95 % interval", "by seed", box=None)
    for row in result.rows:
        for position, figure in enumerate(row.figures):
            name = row.preset if position == 0 else ""
            table.add_row(name, figure.name, _number(figure.mean), _interval(figure), _each(figure))
        table.add_row("", "seconds", f"{row.seconds:.0f}", "", "")
    console.print(table)
    for remark in result.remarks:
        console.print(remark, soft_wrap=True)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _interval(figure: "BenchmarkFigure") -> str:
    return "" if figure.interval is None else f"{figure.interval[0]:.4g} to {figure.interval[1]:.4g}"


def _each(figure: "BenchmarkFigure") -> str:
    return ", ".join(_number(value) for value in figure.values)
