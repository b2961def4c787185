"""What a lesson consists of, and how its picture is begun."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zorse.gans.sheets import FAKE, REAL, Points

PANEL = (4.4, 3.4)
"""Width and height of one part of a picture, in inches."""
BLUE, ORANGE, GREY = "#3c5ac8", "#e66e14", "#808080"
"""Colours of what is real or healthy, of what is generated or ill, and of what is only there to compare."""


@dataclass(frozen=True)
class Lesson:
    """What was computed, and what it means."""

    table: tuple[tuple[str, ...], ...]
    """The figures, the heads of the columns first."""
    explanation: str
    """One paragraph."""
    picture: Figure


def panels(titles: Sequence[str], columns: int | None = None) -> tuple[Figure, list[Axes]]:
    """An empty picture with as many parts as there are titles, row by row.

    Args:
        titles: of the parts.
        columns: parts in a row; None: all in one.
    """
    columns = columns or len(titles)
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows), layout="constrained")
    axes = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for axis in axes[len(titles) :]:
        axis.set_axis_off()
    for axis, title in zip(axes, titles, strict=False):
        axis.set_title(title, fontsize="medium")
    return figure, axes[: len(titles)]


def scatter(axis: Axes, real: Points, fake: Points, reach: float) -> None:
    """Real points, and generated ones upon them, in the square [-reach, reach] both ways."""
    for points, colour in ((real, REAL), (fake, FAKE)):
        axis.scatter(points[:, 0], points[:, 1], s=3, color=[part / 255 for part in colour], linewidths=0)
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
