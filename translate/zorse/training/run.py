"""A training run from its settings to its files."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from rich.console import Console

from zorse.backends.torch.safetensors_file import save_generator
from zorse.data.dataset import open_dataset
from zorse.data.doctor.before_training import check_before_training
from zorse.data.loader import collate
from zorse.data.sample import Dataset
from zorse.errors import ConfigError, DatasetError
from zorse.model.card import Metric
from zorse.networks.recompute import recompute_blocks
from zorse.recipes.custom import CustomRecipeConfig, custom_recipe
from zorse.recipes.cut import CUT, CUTConfig
from zorse.recipes.cyclegan import CycleGAN, CycleGANConfig
from zorse.recipes.distillation import Distillation, DistillationConfig
from zorse.recipes.pix2pix import Pix2Pix, Pix2PixConfig
from zorse.recipes.recipe import Recipe
from zorse.training.cards import generator_cards, undescribed
from zorse.training.config import RecipeConfig, TrainConfig
from zorse.training.custom_code import check_generators, own_code
from zorse.training.distillation.teacher import teacher_at_work
from zorse.training.driver import Batches, Course, reserved
from zorse.training.files import RunFolder, disk_errors
from zorse.training.freezing import freeze
from zorse.training.loop.checkpoint import restore_newest
from zorse.training.loop.loop import Observer, TrainingDevice, TrainingState, make_accelerator, seed_everything
from zorse.training.observers.best import BestKeeper
from zorse.training.observers.evaluation import exam_for
from zorse.training.observers.logging import MetricsLog, SamplePictures, preview_grid
from zorse.training.observers.recorder.recorder import FlightRecorder
from zorse.training.observers.saver import Saver
from zorse.training.observers.tensorboard import TensorBoard
from zorse.training.stages import staged_batches
from zorse.training.start import load_start, resumed

N_SAMPLES = 4
"""Rows of the sample grids."""


def build_recipe(config: RecipeConfig, seed: int) -> Recipe[Any]:
    """The method that a config describes, with fresh networks."""
    match config:
        case CycleGANConfig():
            return CycleGAN(config, seed)
        case Pix2PixConfig():
            return Pix2Pix(config)
        case CUTConfig():
            return CUT(config)
        case DistillationConfig():
            return Distillation(config, teacher_at_work(config.teacher))
        case CustomRecipeConfig():
            return custom_recipe(config)


def fresh_state(config: TrainConfig, accelerator: Accelerator, console: Console, *, start: bool) -> TrainingState:
    """The run before its first iteration.

    Args:
        config: of the run.
        accelerator: of the run.
        console: for what there is to say about the models that it starts from.
        start: whether to read them; otherwise all weights are drawn anew, to be replaced by those of a checkpoint.
    """
    seed_everything(config.training.seed)
    recipe = build_recipe(config.recipe, config.training.seed)
    if config.code:
        check_generators(recipe, config.recipe.generator)
    for line in load_start(recipe, config) if start else []:
        console.print(line)
    freeze(recipe, config)
    if config.training.checkpoint_blocks:
        for generator in recipe.generators.values():
            recompute_blocks(generator)
    return TrainingState.fresh(recipe, 0, config.training, accelerator)


def total_iterations(config: TrainConfig, dataset: Dataset, done: int = 0, seen: int = 0, world: int = 1) -> int:
    """Steps of the whole run.

    Args:
        config: of the run.
        dataset: its length is an epoch.
        done: steps that earlier parts of the run have done, perhaps with another number of processes.
        seen: samples that they have seen.
        world: processes that train together from now on.

    Raises:
        ConfigError: the generators would wait for the discriminators to the end.
    """
    settings = config.training
    if settings.iterations is not None:
        return settings.iterations
    to_come = settings.epochs * len(dataset) - seen
    total = max(1, done + round(to_come / (settings.batch_size * world)))
    if (settings.warm_up or 0) >= total:
        raise ConfigError(
            f"training.warm_up is {settings.warm_up}, but the run has {total} iterations, so the generators would "
            "never learn. Train longer, or set training.warm_up lower."
        )
    return total


def train(
    config: TrainConfig,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    device: TrainingDevice = "auto",
    console: Console | None = None,
    check: bool = False,
) -> TrainingState:
    """Train, writing everything to the folder `out`.

    Args:
        config: settings of the run. A resumed run may change all but the networks.
        data: folder of the pictures.
        out: run folder; a fresh run needs a new or empty one.
        resume: go on from the last checkpoint in `out`.
        device: where to compute.
        console: for progress; none is shown without it.
        check: let the data doctor look at all pictures before a fresh run, and stop it if it could not end well.

    Returns:
        The state at the end; `interrupted` says whether the user stopped it.

    Raises:
        ConfigError, CustomCodeError, DatasetError, DeviceError, WeightsError, TrainingDivergedError: see their
            messages.
    """
    with disk_errors(out):
        run, console = RunFolder(out), console or Console(quiet=True)
        config = resumed(config, run) if resume else config
        with own_code(config, console):
            accelerator = make_accelerator(config.training, device)
            with reserved(out, accelerator, resume=resume):
                if accelerator.is_main_process and check and not resume:
                    check_before_training(config.data, data, console)
                dataset = open_dataset(config.data, data, seed=config.training.seed)
                if config.training_data is None:
                    config = config.model_copy(update={"training_data": undescribed(data, dataset.n_pictures)})
                course = Course(config, run, accelerator, console)
                state = _begin(course, config, dataset, resume)
                _train(course, config, data, dataset, state)
                return state


def _begin(course: Course, config: TrainConfig, dataset: Dataset, resume: bool) -> TrainingState:
    """The state to start from; the run folder is ready when it is given."""
    accelerator = course.accelerator
    state = fresh_state(config, accelerator, course.console, start=not resume)
    if resume:
        restore_newest(course.run, state, accelerator, course.console)
    state.total = total_iterations(config, dataset, state.iteration, state.samples, accelerator.num_processes)
    course.make_ready(state)
    return state


def _train(course: Course, config: TrainConfig, data: Path, dataset: Dataset, state: TrainingState) -> None:
    run, accelerator = course.run, course.accelerator

    def supply(state: TrainingState) -> Batches:
        left, rank, world = state.total - state.iteration, accelerator.process_index, accelerator.num_processes
        return staged_batches(config, data, state.samples, left, rank, world)

    def watch(state: TrainingState, writer: TensorBoard, recorder: FlightRecorder | None) -> Iterator[Observer]:
        """What is measured is logged, and only what is healthy is kept as such."""
        yield MetricsLog(run, config.training, writer, state, lambda: recorder.signals if recorder else {})
        draw = partial(preview_grid, config, _sample_batch(config, data, dataset))
        yield SamplePictures(run, config.training.sample_every, writer, draw)
        yield Saver(run, config, accelerator, lambda: recorder is None or recorder.healthy, write)
        if config.training.evaluate_every and (measure := exam_for(config, data, state, course.console)):
            titles = {name: card.task for name, card in generator_cards(config, state).items()}
            yield BestKeeper(run, config, measure, write, titles, accelerator, writer, course.console)

    def write(state: TrainingState, folder: Path, metrics: Mapping[str, Metric] | None = None) -> None:
        for name, card in generator_cards(config, state).items():
            measured = card.model_copy(update={"metrics": (metrics[name],)}) if metrics else card
            save_generator(folder / f"{name}.safetensors", state.averages[name], measured)

    course.train(state, supply, watch)


def _sample_batch(config: TrainConfig, data: Path, dataset: Dataset) -> Any:
    """A few test pictures to watch, or training pictures where there is no test set."""
    try:
        shown = open_dataset(config.data, data, split="test")
    except DatasetError:
        shown = dataset
    step = max(1, len(shown) // N_SAMPLES)
    return collate([shown.sample(index * step) for index in range(min(N_SAMPLES, len(shown)))])
