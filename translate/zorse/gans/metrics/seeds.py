"""Means over a few runs that differ in their seed alone, and how far they can be trusted."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from scipy.special import stdtrit


def mean_interval(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """The mean and its 95 % interval by Student's t, which takes the runs for draws from a normal distribution.

    Args:
        values: of the runs, at least one; of a single one there is no interval.
    """
    mean = fmean(values)
    if len(values) < 2:
        return mean, None
    t = float(stdtrit(len(values) - 1, 0.975))
    half = t * stdev(values) / math.sqrt(len(values))
    return mean, (mean - half, mean + half)
