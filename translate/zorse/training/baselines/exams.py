"""What a run is measured by while it trains: one figure, lower is better, that fits what it draws."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from zorse.card import Metric
from zorse.data.samples.config import DigitsConfig, MixtureConfig, PicturesConfig
from zorse.data.samples.mixtures import centres, spread
from zorse.metrics.digit_classifier import NAME
from zorse.metrics.modes import N_POINTS, WITHIN, measure_modes
from zorse.samples.sampler import Sampler
from zorse.training.baselines.config import BaselineConfig
from zorse.training.baselines.digits import N_MEASURED, SIDE, classifier_distance

Exam = Callable[[Sampler], Metric]


def exam_for(config: BaselineConfig, data: Path | None, console: Console) -> Exam | None:
    """The figure of a run; None where there is none.

    Points are measured by their modes; digits by the Frechet distance through a classifier that is trained on them
    first.
    """
    match config.data:
        case MixtureConfig():
            return _modes_exam(config.data)
        case DigitsConfig():
            return _classifier_exam(config.data, data, console)
        case PicturesConfig():
            return None


def _classifier_exam(digits: DigitsConfig, root: Path | None, console: Console) -> Exam | None:
    distance = classifier_distance(digits, root, console)
    if distance is None:
        return None

    def exam(sampler: Sampler) -> Metric:
        return Metric(
            name=f"Frechet distance ({NAME})",
            value=distance(sampler),
            protocol=f"features of Zorse's {NAME}, trained on the same set; {N_MEASURED} generated and test pictures",
            protocol_id=f"frechet/{NAME.replace(' ', '-')}/{SIDE}/{N_MEASURED}",
            better="lower",
        )

    return exam


def _modes_exam(data: MixtureConfig) -> Exam:
    means, std = centres(data.distribution), spread(data)

    def exam(sampler: Sampler) -> Metric:
        figures = measure_modes(sampler.draw(sampler.latents(N_POINTS, seed=0)).numpy(), means, std)
        return Metric(
            name="mismatch of modes",
            value=figures.mismatch,
            protocol=(
                f"1 - sum over the {figures.modes} modes of min(share of points within {WITHIN:g} standard deviations, "
                f"1/{figures.modes}); {N_POINTS} points; {figures.covered} modes covered, {figures.good:.1%} of the "
                "points within"
            ),
            protocol_id=f"modes-mismatch/{data.distribution}/std{std:g}/{N_POINTS}",
            better="lower",
        )

    return exam
