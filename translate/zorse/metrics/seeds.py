"""Means over a few runs that differ in their seed alone, and how far they can be trusted."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Student's t for 1, 2, ... degrees of freedom, 95 % on both sides together."""
_NORMAL = 1.96


def mean_interval(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """The mean and its 95 % interval by Student's t, which takes the runs for draws from a normal distribution.

    Args:
        values: of the runs, at least one; of a single one there is no interval.
    """
    mean = fmean(values)
    if len(values) < 2:
        return mean, None
    t = _T[len(values) - 2] if len(values) - 2 < len(_T) else _NORMAL
    half = t * stdev(values) / math.sqrt(len(values))
    return mean, (mean - half, mean + half)
