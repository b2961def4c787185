"""How alike pictures are: copies, corresponding sides, and domains that cannot be told apart."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from zorse.data.doctor.look import Look

Bits = NDArray[np.bool_]
Values = NDArray[np.float32]

_ROWS = 2048
"""Pictures compared with all others at a time: bounds the memory."""


def perceptual_hash(look: Look, mirrored: bool = False) -> Bits:
    """(64,): which of the lowest frequencies of a picture are stronger than their median.

    Source: Zauner 2010, Implementation and benchmarking of perceptual image hash functions, section 3.2.1.
    """
    thumbnail = look.thumbnail[:, ::-1] if mirrored else look.thumbnail
    lowest = cv2.dct(thumbnail.astype(np.float32))[:8, :8]
    return np.asarray(lowest > np.median(lowest)).ravel()


def near(first: Bits, second: Bits, most: int) -> Iterator[tuple[int, int]]:
    """Rows i of `first` and j of `second`, (n, bits) and (m, bits), that differ in at most `most` bits."""
    others = _signs(second)
    for start in range(0, len(first), _ROWS):
        agreement = _signs(first[start : start + _ROWS]) @ others.T
        # Equal bits add 1, others take 1 away.
        rows, columns = np.nonzero(agreement >= first.shape[1] - 2 * most)
        yield from zip((rows + start).tolist(), columns.tolist(), strict=True)


def likeness(first: Look, second: Look, mirrored: bool = False) -> tuple[float, float]:
    """Correlations, at most 1, of the edges of two pictures and of their tones."""
    step = -1 if mirrored else 1
    if first.is_constant or second.is_constant:
        same = first.is_constant and second.is_constant
        same = same and abs(float(first.thumbnail.mean()) - float(second.thumbnail.mean())) < 8
        return float(same), float(same)
    return (
        _correlation(first.structure, second.structure[:, :, ::step]),
        _correlation(first.thumbnail, second.thumbnail[:, ::step]),
    )


def correspondence(side_a: Sequence[Look], side_b: Sequence[Look]) -> Values:
    """How much better each pair's edges fit together than those of sides that do not belong together.

    Returns:
        (n,), in standard deviations of the fit of wrong sides: about 0 for a wrong pair, mostly 3 to 8 for a right one.
        The better of both views: of A's fit among all As for this B, and of B's among all Bs.
    """
    a, b = (_directions(np.stack([look.structure for look in side])) for side in (side_a, side_b))
    fit = a @ b.T
    own = np.diag(fit)
    n = len(fit)
    if n < 3:
        return np.zeros(n, np.float32)
    scores = []
    for axis in (0, 1):
        total, squares = fit.sum(axis) - own, (fit**2).sum(axis) - own**2
        mean = total / (n - 1)
        deviation = np.sqrt(np.maximum(squares / (n - 1) - mean**2, 1e-6))
        scores.append((own - mean) / deviation)
    return np.asarray(np.maximum(*scores), np.float32)


def order(side_a: Values, side_b: Values) -> Values:
    """Which pairs have their sides the other way round than most.

    The direction in which A and B differ most surely is searched without knowing which pairs are swapped: starting
    from the axis of all differences, linear discriminant analysis and turning pairs round take turns.

    Args:
        side_a: (n, k) statistics of the first sides.
        side_b: likewise of the second.

    Returns:
        (n,), in standard deviations: positive for pairs ordered as most are, negative for swapped ones, near 0 where
        the sides cannot be told apart.
    """
    scale = np.concatenate([side_a, side_b]).std(axis=0) + 1e-6
    differences = ((side_a - side_b) / scale).astype(np.float64)
    axis = np.linalg.eigh(differences.T @ differences)[1][:, -1]
    signs = np.where(differences @ axis >= 0, 1.0, -1.0)
    projected = differences @ axis
    for _ in range(10):
        turned = differences * signs[:, None]
        noise = np.cov(turned.T) + 0.05 * np.eye(len(scale))
        axis = np.linalg.solve(noise, turned.mean(axis=0))
        spread = axis @ noise @ axis
        if spread == 0:  # no side differs from the other
            return np.zeros(len(differences), np.float32)
        projected = differences @ axis / np.sqrt(spread)
        if np.array_equal(signs, new := np.where(projected >= 0, 1.0, -1.0)):
            break
        signs = new
    return np.asarray(projected if (projected > 0).mean() >= 0.5 else -projected, np.float32)


def separability(domain_a: Values, domain_b: Values, folds: int = 5) -> float:
    """How well a linear classifier tells two domains apart that it has not seen: area under the ROC curve.

    Args:
        domain_a: (n, k) statistics of pictures.
        domain_b: (m, k) likewise.
        folds: of the cross-validation.

    Returns:
        0.5: not at all; 1: without error.
    """
    a, b = (_shuffled(domain.astype(np.float64)) for domain in (domain_a, domain_b))
    areas = []
    for fold in range(folds):
        (train_a, test_a), (train_b, test_b) = (_fold(domain, fold, folds) for domain in (a, b))
        noise = np.cov(train_a.T) + np.cov(train_b.T)
        noise += np.diag(1e-3 * np.diag(noise) + 1e-9)
        axis = np.linalg.solve(noise, train_b.mean(axis=0) - train_a.mean(axis=0))
        areas.append(float((np.subtract.outer(test_b @ axis, test_a @ axis) > 0).mean()))
    return float(np.mean(areas))


def _signs(bits: Bits) -> Values:
    return np.asarray(2 * bits.astype(np.float32) - 1, np.float32)


def _correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    a, b = (values.ravel().astype(np.float32) for values in (first, second))
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-6))


def _directions(structures: NDArray[np.uint8]) -> Values:
    """(n, 2, 32, 32) -> (n, 2048) unit vectors of how each picture's edges deviate from the side's mean."""
    values = structures.astype(np.float32).reshape(len(structures), 2, -1)
    values = (values - values.mean(axis=2, keepdims=True)).reshape(len(structures), -1)
    values = values - values.mean(axis=0)
    return np.asarray(values / (np.linalg.norm(values, axis=1, keepdims=True) + 1e-6), np.float32)


def _shuffled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.random.default_rng(0).permutation(values)


def _fold(values: NDArray[np.float64], fold: int, folds: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    held_out = np.arange(len(values)) % folds == fold
    return values[~held_out], values[held_out]
