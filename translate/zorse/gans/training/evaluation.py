"""What a run is measured by while it trains: one figure, lower is better, that fits what it draws."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from zorse.gans.data.config import DigitsConfig, MixtureConfig, PicturesConfig
from zorse.gans.data.dataset import open_samples
from zorse.gans.data.mixtures import centres, spread
from zorse.gans.metrics.digit_classifier import NAME
from zorse.gans.metrics.modes import N_POINTS, WITHIN, measure_modes
from zorse.gans.sampling.sampler import Sampler, as_pixels
from zorse.gans.training.config import BaselineConfig
from zorse.gans.training.digits import N_MEASURED, SIDE, classifier_distance
from zorse.metrics.features import efficientnet_extractor, extract_features
from zorse.metrics.figures import Sets, kid_figure
from zorse.metrics.resampling import FEWEST_PICTURES
from zorse.model.card import Metric

Exam = Callable[[Sampler], Metric]


def exam_for(config: BaselineConfig, data: Path | None, console: Console, device: torch.device) -> Exam | None:
    """The figure of a run; None where there is none.

    Points are measured by their modes; digits by the Frechet distance through a classifier that is trained on them
    first; pictures by KID through EfficientNet-Lite0.

    Args:
        config: of the run.
        data: folder of the samples.
        console: to say why there is no figure.
        device: where to look at pictures.

    Raises:
        DatasetError: samples that cannot be used.
        MissingExtraError: EfficientNet's weights are not installed.
    """
    match config.data:
        case MixtureConfig():
            return _modes_exam(config.data)
        case DigitsConfig():
            return _classifier_exam(config.data, data, console)
        case PicturesConfig():
            return _pictures_exam(config.data, data, config.training.evaluation_pictures, console, device)


def _pictures_exam(
    data: PicturesConfig, root: Path | None, most: int, console: Console, device: torch.device
) -> Exam | None:
    """KID between generated and test pictures, as many of each; training pictures where there are no others."""
    samples = open_samples(data.model_copy(update={"companion": "none"}), root, split="test")
    n = min(most, len(samples))
    if n < FEWEST_PICTURES:
        console.print(f"No best checkpoint is kept: {root} holds too few pictures to measure KID on.", markup=False)
        return None
    # Spread over the set, whose classes come one after the other.
    places = np.linspace(0, len(samples) - 1, n).astype(int)
    pictures = np.concatenate([as_pixels(samples.batch(int(place), 1)["x"]) for place in places])
    with torch.random.fork_rng([device] if device.type == "cuda" else []):  # Its layers draw random weights at first.
        extractor = efficientnet_extractor("lite0", device)
    real = extract_features(pictures, extractor)
    sets = Sets(
        words=f"{n} generated and {n} real pictures of {data.size} px",
        identifier=f"{n}v{n}/{hashlib.sha256(pictures.tobytes()).hexdigest()[:8]}",
    )

    def exam(sampler: Sampler) -> Metric:
        drawn = sampler.draw(sampler.latents(n, seed=0))[:, : data.channels]  # Of pairs the first picture.
        return kid_figure(extractor, real, extract_features(as_pixels(drawn), extractor), sets).metric

    return exam


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
