"""Bootstrap: how a figure would vary, had other pictures of the same kind been taken.

Every figure draws its resamples in the same way from the same seed. Two models that are measured on the same sets thus
meet the same resamples, so that their difference can be judged resample by resample (`metrics.compare`).

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and 13.
"""

import numpy as np
from numpy.typing import NDArray

from zorse.errors import DatasetError

Features = NDArray[np.float32] | NDArray[np.float64]
"""(N, d): one row for each picture."""

N_RESAMPLES = 2000
CONFIDENCE = 0.95
FEWEST_RESAMPLES = 100
FEWEST_PICTURES = 2
"""Distances between sets compare different pictures of the same set."""


def draw_counts(n: int, n_resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n_resamples, n): how often each of n >= 2 pictures was drawn; at least two different ones in every row."""
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)
    # With very few pictures one alone can make up a whole draw, and there is nothing to compare it with.
    lonely = (counts > 0).sum(axis=1) < FEWEST_PICTURES
    counts[lonely] = 1
    return counts.astype(np.float64)


def affordable(cost: float, budget: float, most: int = N_RESAMPLES) -> int:
    """How many resamples of that cost a budget pays: at most `most`, at least 100."""
    return int(np.clip(budget / cost, min(FEWEST_RESAMPLES, most), most))


def interval(resamples: NDArray[np.float64], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """What lies between the tails of the resamples.

    Args:
        resamples: (R,) values of the figure.
        confidence: share of repeated experiments whose interval holds the true value, in (0, 1).
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(resamples, [tail, 1 - tail])
    return float(low), float(high)


def recentred(resamples: NDArray[np.float64], value: float) -> NDArray[np.float64]:
    """The resamples moved so that their mean is the figure itself.

    A resample holds copies, which make some figures larger or smaller than they are for a set without any.
    """
    moved: NDArray[np.float64] = resamples + (value - resamples.mean())
    return moved


def mean_resamples(
    scores: NDArray[np.float64], *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """(R,): the mean of the pictures' scores (n,) in each resample."""
    counts = draw_counts(len(scores), n_resamples, np.random.default_rng(seed))
    means: NDArray[np.float64] = (counts @ scores) / len(scores)
    return means


def checked(features: Features, name: str, fewest: int = FEWEST_PICTURES) -> NDArray[np.float64]:
    """Features fit for comparing, in 64 bits.

    Args:
        features: (N, d).
        name: of the set, for the message.
        fewest: pictures that are needed.

    Raises:
        DatasetError: too few pictures, or a feature that is not a finite number.
    """
    if len(features) < fewest:
        raise DatasetError(
            f"Two sets of at least {fewest} pictures each are compared, but the {name} set has {len(features)}. Take "
            "more pictures; figures become steady from about 50 on."
        )
    if not np.isfinite(features).all():
        raise DatasetError(
            f"Some features of the {name} pictures are not finite numbers, so no distance can be computed. A model "
            "whose training diverged draws such pictures: look at its output."
        )
    return features.astype(np.float64)
