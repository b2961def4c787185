"""Precision and recall: how many translations look real, and how much of reality they cover.

A set's manifold is the union of balls around its pictures' features, each as large as the distance to the k-th nearest
other picture of the set.

Source: Kynkaanniemi et al. 2019, Improved Precision and Recall Metric for Assessing Generative Models, section 2.
"""

import numpy as np
from numpy.typing import NDArray

from zorse.metrics.resampling import N_RESAMPLES, Features, affordable, checked, draw_counts

NEIGHBOURS = 3
"""k; 3 in the paper."""
FEWEST_FOR_BALLS = NEIGHBOURS + 1
"""Pictures of a set whose k-th nearest other picture exists."""


BUDGET = 1e9
"""Resamples times squared pictures that are computed; some 5 seconds on one core."""


def manifold_rounds(n_real: int, n_fake: int, most: int) -> int:
    """How many resamples of sets of these sizes are worth their time."""
    return affordable((n_real + n_fake) ** 2, BUDGET, most)


def precision_recall(real_features: Features, fake_features: Features) -> tuple[float, float]:
    """Share of translations inside the manifold of the real pictures, and the other way round; 1 is best.

    Args:
        real_features: (N, d), N >= 4.
        fake_features: (M, d), M >= 4.

    Raises:
        DatasetError: fewer than four pictures in a set, or a feature that is not a finite number.
    """
    real, fake = _checked(real_features, fake_features)
    across = _distances(real, fake)
    precision = _covered(_radii(_distances(real, real)), across).mean()
    recall = _covered(_radii(_distances(fake, fake)), across.T).mean()
    return float(precision), float(recall)


def precision_recall_resamples(
    real_features: Features, fake_features: Features, *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`precision_recall` of resamples of both sets: (R,), (R,).

    Manifolds are built of the different pictures of a resample, since a copy would shrink its ball; the shares count
    copies. Recentred on the figure, 95 % intervals held the true value in 95 % of simulated experiments. Resampling
    only the pictures that are looked for, with the manifold as it is, gives intervals that are much too narrow (72 to
    79 %).

    Args:
        real_features: (N, d), N >= 4.
        fake_features: (M, d), M >= 4.
        n_resamples: bootstrap rounds.
        seed: of the resampling.

    Raises:
        DatasetError: as for `precision_recall`.
    """
    real, fake = _checked(real_features, fake_features)
    within_real, within_fake, across = _distances(real, real), _distances(fake, fake), _distances(real, fake)
    rng = np.random.default_rng(seed)
    draws_real, draws_fake = draw_counts(len(real), n_resamples, rng), draw_counts(len(fake), n_resamples, rng)
    values = np.empty((2, n_resamples))
    for number, (weights_real, weights_fake) in enumerate(zip(draws_real, draws_fake, strict=True)):
        i, j = np.flatnonzero(weights_real), np.flatnonzero(weights_fake)
        between = across[np.ix_(i, j)]
        inside_real = _covered(_radii(within_real[np.ix_(i, i)]), between)
        inside_fake = _covered(_radii(within_fake[np.ix_(j, j)]), between.T)
        values[:, number] = (
            np.average(inside_real, weights=weights_fake[j]),
            np.average(inside_fake, weights=weights_real[i]),
        )
    return values[0], values[1]


def _checked(real_features: Features, fake_features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return (
        checked(real_features, "real", FEWEST_FOR_BALLS),
        checked(fake_features, "translated", FEWEST_FOR_BALLS),
    )


def _distances(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, d), (M, d) -> (N, M)."""
    squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0))
    return distances


def _radii(within: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, N) -> (N,): distance to the k-th nearest other picture, or to the farthest if there are not so many."""
    k = min(NEIGHBOURS, len(within) - 1)
    radii: NDArray[np.float64] = np.partition(within, k, axis=1)[:, k]  # The nearest of all is the picture itself.
    return radii


def _covered(radii: NDArray[np.float64], distances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which pictures lie in one of the balls: (N,), (N, M) -> (M,)."""
    return np.asarray((distances <= radii[:, None]).any(axis=0))
