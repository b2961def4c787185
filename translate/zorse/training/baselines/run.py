"""A run of a baseline from its settings to its files: the loop, checkpoints, recorder and rollback of all runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from zorse.data.samples.dataset import SampleSet, open_samples, sample_batches
from zorse.errors import ConfigError, TrainingDivergedError
from zorse.training.baselines.best import BestSamples
from zorse.training.baselines.build import build_baseline, check_samples
from zorse.training.baselines.config import BaselineConfig
from zorse.training.baselines.exams import exam_for
from zorse.training.baselines.observers import SampleSaver, SampleSheets
from zorse.training.checkpoint import restore_checkpoint, save_checkpoint
from zorse.training.config import to_toml
from zorse.training.files import RunFolder, disk_errors, write_atomically
from zorse.training.loop import Device, Observer, TrainingState, fit, make_accelerator, seed_everything
from zorse.training.observers import ConsoleProgress, MetricsLog
from zorse.training.processes import agreed, give_processes_their_own_chance
from zorse.training.recorder.log import forget_after
from zorse.training.recorder.recorder import FlightRecorder
from zorse.training.recorder.rollback import roll_back


@dataclass(frozen=True)
class _Session:
    """What stays the same from the run's first iteration to its last."""

    config: BaselineConfig
    data: Path | None
    samples: SampleSet
    run: RunFolder
    accelerator: Accelerator
    console: Console


def train_baseline(
    config: BaselineConfig,
    data: Path | None,
    out: Path,
    *,
    resume: bool = False,
    device: Device = "auto",
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
    with disk_errors(out):
        if not resume and out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigError(
                f"{out} is a file or already holds files. Add --resume to go on with the run in it, or choose another "
                "folder with --out."
            )
        accelerator = make_accelerator(config.training, device)
        samples = open_samples(config.data, data, seed=config.training.seed)
        check_samples(config, samples)
        session = _Session(config, data, samples, RunFolder(out), accelerator, console or Console(quiet=True))
        state = _begin(session, resume)
        _train(session, state)
        return state


def fresh_baseline(config: BaselineConfig, samples: SampleSet, accelerator: Accelerator) -> TrainingState:
    """The run before its first iteration; for trying a method without any files, with `fit`."""
    seed_everything(config.training.seed)
    settings = config.training
    per_step = settings.batch_size * accelerator.num_processes
    total = settings.iterations or max(1, round(settings.epochs * len(samples) / per_step))
    return TrainingState.fresh(build_baseline(config.recipe), total, settings, accelerator)


def _begin(session: _Session, resume: bool) -> TrainingState:
    """The state to start from; the run folder is ready when it is given."""
    config, run, accelerator = session.config, session.run, session.accelerator
    state = fresh_baseline(config, session.samples, accelerator)
    if resume:
        restore_checkpoint(run.last_checkpoint, state, accelerator)
        if state.iteration >= state.total:
            session.console.print(
                f"Nothing is left to do: the run is at iteration {state.iteration} of {state.total}. To train longer, "
                "raise training.iterations or training.epochs."
            )
    if accelerator.is_main_process:
        forget_after(run.metrics, state.iteration)
        write_atomically(run.config, lambda file: file.write(to_toml(config).encode()))
        if config.training.rollback and not run.healthy_checkpoint.exists():
            save_checkpoint(run.healthy_checkpoint, state, accelerator, to_toml(config))
    return state


def _train(session: _Session, state: TrainingState) -> None:
    """Train to the end or an interruption; what fails is rolled back as often as the settings allow."""
    config, accelerator = session.config, session.accelerator
    while True:
        give_processes_their_own_chance(config.training.seed, state.iteration, accelerator)
        failure = _attempt(session, state)
        if not agreed(failure is not None, accelerator):
            return
        reason = failure or "The main process saw the run fail."
        roll_back(session.run, config, state, accelerator, session.console, reason)


def _attempt(session: _Session, state: TrainingState) -> str | None:
    """Train until the end, an interruption or a failure; gives what failed."""
    settings, accelerator = session.config.training, session.accelerator
    source = sample_batches(
        session.samples,
        settings.batch_size,
        state.samples,
        state.total - state.iteration,
        accelerator.process_index,
        accelerator.num_processes,
    )
    if not accelerator.is_main_process:  # One process writes; the others only compute.
        try:
            fit(state, source, settings, accelerator)
        except TrainingDivergedError as error:
            return str(error)
        return None
    with (
        SummaryWriter(str(session.run.tensorboard), purge_step=state.iteration + 1) as writer,
        ConsoleProgress(session.console, settings.log_every) as progress,
    ):
        recorder = (
            FlightRecorder(session.run, session.config, writer, session.console, state) if settings.recorder else None
        )
        observers = [progress, *_observers(session, state, writer, recorder)]
        try:
            fit(state, source, settings, accelerator, observers)
        except TrainingDivergedError as error:
            if recorder:
                recorder.tell_failure(state, str(error))
            return str(error)
        return state.collapse


def _observers(
    session: _Session, state: TrainingState, writer: SummaryWriter, recorder: FlightRecorder | None
) -> Iterator[Observer]:
    """In the order in which they are called: what is measured is logged, and only what is healthy is kept as such."""
    config, samples, run, accelerator = session.config, session.samples, session.run, session.accelerator
    if recorder:
        yield recorder
    yield MetricsLog(run, config.training, writer, state, lambda: recorder.signals if recorder else {})
    yield SampleSheets(run, config, writer, samples)
    yield SampleSaver(run, config, samples, accelerator, lambda: recorder is None or recorder.healthy)
    if config.training.evaluate_every and (exam := exam_for(config, session.data, session.console)):
        yield BestSamples(run, config, samples, exam, accelerator, writer, session.console)
