"""What translators are measured by while they train: KID, through a network that they did not train against."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from zorse.backends.torch.backend import TorchBackend
from zorse.data.config import EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.decode import decode
from zorse.errors import DatasetError
from zorse.metrics.features import Extractor, FeatureCollector, efficientnet_extractor
from zorse.metrics.figures import Sets, described_sets, kid_figure
from zorse.metrics.pictures import EvaluationSet, edges_set, paired_set, unpaired_set
from zorse.metrics.resampling import FEWEST_PICTURES
from zorse.model.card import Direction, Metric, ModelCard
from zorse.networks.efficientnet import Variant
from zorse.runtime.translator import Translator
from zorse.training.cards import generator_cards
from zorse.training.config import TrainConfig
from zorse.training.loop.loop import TrainingState, device_of, untouched_chance
from zorse.training.observers.best import Measure


@dataclass(frozen=True)
class _Exam:
    """What one generator is measured on."""

    pictures: EvaluationSet
    sets: Sets
    real: NDArray[np.float32]
    """Features of the real pictures."""


def exam_for(config: TrainConfig, data: Path, state: TrainingState, console: Console) -> Measure | None:
    """KID of each generator; None if there are too few pictures.

    It looks through EfficientNet-Lite0, or through Lite2 where discriminators look through Lite0 and generators learn
    to please it. Features of the real pictures are computed here, once.

    Args:
        config: of the run.
        data: folder of the pictures: its test set is taken, or else training pictures.
        state: fresh or restored.
        console: to say why there is no figure.

    Raises:
        DatasetError: a picture that cannot be used.
    """
    pictures = {
        name: evaluation_set(config, data, card.direction) for name, card in generator_cards(config, state).items()
    }
    for each in pictures.values():
        if min(each.n_examples, each.n_targets) < FEWEST_PICTURES:
            console.print(
                f"No best checkpoint is kept: {each.source_name} and {each.target_name} hold too few pictures to "
                "measure KID on.",
                markup=False,
                soft_wrap=True,
            )
            return None
    with untouched_chance(device_of(state)):  # Layers draw random weights before they get their own.
        extractor = efficientnet_extractor(fair_judge(config), device_of(state))
    exams = {
        name: _Exam(
            each, described_sets(each, f"translated at {config.native_size} px"), _real_features(each, extractor)
        )
        for name, each in pictures.items()
    }

    def measure(state: TrainingState) -> Mapping[str, Metric]:
        cards = generator_cards(config, state)
        return {name: _measured(state, name, cards[name], exam, extractor) for name, exam in exams.items()}

    return measure


def _measured(state: TrainingState, name: str, card: ModelCard, exam: _Exam, extractor: Extractor) -> Metric:
    torch.manual_seed(0)  # The figure must not depend on the training's chance where dropout is in use.
    backend = TorchBackend(state.averages[name], card, "cuda" if device_of(state).type == "cuda" else "cpu")
    translator = Translator(card, backend)
    fake = FeatureCollector(extractor)
    for example in exam.pictures.examples():
        fake.add(translator(example.source))
    return kid_figure(extractor, exam.real, fake.features(), exam.sets).metric


def fair_judge(config: TrainConfig) -> Variant:
    """The network that the run's discriminators, or the loss of a distillation, do not look through."""
    looked_through = {config.recipe.trunk, *(judge.trunk for judge in config.recipe.discriminators)}
    return "lite2" if "lite0" in looked_through else "lite0"


def evaluation_set(config: TrainConfig, data: Path, direction: Direction) -> EvaluationSet:
    """At most `evaluation_pictures` test pictures of each domain, or training pictures where there is no test set.

    Args:
        config: of the run.
        data: folder of the pictures.
        direction: of the generator.

    Raises:
        DatasetError: there are no pictures at all.
    """
    try:
        pictures = picture_set(config, data, direction, "test")
    except DatasetError:
        pictures = picture_set(config, data, direction, "train")
    return pictures.thinned(config.training.evaluation_pictures)


def picture_set(config: TrainConfig, data: Path, direction: Direction, split: str) -> EvaluationSet:
    """The pictures of a split that a generator of the run is measured on.

    Raises:
        DatasetError: there are none.
    """
    match config.data:
        case UnpairedConfig():
            return unpaired_set(data, config.data, direction, split)
        case PairedConfig():
            return paired_set(data, config.data.direction, split)
        case EdgesConfig():
            return edges_set(data, config.native_size, split)


def _real_features(pictures: EvaluationSet, extractor: Extractor) -> NDArray[np.float32]:
    collector = FeatureCollector(extractor)
    for example in pictures.examples():  # All are read, so that a broken one is told of now, not in an hour.
        if example.truth is not None:
            collector.add(example.truth)
    for path in pictures.targets:
        collector.add(decode(path))
    return collector.features()
