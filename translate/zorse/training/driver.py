"""The course of every run, whatever its method: made ready, trained to its end, rolled back where it fails."""

import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from filelock import FileLock, Timeout
from rich.console import Console

from zorse.errors import ConfigError, DeviceError, TrainingDivergedError
from zorse.training.config import RunConfig, to_toml
from zorse.training.files import RunFolder, write_atomically
from zorse.training.loop.checkpoint import save_checkpoint
from zorse.training.loop.distributed import agreed, give_processes_their_own_chance
from zorse.training.loop.loop import Observer, TrainingState, fit
from zorse.training.observers.logging import ConsoleProgress
from zorse.training.observers.recorder.log import forget_after
from zorse.training.observers.recorder.recorder import FlightRecorder
from zorse.training.observers.recorder.rollback import roll_back
from zorse.training.observers.tensorboard import TensorBoard

Batches = Generator[Any, None, None]
Supply = Callable[[TrainingState], Batches]
"""The batches that are left of a run, from a state on."""
Watch = Callable[[TrainingState, TensorBoard, FlightRecorder | None], Iterable[Observer]]
"""The observers of a run, in the order in which they are called."""


_LOADERS_END_WITHIN = 15
"""Seconds after which the loaders of a run that was killed have noticed."""


@contextmanager
def reserved(out: Path, accelerator: Accelerator, *, resume: bool) -> Iterator[None]:
    """The folder of a run, for it alone, as far as the file system has locks.

    Raises:
        ConfigError: another process trains in it, or a fresh run finds files there.
    """
    if not accelerator.is_main_process or (resume and not out.is_dir()):  # One process writes.
        yield
        return
    if not resume:
        check_new(out)
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(RunFolder(out).lock)
    try:
        lock.acquire(timeout=_LOADERS_END_WITHIN)
    except Timeout as error:
        raise ConfigError(
            f"Another process is training in {out}. Wait for its end, or stop it; or choose another folder with --out."
        ) from error
    except NotImplementedError:  # No locks there.
        pass
    try:
        if not resume:
            check_new(out)  # Another run may have ended while this one waited.
        yield
    finally:
        lock.release()
        if [path.name for path in out.iterdir()] == [RunFolder(out).lock.name]:  # The run ended before it began.
            RunFolder(out).lock.unlink()
            out.rmdir()


def check_new(out: Path) -> None:
    """A fresh run needs a folder of its own, or one of a run that ended before it could save anything.

    Raises:
        ConfigError: there are files in it.
    """
    if out.exists() and not (out.is_dir() and _holds_nothing_saved(out)):
        raise ConfigError(
            f"{out} is a file or already holds files. Add --resume to go on with the run in it, or choose another "
            "folder with --out."
        )


def _holds_nothing_saved(out: Path) -> bool:
    run = RunFolder(out)
    left = {path.name for path in out.iterdir()} - {run.lock.name}
    begun = {path.name for path in (run.config, run.metrics, run.tensorboard, run.samples, run.last_checkpoint.parent)}
    return not left or (run.config.name in left and left <= begun and not run.last_checkpoint.exists())


@dataclass(frozen=True)
class Course:
    """What stays the same from a run's first iteration to its last.

    Args:
        config: of the run.
        run: its folder.
        accelerator: what it computes on.
        console: where it tells of itself.
    """

    config: RunConfig
    run: RunFolder
    accelerator: Accelerator
    console: Console

    def make_ready(self, state: TrainingState) -> None:
        """Bring the folder to the state, fresh or restored, that the run starts from."""
        if state.iteration >= state.total:
            self.console.print(
                f"Nothing is left to do: the run is at iteration {state.iteration} of {state.total}. To train longer, "
                "raise training.iterations or training.epochs."
            )
        if not self.accelerator.is_main_process:
            return
        forget_after(self.run.metrics, state.iteration)
        if state.iteration == 0:  # Of a run that ended before it could save anything.
            shutil.rmtree(self.run.samples, ignore_errors=True)
        text = to_toml(self.config)
        write_atomically(self.run.config, text.encode())
        if self.config.training.rollback and not self.run.healthy_checkpoint.exists():
            save_checkpoint(self.run.healthy_checkpoint, state, self.accelerator, text)

    def train(self, state: TrainingState, supply: Supply, watch: Watch) -> None:
        """Train to the end or an interruption; what fails is rolled back as often as the settings allow.

        Raises:
            TrainingDivergedError: it failed, and may not be rolled back (again).
            DeviceError: the GPU's memory does not suffice.
        """
        while True:
            give_processes_their_own_chance(self.config.training.seed, state.iteration, self.accelerator)
            failure = self._attempt(state, supply, watch)
            if not agreed(failure is not None, self.accelerator):
                return
            reason = failure or "The main process saw the run fail."
            roll_back(self.run, self.config, state, self.accelerator, self.console, reason)

    def _attempt(self, state: TrainingState, supply: Supply, watch: Watch) -> str | None:
        """Train until the end, an interruption or a failure; gives what failed."""
        settings, accelerator = self.config.training, self.accelerator
        if not accelerator.is_main_process:  # One process writes; the others only compute.
            with closing(supply(state)) as batches:
                return _failure(lambda: fit(state, batches, settings, accelerator))
        with (
            closing(supply(state)) as batches,  # However the run ends, the processes that load end with it.
            TensorBoard(self.run.tensorboard, state.iteration, self.console) as writer,
            ConsoleProgress(self.console, settings.log_every) as progress,
        ):
            recorder = FlightRecorder(self.run, self.config, writer, self.console, state) if settings.recorder else None
            told: list[Observer] = [progress, recorder] if recorder else [progress]
            observers = [*told, *watch(state, writer, recorder)]
            failure = _failure(lambda: fit(state, batches, settings, accelerator, observers))
            if failure and recorder:
                recorder.tell_failure(state, failure)
            return failure or state.collapse


def _failure(work: Callable[[], None]) -> str | None:
    """Do the work; if the training diverges, give the error's message."""
    try:
        work()
    except TrainingDivergedError as error:
        return str(error)
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"The GPU's memory does not suffice for a step of this run ({str(error).split('. ')[0]}). Lower "
            "training.batch_size or data.crop_size, or set training.checkpoint_blocks=true for a translator ('zorse "
            "train ... --plan' tells what fits), and see with nvidia-smi whether another program holds memory. What "
            "was saved is untouched: go on with --resume."
        ) from error
    return None
