"""Frechet distance: how far two sets of features are apart, each taken for a Gaussian. FID is this on Inception-v3.

Its estimate from N pictures is too large by an amount that shrinks with N and depends on the model: figures from
different numbers of pictures do not compare (Binkowski et al. 2018, section 3.2). KID has no such bias.

Source: Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule, section 2.
"""

import numpy as np
from numpy.typing import NDArray

from zorse.metrics.resampling import Features, affordable, checked, draw_counts

BUDGET = 2e9
"""Resamples times cubed pictures that are computed; some 20 seconds on one core."""


def frechet_distance(real_features: Features, fake_features: Features) -> float:
    """|mu_r - mu_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2)) with means mu and covariances S; 0 for equal sets.

    Args:
        real_features: (N, d), N >= 2.
        fake_features: (M, d), M >= 2.

    Raises:
        DatasetError: fewer than two pictures in a set, or a feature that is not a finite number.
    """
    products = _products(real_features, fake_features)
    return _weighted_distance(*products, np.ones(len(products[0])), np.ones(len(products[1])))


def frechet_resamples(
    real_features: Features, fake_features: Features, *, n_resamples: int, seed: int = 0
) -> NDArray[np.float64]:
    """`frechet_distance` of resamples of both sets: (R,).

    They are larger than the figure, by more than they vary. Recentred on it, 95 % intervals held the true value in 98 %
    of simulated experiments; as they are, in 16 %.

    Args:
        real_features: (N, d), N >= 2.
        fake_features: (M, d), M >= 2.
        n_resamples: bootstrap rounds.
        seed: of the resampling.

    Raises:
        DatasetError: as for `frechet_distance`.
    """
    products = _products(real_features, fake_features)
    rng = np.random.default_rng(seed)
    draws_real = draw_counts(len(products[0]), n_resamples, rng)
    draws_fake = draw_counts(len(products[1]), n_resamples, rng)
    draws = zip(draws_real, draws_fake, strict=True)
    return np.array([_weighted_distance(*products, *weights) for weights in draws])


def frechet_rounds(n_real: int, n_fake: int, most: int) -> int:
    """How many resamples of sets of these sizes are worth their time."""
    return affordable(n_real * n_fake * min(n_real, n_fake), BUDGET, most)


def _products(
    real_features: Features, fake_features: Features
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Inner products within the real set (N, N), within the fake set (M, M) and across (N, M)."""
    real, fake = checked(real_features, "real"), checked(fake_features, "translated")
    centre = real.mean(axis=0)  # Differences do not depend on it, but their rounding does.
    real, fake = real - centre, fake - centre
    return real @ real.T, fake @ fake.T, real @ fake.T


def _weighted_distance(
    within_real: NDArray[np.float64],
    within_fake: NDArray[np.float64],
    across: NDArray[np.float64],
    weights_real: NDArray[np.float64],
    weights_fake: NDArray[np.float64],
) -> float:
    """The distance when picture i counts weights[i] times; (N,), (M,).

    All of it follows from inner products. With the covariances as S_r = A'A and S_f = B'B, where the rows of A and B
    are the centred features, tr (S_r S_f)^(1/2) is the sum of the singular values of A B'.
    """
    n, m = weights_real.sum(), weights_fake.sum()
    p, q = weights_real / n, weights_fake / m
    mean_real, mean_fake, mean_across = p @ within_real @ p, q @ within_fake @ q, p @ across @ q
    trace_real = (p @ within_real.diagonal() - mean_real) * n / (n - 1)
    trace_fake = (q @ within_fake.diagonal() - mean_fake) * m / (m - 1)
    rows, columns = weights_real > 0, weights_fake > 0
    centred = (across - (across @ q)[:, None] - p @ across + mean_across)[np.ix_(rows, columns)]
    scale = np.sqrt(np.outer(weights_real[rows] / (n - 1), weights_fake[columns] / (m - 1)))
    trace_root = np.linalg.svd(centred * scale, compute_uv=False).sum()
    return float(mean_real + mean_fake - 2 * mean_across + trace_real + trace_fake - 2 * trace_root)
