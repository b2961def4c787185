"""From features and scores to figures: each with its interval, its protocol, and the identifier of that protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zorse.metrics.features import Extractor
from zorse.metrics.frechet import frechet_distance, frechet_resamples, frechet_rounds
from zorse.metrics.kid import kid, kid_resamples
from zorse.metrics.manifold import NEIGHBOURS, manifold_rounds, precision_recall, precision_recall_resamples
from zorse.metrics.pictures import EvaluationSet
from zorse.metrics.resampling import CONFIDENCE, N_RESAMPLES, Features, interval, mean_resamples, recentred
from zorse.model.card import Metric


@dataclass(frozen=True)
class Figure:
    """A measured figure with what it became in each resample."""

    metric: Metric
    resamples: NDArray[np.float64]
    """(R,), around the figure."""


@dataclass(frozen=True)
class Sets:
    """The pictures that a figure was measured on."""

    words: str
    """Which, and how many."""
    identifier: str
    """Counts and contents, in short: "120v140/9f2c41d0"."""


def described_sets(pictures: EvaluationSet, what: str) -> Sets:
    """How figures on a test set name it.

    Args:
        pictures: the test set.
        what: happened to the sources: "untouched". No part of the identifier: it is what the figure tells.

    Raises:
        DatasetError: a file cannot be read.
    """
    return Sets(
        words=f"{pictures.n_examples} pictures of {pictures.source_name} {what}; {pictures.n_targets} real pictures of "
        f"{pictures.target_name}",
        identifier=f"{pictures.n_examples}v{pictures.n_targets}/{pictures.fingerprint()}",
    )


def kid_figure(extractor: Extractor, real: Features, fake: Features, sets: Sets) -> Figure:
    """KID times 1000.

    Args:
        extractor: where the features come from.
        real: (N, d).
        fake: (M, d).
        sets: which pictures they are of.

    Raises:
        DatasetError: fewer than two pictures in a set, or a feature that is not a finite number.
    """
    return _figure(
        f"KID x 1000 ({extractor.name})",
        1000 * kid(real, fake),
        1000 * kid_resamples(real, fake, n_resamples=N_RESAMPLES),
        better="lower",
        protocol=f"{extractor.description}, unbiased MMD^2 with kernel (x.y/d + 1)^3, {_bootstrap(N_RESAMPLES)}",
        identifier=f"kid-unbiased-poly3/{extractor.identifier}",
        sets=sets,
    )


def fid_figure(extractor: Extractor, real: Features, fake: Features, sets: Sets) -> Figure:
    """FID: the Frechet distance of an extractor that has one.

    Args:
        extractor: where the features come from.
        real: (N, d).
        fake: (M, d).
        sets: which pictures they are of.

    Raises:
        DatasetError: fewer than two pictures in a set, or a feature that is not a finite number.
    """
    value = frechet_distance(real, fake)
    n_resamples = frechet_rounds(len(real), len(fake), N_RESAMPLES)
    return _figure(
        "FID",
        value,
        recentred(frechet_resamples(real, fake, n_resamples=n_resamples), value),
        better="lower",
        protocol=f"Frechet distance of {extractor.description}, biased upwards for few pictures, "
        f"{_bootstrap(n_resamples)}, recentred on the figure",
        identifier=f"fid/{extractor.identifier}",
        sets=sets,
    )


def precision_recall_figures(extractor: Extractor, real: Features, fake: Features, sets: Sets) -> tuple[Figure, Figure]:
    """How many translations lie among the real pictures, and how many real pictures among the translations.

    Args:
        extractor: where the features come from.
        real: (N, d).
        fake: (M, d).
        sets: which pictures they are of.

    Raises:
        DatasetError: fewer than four pictures in a set, or a feature that is not a finite number.
    """
    n_resamples = manifold_rounds(len(real), len(fake), N_RESAMPLES)
    values, resamples = precision_recall(real, fake), precision_recall_resamples(real, fake, n_resamples=n_resamples)
    precision, recall = (
        _figure(
            f"{name} ({extractor.name})",
            value,
            recentred(draws, value).clip(0, 1),
            better="higher",
            protocol=f"share inside the balls of {NEIGHBOURS} nearest neighbours of {extractor.description}, "
            f"{_bootstrap(n_resamples)}, recentred on the figure",
            identifier=f"{name.lower()}-k{NEIGHBOURS}/{extractor.identifier}",
            sets=sets,
        )
        for name, value, draws in zip(("Precision", "Recall"), values, resamples, strict=True)
    )
    return precision, recall


def mean_figure(
    name: str,
    scores: Sequence[float],
    sets: Sets,
    *,
    better: Literal["lower", "higher"],
    identifier: str,
    description: str,
) -> Figure:
    """The mean of a score over the pictures.

    Args:
        name: of the figure.
        scores: of each picture.
        sets: which pictures they are of.
        better: what a better model has.
        identifier: how protocol identifiers name the score.
        description: what the score is, in words.
    """
    values = np.array(scores, np.float64)
    return _figure(
        name,
        float(values.mean()),
        mean_resamples(values, n_resamples=N_RESAMPLES),
        better=better,
        protocol=f"mean over pictures of {description}, {_bootstrap(N_RESAMPLES)}",
        identifier=identifier,
        sets=sets,
    )


def _figure(
    name: str,
    value: float,
    resamples: NDArray[np.float64],
    *,
    better: Literal["lower", "higher"],
    protocol: str,
    identifier: str,
    sets: Sets,
) -> Figure:
    low, high = interval(resamples)
    metric = Metric(
        name=name,
        value=value,
        interval=(low, high),
        protocol=f"{protocol}; {sets.words}",
        protocol_id=f"{identifier}/{sets.identifier}",
        better=better,
    )
    return Figure(metric, resamples)


def _bootstrap(n_resamples: int) -> str:
    return f"{CONFIDENCE:.0%} bootstrap interval of {n_resamples} resamples".replace("%", " %")
