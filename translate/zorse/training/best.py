"""The best checkpoint of a run: generators are measured by KID now and then, and those nearest to reality are kept."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from pydantic import ValidationError
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from zorse.architecture import Frozen, ProjectedConfig
from zorse.card import Metric, ModelCard
from zorse.data.config import EdgesConfig, PairedConfig, UnpairedConfig
from zorse.data.decode import decode
from zorse.errors import DatasetError
from zorse.generator_file import save_generator
from zorse.inference import TorchBackend
from zorse.metrics.features import Extractor, FeatureCollector, efficientnet_extractor
from zorse.metrics.figures import Sets, described_sets, kid_figure
from zorse.metrics.pictures import Direction, EvaluationSet, edges_set, paired_set, unpaired_set
from zorse.metrics.resampling import FEWEST_PICTURES
from zorse.networks.efficientnet import Variant
from zorse.recipes.distillation import DistillationConfig
from zorse.recipes.recipe import StepResult
from zorse.runtime.translator import Translator
from zorse.training.cards import generator_cards
from zorse.training.checkpoint import save_checkpoint
from zorse.training.config import TrainConfig, to_toml
from zorse.training.files import RunFolder, write_atomically
from zorse.training.loop import TrainingState, check_weights, device_of
from zorse.training.recorder.log import append_line


class BestRecord(Frozen):
    """What was measured of the best checkpoint."""

    iteration: int
    value: float
    """Mean of the figures; lower is better."""
    metrics: Mapping[str, Metric]
    """By the generators' names."""


@dataclass(frozen=True)
class _Exam:
    """What one generator is measured on."""

    pictures: EvaluationSet
    sets: Sets
    real: NDArray[np.float32]
    """Features of the real pictures."""


class BestKeeper:
    """Measures the averaged generators every `evaluate_every` steps and at the end, and keeps the best so far.

    The best is what has the lowest mean KID over its generators. Beside `checkpoints/best.pt` and `generators_best/`,
    whose cards hold the figure, stands `best.json`, from which a resumed run knows what there is to beat.

    Args:
        run: where to.
        config: of the run.
        exams: for each generator, by its name, what it is measured on.
        extractor: the network to look through.
        accelerator: of the run.
        writer: of TensorBoard.
        console: for a line at each measurement.
    """

    def __init__(
        self,
        run: RunFolder,
        config: TrainConfig,
        exams: Mapping[str, _Exam],
        extractor: Extractor,
        accelerator: Accelerator,
        writer: SummaryWriter,
        console: Console,
    ) -> None:
        self._run = run
        self._config = config
        self._exams = exams
        self._extractor = extractor
        self._accelerator = accelerator
        self._writer = writer
        self._console = console
        self._best = read_record(run.best_record)

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Measure every `evaluate_every` steps and after the last one."""
        if state.iteration % self._config.training.evaluate_every and state.iteration != state.total:
            return
        cards = generator_cards(self._config, state)
        metrics = {name: self._measured(state, name, cards[name]) for name in self._exams}
        value = float(np.mean([metric.value for metric in metrics.values()]))
        record = BestRecord(iteration=state.iteration, value=value, metrics=metrics)
        is_best = self._best is None or not _comparable(record, self._best) or value < self._best.value
        if is_best:
            self._keep(state, record, cards)
        self._tell(record, cards, is_best)  # Only now: a full disk must not leave word of what was not kept.

    def at_end(self, state: TrainingState) -> None:
        """Nothing: an interrupted run shall stop at once."""

    def _measured(self, state: TrainingState, name: str, card: ModelCard) -> Metric:
        exam, device = self._exams[name], device_of(state)
        # Dropout at test time must neither disturb the training's chance nor make the figure depend on it.
        with _untouched_chance(device):
            torch.manual_seed(0)
            backend = TorchBackend(state.averages[name], card, "cuda" if device.type == "cuda" else "cpu")
            translator = Translator(card, backend)
            fake = FeatureCollector(self._extractor)
            for example in exam.pictures.examples():
                fake.add(translator(example.source))
            return kid_figure(self._extractor, exam.real, fake.features(), exam.sets).metric

    def _tell(self, record: BestRecord, cards: Mapping[str, ModelCard], is_best: bool) -> None:
        figures = {name: float(f"{metric.value:.5g}") for name, metric in record.metrics.items()}
        (kind,) = {metric.name for metric in record.metrics.values()}
        line = {
            "iteration": record.iteration,
            "evaluation": {
                "figure": kind,
                "mean": float(f"{record.value:.5g}"),
                "generators": figures,
                "protocol_ids": {name: metric.protocol_id for name, metric in record.metrics.items()},
                "best": is_best,
            },
        }
        append_line(self._run.metrics, line)
        for name, figure in figures.items():
            self._writer.add_scalar(f"evaluation/{kind} {name}", figure, record.iteration)
        each = ", ".join(f"{cards[name].task} {figure:.1f}" for name, figure in figures.items())
        mean = f"{record.value:.1f} on average: {each}" if len(figures) > 1 else each
        state = "the best so far, kept" if is_best or self._best is None else f"best {self._best.value:.1f}"
        self._console.print(f"{record.iteration}: {kind} {mean} ({state})", markup=False, soft_wrap=True)

    def _keep(self, state: TrainingState, record: BestRecord, cards: Mapping[str, ModelCard]) -> None:
        check_weights(state)
        save_checkpoint(self._run.best_checkpoint, state, self._accelerator, to_toml(self._config))
        for name, metric in record.metrics.items():
            card = cards[name].model_copy(update={"metrics": (metric,)})
            save_generator(self._run.best_generators / f"{name}.safetensors", state.averages[name], card)
        # Last, so that a run that was killed in between finds the old figure and does this again.
        write_atomically(self._run.best_record, lambda file: file.write(record.model_dump_json(indent=2).encode()))
        self._best = record


def best_keeper(
    run: RunFolder,
    config: TrainConfig,
    data: Path,
    state: TrainingState,
    accelerator: Accelerator,
    writer: SummaryWriter,
    console: Console,
) -> BestKeeper | None:
    """The observer that keeps the best checkpoint; None if `evaluate_every` is 0 or there is nothing to measure on.

    It looks through EfficientNet-Lite0, or through Lite2 where discriminators look through Lite0 and generators learn
    to please it. Features of the real pictures are computed here, once.

    Args:
        run: where to.
        config: of the run.
        data: folder of the pictures: its test set is taken, or else training pictures.
        state: fresh or restored.
        accelerator: of the run.
        writer: of TensorBoard.
        console: for a line at each measurement.

    Raises:
        DatasetError: a picture that cannot be used.
    """
    if config.training.evaluate_every == 0:
        return None
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
    with _untouched_chance(device_of(state)):  # Layers draw random weights before they get their own.
        extractor = efficientnet_extractor(fair_judge(config), device_of(state))
    exams = {
        name: _Exam(
            each, described_sets(each, f"translated at {config.native_size} px"), _real_features(each, extractor)
        )
        for name, each in pictures.items()
    }
    return BestKeeper(run, config, exams, extractor, accelerator, writer, console)


def fair_judge(config: TrainConfig) -> Variant:
    """The network that the run's discriminators, or the loss of a distillation, do not look through."""
    projected = any(isinstance(judge, ProjectedConfig) for judge in config.recipe.discriminators)
    return "lite2" if projected or isinstance(config.recipe, DistillationConfig) else "lite0"


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


def _untouched_chance(device: torch.device) -> AbstractContextManager[None]:
    """Inside, random numbers may be drawn that the training does not miss."""
    forked: AbstractContextManager[None] = torch.random.fork_rng([device] if device.type == "cuda" else [])
    return forked


def _real_features(pictures: EvaluationSet, extractor: Extractor) -> NDArray[np.float32]:
    collector = FeatureCollector(extractor)
    for example in pictures.examples():  # All are read, so that a broken one is told of now, not in an hour.
        if example.truth is not None:
            collector.add(example.truth)
    for path in pictures.targets:
        collector.add(decode(path))
    return collector.features()


def read_record(file: Path) -> BestRecord | None:
    """What an earlier part of the run has kept; None if nothing, or nothing that can be read."""
    try:
        return BestRecord.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _comparable(first: BestRecord, second: BestRecord) -> bool:
    """Whether both were measured on the same pictures in the same way."""
    return _protocols(first) == _protocols(second)


def _protocols(record: BestRecord) -> dict[str, str]:
    return {name: metric.protocol_id for name, metric in record.metrics.items()}
