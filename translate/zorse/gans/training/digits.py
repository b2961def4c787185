"""How digits are measured: through a small classifier that is trained on the real ones first."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from rich.console import Console
from torch import Tensor

from zorse.errors import ConfigError
from zorse.gans.data.config import DigitsConfig, SampleDataConfig
from zorse.gans.data.dataset import open_samples
from zorse.gans.metrics.digit_classifier import (
    NAME,
    DigitClassifier,
    Seen,
    accuracy,
    balance_kl,
    classifier_score,
    code_agreement,
    look,
    mutual_information,
    train_classifier,
)
from zorse.gans.networks.latents import take_apart
from zorse.gans.sampling.sampler import Sampler
from zorse.gans.training.config import BaselineConfig
from zorse.metrics.frechet import frechet_distance
from zorse.training.loop.loop import TrainingState

N_MEASURED = 2000
"""Generated and real pictures of each measurement; Frechet distances of other numbers do not compare."""
SEED = 1
SIDE = 32
EVERY = 200
"""Steps of the classifier between lines on the console."""


@lru_cache(maxsize=2)
def classifier_of(data: DigitsConfig, root: Path, console: Console) -> tuple[DigitClassifier, Seen, float]:
    """The classifier for a set, what it sees in real test pictures, and its accuracy on them.

    Raises:
        ConfigError: pictures of another size.
        DatasetError: the files cannot be used.
    """
    if data.size != SIDE:
        raise ConfigError(f"Digits are measured at {SIDE} x {SIDE} pixels, but data.size is {data.size}.")
    plain = data.model_copy(update={"companion": "none"})
    training, test = open_samples(plain, root), open_samples(plain, root, split="test")

    def draw(first: int, n: int) -> tuple[Tensor, Tensor]:
        batch = training.batch(first, n)
        return batch["x"], batch["label"]

    def tell(done: int, of: int) -> None:
        if done % EVERY == 0:
            console.print(f"Training the {NAME}: {done}/{of}")

    network = train_classifier(draw, len(training.class_names), tell)
    real = test.batch(0, min(N_MEASURED, len(test)))
    seen = look(network, real["x"])
    right = accuracy(seen, real["label"].numpy())
    console.print(f"The {NAME} is right about {right:.1%} of {len(real['x'])} test pictures.")
    return network, seen, right


def first_picture(samples: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, 1, H, W): of pairs the picture of the first domain."""
    return samples[:, :1]


def classifier_distance(
    data: SampleDataConfig, root: Path | None, console: Console
) -> Callable[[Sampler], float] | None:
    """Frechet distance of a sampler's pictures to real test pictures; None where it cannot be measured."""
    if not isinstance(data, DigitsConfig) or root is None or data.size != SIDE:
        return None
    network, real, _ = classifier_of(data, root, console)

    def distance(sampler: Sampler) -> float:
        pictures = first_picture(sampler.draw(sampler.latents(N_MEASURED, seed=SEED)))
        return frechet_distance(real.features, look(network, pictures).features)

    return distance


def digit_measure(
    config: BaselineConfig, root: Path | None, console: Console
) -> tuple[Callable[[TrainingState, Sampler], Mapping[str, float]], str]:
    """What measures a generator of digits, and how it does that in words.

    Raises:
        ConfigError: no data, or digits of another size.
    """
    if not isinstance(config.data, DigitsConfig) or root is None:
        raise ConfigError(f"{config.name} is measured on MNIST's idx files. Say where they are with --data.")
    network, real, right = classifier_of(config.data, root, console)

    def measure(state: TrainingState, sampler: Sampler) -> dict[str, float]:
        latents = sampler.latents(N_MEASURED, seed=SEED)
        parts = take_apart(sampler.card.latent, latents)
        seen = look(network, first_picture(sampler.draw(latents)))
        classes = seen.probabilities.argmax(1)
        figures: dict[str, float] = {}
        if sampler.card.latent.classes:
            figures["accuracy of classes"] = accuracy(seen, parts.labels.argmax(1).numpy())
        for number, code in enumerate(parts.categories):
            values = code.shape[1]
            if values == seen.probabilities.shape[1]:
                drawn = code.argmax(1).numpy()
                figures[f"agreement of code {number}"] = code_agreement(drawn, classes, values)
                figures[f"information of code {number}, nats"] = mutual_information(drawn, classes, values)
        figures["balance KL"] = balance_kl(seen)
        figures["classifier score"] = classifier_score(seen)
        figures["classifier Frechet"] = frechet_distance(real.features, seen.features)
        return figures

    return measure, (
        f"Digits: {N_MEASURED} generated pictures through Zorse's {NAME}, which is right about {right:.1%} of the real "
        f"test pictures; it gives those a score of {classifier_score(real):.2f}. Its score and Frechet distance are no "
        "Inception score and no FID."
    )
