"""A model's figures on a test set, each with its interval, its protocol, and what doing nothing would score."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zorse.data.decode import Picture, decode
from zorse.errors import DatasetError
from zorse.metrics.features import Extractor, FeatureCollector, efficientnet_extractor
from zorse.metrics.figures import (
    Figure,
    Sets,
    described_sets,
    fid_figure,
    kid_figure,
    mean_figure,
    precision_recall_figures,
)
from zorse.metrics.manifold import FEWEST_FOR_BALLS
from zorse.metrics.paired import l1, psnr, ssim
from zorse.metrics.perceptual import PairMeasure, perceptual_distance
from zorse.metrics.pictures import EvaluationSet, Example
from zorse.metrics.resampling import FEWEST_PICTURES
from zorse.model.architecture import Frozen
from zorse.model.card import Metric
from zorse.networks.efficientnet import Variant
from zorse.runtime.translator import Size, Translator

VARIANTS: tuple[Variant, ...] = ("lite0", "lite2")
"""Distances are measured through both: projected discriminators look through Lite0, so that such a model, which learned
to please it, is judged by Lite2."""

PSNR = PairMeasure("PSNR (dB)", "psnr/rgb8", "PSNR of 8-bit sRGB", psnr)
SSIM = PairMeasure("SSIM", "ssim-gauss11/rgb8", "SSIM (Gaussian window of 11 px) of 8-bit sRGB", ssim)
L1 = PairMeasure("L1 (levels of 255)", "l1/rgb8", "mean absolute difference of 8-bit sRGB", l1)
CYCLE_L1 = PairMeasure(
    "Cycle error (levels of 255)", "cycle-l1/rgb8", "mean absolute difference there and back of 8-bit sRGB", l1
)
CYCLE_PSNR = PairMeasure("Cycle PSNR (dB)", "cycle-psnr/rgb8", "PSNR there and back of 8-bit sRGB", psnr)
HIGHER_IS_BETTER = (PSNR, SSIM, CYCLE_PSNR)


class Evaluation(Frozen):
    """What was measured of one model on one test set."""

    model: str
    task: str
    direction: str
    weights_sha256: str
    sets: str = ""
    """Which pictures, and how many."""
    metrics: tuple[Metric, ...]
    """Of the translations."""
    untouched: tuple[Metric, ...]
    """The same figures for the source pictures as they are: what a model that does nothing would get."""
    missing: tuple[str, ...] = ()
    """Figures that could not be measured, and why."""
    resamples: Mapping[str, str] = {}
    """What each figure became in each resample, by its name: little-endian float32 in base64. Equal protocols have
    equal resamples, so that two models are compared resample by resample."""


class Report(Frozen):
    """What `zorse evaluate` writes: one evaluation, or one for each generator of a run."""

    zorse_version: str
    evaluations: tuple[Evaluation, ...]


@dataclass(frozen=True)
class Instruments:
    """The pretrained networks that a model is measured with."""

    extractors: Sequence[Extractor]
    perceptual: Sequence[PairMeasure]
    """For pairs."""


def offline_instruments() -> Instruments:
    """Those that need no download.

    Raises:
        MissingExtraError: the packages with their weights are not installed.
    """
    return Instruments([efficientnet_extractor(variant) for variant in VARIANTS], [perceptual_distance()])


def evaluate(
    translator: Translator,
    pictures: EvaluationSet,
    *,
    size: Size = "auto",
    back: Translator | None = None,
    instruments: Instruments | None = None,
    on_example: Callable[[Example, Picture], None] = lambda example, translated: None,
    on_target: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Translate all test pictures and measure them.

    Args:
        translator: from `zorse.load`.
        pictures: the test set.
        size: at which size the network sees the pictures; see `Translator.translate`.
        back: the model for the other direction: with it the error of going there and back is measured, too.
        instruments: `offline_instruments` unless given.
        on_example: called with each source and its translation, in order.
        on_target: called after each further real picture.

    Raises:
        DatasetError: a picture that cannot be used, or fewer than two in a set.
    """
    check_counts(pictures)
    instruments = instruments or offline_instruments()
    pair_measures = (PSNR, SSIM, L1, *instruments.perceptual)
    source, translated, target = (_Gathered(instruments.extractors, pair_measures) for _ in range(3))
    cycle = _Gathered((), (CYCLE_L1, CYCLE_PSNR))
    for example in pictures.examples():
        fake: Picture = translator(example.source, size=size)
        source.add(example.source, example.truth)
        translated.add(fake, example.truth)
        if example.truth is not None:
            target.add(example.truth, None)
        if back is not None:
            cycle.add(back(fake, size=size), example.source)
        on_example(example, fake)
    for path in pictures.targets:
        target.add(decode(path), None)
        on_target()
    card = translator.card
    seen = "their own size" if size == "keep" else f"{size if isinstance(size, int) else card.native_size} px"
    sets = described_sets(pictures, f"translated at {seen}")
    figures = [*_figures(target, translated, sets), *cycle.means(sets)]
    untouched = _figures(target, source, described_sets(pictures, "untouched"))
    return Evaluation(
        model=card.name,
        task=card.task,
        direction=card.direction,
        weights_sha256=card.weights_sha256,
        sets=sets.words,
        metrics=tuple(figure.metric for figure in figures),
        untouched=tuple(figure.metric for figure in untouched),
        missing=_missing(pictures),
        resamples={figure.metric.name: packed(figure.resamples) for figure in figures},
    )


def check_counts(pictures: EvaluationSet) -> None:
    """See that sets can be compared at all.

    Raises:
        DatasetError: they hold too few pictures.
    """
    for n, name in ((pictures.n_examples, pictures.source_name), (pictures.n_targets, pictures.target_name)):
        if n < FEWEST_PICTURES:
            raise DatasetError(
                f"At least {FEWEST_PICTURES} pictures of each domain are needed to compare them, but there is only "
                f"{n} in {name}. Figures become steady from about 50 on."
            )


def packed(resamples: NDArray[np.float64]) -> str:
    """(R,) -> little-endian float32 in base64."""
    return base64.b64encode(resamples.astype("<f4").tobytes()).decode()


def unpacked(text: str) -> NDArray[np.float64]:
    """The inverse of `packed`.

    Raises:
        ValueError: it is not that.
    """
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float64)


@dataclass
class _Gathered:
    """What is kept of one set of pictures."""

    extractors: Sequence[Extractor]
    measures: Sequence[PairMeasure]
    collectors: list[FeatureCollector] = field(init=False)
    scores: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.collectors = [FeatureCollector(extractor) for extractor in self.extractors]
        self.scores = [[] for _ in self.measures]

    def add(self, picture: Picture, truth: Picture | None) -> None:
        for collector in self.collectors:
            collector.add(picture)
        if truth is not None:
            for measure, scores in zip(self.measures, self.scores, strict=True):
                scores.append(measure.measure(truth, picture))

    def means(self, sets: Sets) -> Iterator[Figure]:
        for measure, scores in zip(self.measures, self.scores, strict=True):
            if scores:
                yield mean_figure(
                    measure.name,
                    scores,
                    sets,
                    better="higher" if measure in HIGHER_IS_BETTER else "lower",
                    identifier=measure.identifier,
                    description=measure.description,
                )


def _figures(real: _Gathered, fake: _Gathered, sets: Sets) -> list[Figure]:
    features = [
        (extractor, real_side.features(), fake_side.features(), sets)
        for extractor, real_side, fake_side in zip(fake.extractors, real.collectors, fake.collectors, strict=True)
    ]
    distances = [fid_figure(*each) for each in features if each[0].has_fid]
    distances += [kid_figure(*each) for each in features]
    shares = [
        figure
        for each in features
        if min(len(each[1]), len(each[2])) >= FEWEST_FOR_BALLS
        for figure in precision_recall_figures(*each)
    ]
    return [*distances, *shares, *fake.means(sets)]


def _missing(pictures: EvaluationSet) -> tuple[str, ...]:
    if min(pictures.n_examples, pictures.n_targets) >= FEWEST_FOR_BALLS:
        return ()
    return (f"Precision and recall need at least {FEWEST_FOR_BALLS} pictures in each set.",)
