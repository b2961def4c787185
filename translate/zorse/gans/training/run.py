"""A run of a baseline from its settings to its files: the loop, checkpoints, recorder and rollback of all runs."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from accelerate import Accelerator
from rich.console import Console

from zorse.errors import ConfigError
from zorse.gans.data.batch import SampleSet
from zorse.gans.data.dataset import open_samples, sample_batches
from zorse.gans.data.folders import Pictures
from zorse.gans.safetensors_file import save_sample_generator
from zorse.gans.sampling.sampler import Sampler
from zorse.gans.training.build import build_baseline, check_samples
from zorse.gans.training.cards import GENERATOR, sample_card
from zorse.gans.training.config import BaselineConfig
from zorse.gans.training.evaluation import exam_for
from zorse.gans.training.sheet import sheet_of
from zorse.model.card import Metric
from zorse.training.cards import undescribed
from zorse.training.driver import Batches, Course, reserved
from zorse.training.files import RunFolder, disk_errors
from zorse.training.loop.checkpoint import restore_newest
from zorse.training.loop.loop import Observer, TrainingDevice, TrainingState, make_accelerator, seed_everything
from zorse.training.observers.best import BestKeeper
from zorse.training.observers.logging import MetricsLog, SamplePictures
from zorse.training.observers.recorder.recorder import FlightRecorder
from zorse.training.observers.saver import Saver
from zorse.training.observers.tensorboard import TensorBoard


def train_baseline(
    config: BaselineConfig,
    data: Path | None,
    out: Path,
    *,
    resume: bool = False,
    device: TrainingDevice = "auto",
    console: Console | None = None,
) -> TrainingState:
    """Train, writing everything to the folder `out`.

    Args:
        config: settings of the run. A resumed run may change all but the networks.
        data: folder of the samples; points in the plane need none.
        out: run folder; a fresh run needs a new or empty one.
        resume: go on from the last checkpoint in `out`.
        device: where to compute.
        console: for progress; none is shown without it.

    Returns:
        The state at the end; `interrupted` says whether the user stopped it.

    Raises:
        ConfigError, DatasetError, DeviceError, WeightsError, TrainingDivergedError: see their messages.
    """
    accelerator = make_accelerator(config.training, device)
    with disk_errors(out), reserved(out, accelerator, resume=resume):
        if config.data.kind == "mixture" and data is not None:
            raise ConfigError(f"{config.name} draws its points by code and reads no pictures: leave --data out.")
        samples = open_samples(config.data, data, seed=config.training.seed)
        check_samples(config, samples)
        if config.training_data is None and data is not None:
            config = config.model_copy(update={"training_data": undescribed(data, len(samples))})
        if isinstance(samples, Pictures) and accelerator.is_main_process and console is not None:
            for line in samples.remarks:
                console.print(line, markup=False)
        course = Course(config, RunFolder(out), accelerator, console or Console(quiet=True))
        state = fresh_baseline(config, samples, accelerator)
        if resume:
            restore_newest(course.run, state, accelerator, course.console)
        course.make_ready(state)
        _train(course, config, data, samples, state)
        return state


def fresh_baseline(config: BaselineConfig, samples: SampleSet, accelerator: Accelerator) -> TrainingState:
    """The run before its first iteration; for trying a method without any files, with `fit`."""
    seed_everything(config.training.seed)
    settings = config.training
    per_step = settings.batch_size * accelerator.num_processes
    total = settings.iterations or max(1, round(settings.epochs * len(samples) / per_step))
    return TrainingState.fresh(build_baseline(config.recipe), total, settings, accelerator)


def _train(course: Course, config: BaselineConfig, data: Path | None, samples: SampleSet, state: TrainingState) -> None:
    run, settings, accelerator = course.run, config.training, course.accelerator

    def supply(state: TrainingState) -> Batches:
        left, rank, world = state.total - state.iteration, accelerator.process_index, accelerator.num_processes
        return sample_batches(samples, settings.batch_size, state.samples, left, rank, world)

    def watch(state: TrainingState, writer: TensorBoard, recorder: FlightRecorder | None) -> Iterator[Observer]:
        """What is measured is logged, and only what is healthy is kept as such."""
        yield MetricsLog(run, settings, writer, state, lambda: recorder.signals if recorder else {})
        yield SamplePictures(run, settings.sample_every, writer, sheet_of(config, samples))
        yield Saver(run, config, accelerator, lambda: recorder is None or recorder.healthy, write)
        if settings.evaluate_every and (exam := exam_for(config, data, course.console, accelerator.device)):

            def measure(state: TrainingState) -> Mapping[str, Metric]:
                return {GENERATOR: exam(Sampler(state.averages[GENERATOR], sample_card(config, samples, state)))}

            titles = {GENERATOR: config.shows}
            yield BestKeeper(run, config, measure, write, titles, accelerator, writer, course.console)

    def write(state: TrainingState, folder: Path, metrics: Mapping[str, Metric] | None = None) -> None:
        card = sample_card(config, samples, state)
        measured = card.model_copy(update={"metrics": (metrics[GENERATOR],)}) if metrics else card
        save_sample_generator(folder / f"{GENERATOR}.safetensors", state.averages[GENERATOR], measured)

    course.train(state, supply, watch)
