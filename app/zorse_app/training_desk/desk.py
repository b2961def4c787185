"""The desk: takes trainings in, lets one after the other run, and knows where each of them is."""

import logging
import math
import re
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from zorse.data.doctor.diagnosis import Diagnosis
from zorse.errors import ZorseError
from zorse_app import texts
from zorse_app.archives import Contents
from zorse_app.training_desk import pictures
from zorse_app.training_desk.command import SPEEDS, iterations, train_command, trial_command
from zorse_app.training_desk.pictures import OnFile
from zorse_app.training_desk.processes import bury, end_at_once, is_alive, launch, run_to_its_end, why_it_failed
from zorse_app.training_desk.record import (
    Kind,
    Record,
    Speed,
    State,
    Training,
    TrainingFolder,
    Wish,
    now,
    read_record,
    write_record,
)
from zorse_app.uploads import Upload

_GLANCE = 1.0
"""Seconds between two looks at the queue."""
_DRAFTS_KEPT = 24 * 3600.0
"""Seconds after which pictures that nothing was started with are deleted."""
_TRIAL_PATIENCE = 600.0
"""Seconds that a trial may take."""
_LONGEST_NAME = 40
_KEY = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")

_log = logging.getLogger(__name__)


class DeskError(ZorseError):
    """Something that cannot be done with a training."""


class _StageTrial(BaseModel):
    seconds_per_iteration: float | None
    """None where it was not tried."""


class Trial(BaseModel):
    """What `zorse train --plan --json` says, as far as it matters here."""

    device: str
    fits: bool
    advice: tuple[str, ...]
    stages: tuple[_StageTrial, ...]

    @property
    def seconds_per_iteration(self) -> float | None:
        """Measured on the set's own pictures."""
        seconds = self.stages[0].seconds_per_iteration if self.stages else None
        return seconds if seconds is not None and math.isfinite(seconds) else None


class Desk:
    """Trainings as folders. Safe to use from several threads, and from several pages with the same folder.

    Args:
        folder: where they live; it is made.

    Raises:
        DeskError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise DeskError(texts.START_NO_RUNS.format(folder=folder, reason=reason)) from error
        self._lock = FileLock(self.folder / ".lock")
        self._trial_lock = threading.Lock()
        self._diagnosis: tuple[str, Diagnosis] | None = None

    # What there is

    def trainings(self) -> list[Training]:
        """All that were started or wait for it, the newest first."""
        return [training for training in self._all() if training.state is not State.DRAFT]

    def training(self, key: str) -> Training:
        """One of them.

        Raises:
            DeskError: there is none of that key.
        """
        found = self._read(key) if _KEY.fullmatch(key) else None
        if found is None:
            raise DeskError(texts.TRAIN_NOT_THERE)
        return found

    def queue(self) -> list[Training]:
        """Those that wait, in the order in which they will start."""
        waiting = [training for training in self._all() if training.state is State.QUEUED]
        return sorted(waiting, key=lambda training: training.record.turn)

    def running(self) -> Training | None:
        """The one that runs."""
        return next((training for training in self._all() if training.alive), None)

    def n_bytes(self, key: str) -> int:
        """What it takes of the disk. A file under two names counts once."""
        root = self.training(key).folder.root
        sizes: dict[tuple[int, int], int] = {}
        for path in root.rglob("*"):
            try:
                stat = path.lstat()
            except OSError:  # replaced at this moment
                continue
            sizes[stat.st_dev, stat.st_ino] = stat.st_size
        return sum(sizes.values())

    def free_bytes(self) -> int:
        """What is left of the disk."""
        return shutil.disk_usage(self.folder).free

    # From pictures to a start

    def take_in(
        self, kind: Kind, names: tuple[str, str], first: Sequence[Upload], second: Sequence[Upload]
    ) -> tuple[Training, Contents]:
        """Unpack what a visitor sent.

        Args:
            kind: what the pictures are.
            names: what those of either side show.
            first: files of the first side, or of both.
            second: files of the second side; may be empty.

        Returns:
            A draft, and what came out of the files.

        Raises:
            DeskError: a name or the pictures are missing.
            ArchiveError: a file cannot be used.
        """
        if not first:
            raise DeskError(texts.TRAIN_NO_PICTURES)
        name_a, name_b = _name(names[0], texts.TRAIN_NO_NAME_A), _name(names[1], texts.TRAIN_NO_NAME_B)
        wish = Wish(kind=kind, name_a=name_a, name_b=name_b)
        folder = TrainingFolder(self.folder / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}")
        try:
            contents = pictures.gather(first, second, folder.pictures)
            write_record(folder, Record(wish=wish, created=now()))
        except BaseException:
            shutil.rmtree(folder.root, ignore_errors=True)
            raise
        return self.training(folder.root.name), contents

    def look_at_new(self, training: Training, on_file: OnFile = lambda done, total: None) -> Diagnosis:
        """`examine` for a draft that was just taken in: where nothing comes of it, nothing of it is kept."""
        try:
            return self.examine(training.key, on_file)
        except BaseException:
            self.delete(training.key)
            raise

    def examine(self, key: str, on_file: OnFile = lambda done, total: None) -> Diagnosis:
        """Let the data doctor look at its pictures.

        Raises:
            DatasetError: they are no set of the kind that was chosen.
        """
        training = self.training(key)
        diagnosis = pictures.examine(training.folder.pictures, training.wish.kind, on_file)
        self._diagnosis = (key, diagnosis)
        self._change_wish(training, n_pictures=pictures.count_pictures(diagnosis))
        return diagnosis

    def last_diagnosis(self, key: str) -> Diagnosis:
        """What `examine` found; it looks again if it has looked at other pictures since."""
        last = self._diagnosis
        return last[1] if last is not None and last[0] == key else self.examine(key)

    def fix(self, key: str, on_file: OnFile = lambda done, total: None) -> Diagnosis:
        """Put a clean copy in the place of its pictures, and look at that.

        Raises:
            DeskError: it was started already.
            DatasetError: nothing would be left.
        """
        training = self._draft(key)
        pictures.fix(self.last_diagnosis(key), training.folder.pictures, on_file)
        return self.examine(key, on_file)

    def measure(self, key: str) -> Trial:
        """Try a few steps on its pictures, to see how long they take on this computer.

        Raises:
            DeskError: it cannot be trained here.
        """
        training = self._draft(key)
        wish = training.wish.model_copy(update={"iterations": iterations(training.wish.kind, "normal")})
        with self._trial_lock:
            trial = _tried(trial_command(training.folder, wish), training)
        self._change_wish(training, seconds_per_iteration=trial.seconds_per_iteration)
        return trial

    def start(self, key: str, speed: Speed, start: Sequence[str] = ()) -> Training:
        """Put a draft into the queue, where it starts when its turn comes.

        Args:
            key: of the draft.
            speed: how long to train.
            start: shipped models to start from; none for a start from scratch.

        Raises:
            DeskError: it was started already, or there is no such speed.
        """
        if speed not in SPEEDS:
            raise DeskError(texts.TRAIN_NO_SPEED.format(speed=speed, known=", ".join(SPEEDS)))
        training = self._draft(key)
        if training.wish.n_pictures == 0:
            self.examine(key)
        self._change_wish(training, speed=speed, start=tuple(start), iterations=iterations(training.wish.kind, speed))
        return self._queue(key)

    # What can be done with it

    def pause(self, key: str) -> Training:
        """Save and end it; `resume` goes on from there.

        Raises:
            DeskError: it does not run.
        """
        return self._end(key, "paused")

    def stop(self, key: str) -> Training:
        """Save and end it for good, content with what it has learned.

        Raises:
            DeskError: it does not run.
        """
        return self._end(key, "stopped")

    def resume(self, key: str) -> Training:
        """Let it go on from its last checkpoint, at once or when its turn comes.

        Raises:
            DeskError: it has nothing left to learn, or runs.
        """
        if not self.training(key).can_resume:
            raise DeskError(texts.TRAIN_CANNOT_GO_ON)
        return self._queue(key)

    def cancel(self, key: str) -> Training:
        """Take it out of the queue.

        Raises:
            DeskError: it does not wait.
        """
        with self._held():
            training = self.training(key)
            if training.state is not State.QUEUED:
                raise DeskError(texts.TRAIN_WAITS_NO_MORE)
            write_record(training.folder, training.record.model_copy(update={"wanted": "paused"}))
        return self.training(key)

    def delete(self, key: str) -> None:
        """Delete its pictures, its models and all else.

        Raises:
            DeskError: it runs.
        """
        with self._held():
            training = self.training(key)
            if training.alive:
                raise DeskError(texts.TRAIN_RUNS)
            gone = training.folder.root.with_name(f".deleted-{key}")
            training.folder.root.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    # Running them

    @contextmanager
    def open(self) -> Iterator[None]:
        """Inside, what waits is started as soon as nothing runs. What runs goes on when the block is left."""
        self._clean()
        closing = threading.Event()
        clerk = threading.Thread(target=self._work, args=(closing,), name="training desk", daemon=True)
        clerk.start()
        try:
            yield
        finally:
            closing.set()
            clerk.join()

    def advance(self) -> None:
        """Start what waits, if nothing runs."""
        bury()
        with self._held():
            waiting = self.queue()
            if waiting and self.running() is None:
                self._launch(waiting[0])

    def end_all_at_once(self) -> None:
        """End what runs without saving, as when a computer is switched off."""
        for training in self._all():
            end_at_once(training.folder)

    def _work(self, closing: threading.Event) -> None:
        while not closing.wait(_GLANCE):
            try:
                self.advance()
            except (DeskError, OSError):  # A full disk, another page that is slow: the next look may go better.
                _log.exception("The queue of trainings could not be looked at")

    def _launch(self, training: Training) -> None:
        folder = training.folder
        resume = folder.run.last_checkpoint.exists()
        if not resume:
            shutil.rmtree(folder.run.root, ignore_errors=True)
        write_record(folder, training.record.model_copy(update={"wanted": "running"}))
        launch(folder, train_command(folder, training.wish, resume=resume))

    def _queue(self, key: str) -> Training:
        with self._held():
            training = self.training(key)
            if training.state is not State.DRAFT and not training.can_resume:
                raise DeskError(texts.TRAIN_STARTED_ALREADY)
            write_record(training.folder, training.record.model_copy(update={"wanted": "queued", "turn": now()}))
        self.advance()
        return self.training(key)

    def _end(self, key: str, wanted: str) -> Training:
        with self._held():
            training = self.training(key)
            if not training.alive:
                raise DeskError(texts.TRAIN_DOES_NOT_RUN)
            write_record(training.folder, training.record.model_copy(update={"wanted": wanted}))
            training.folder.interrupt.touch()
        return self.training(key)

    def _draft(self, key: str) -> Training:
        training = self.training(key)
        if training.state is not State.DRAFT:
            raise DeskError(texts.TRAIN_PICTURES_STAY)
        return training

    def _change_wish(self, training: Training, **changes: Any) -> None:
        with self._held():
            record = self.training(training.key).record
            wish = record.wish.model_copy(update=changes)
            write_record(training.folder, record.model_copy(update={"wish": wish}))

    def _all(self) -> list[Training]:
        found = (self._read(path.name) for path in self.folder.iterdir() if _KEY.fullmatch(path.name))
        return sorted((t for t in found if t is not None), key=lambda t: t.record.created, reverse=True)

    def _read(self, key: str) -> Training | None:
        folder = TrainingFolder(self.folder / key)
        record = read_record(folder)
        return None if record is None else Training(folder, record, is_alive(folder))

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Inside, no other thread or page changes which trainings run."""
        try:
            with self._lock.acquire(timeout=30):
                yield
        except Timeout as error:
            raise DeskError(texts.TRAIN_OTHER_PAGE) from error

    def _clean(self) -> None:
        """Drafts of long ago, and what was being deleted when the page ended."""
        for training in self._all():
            if training.state is State.DRAFT and now() - training.record.created > _DRAFTS_KEPT:
                shutil.rmtree(training.folder.root, ignore_errors=True)
        for gone in self.folder.glob(".deleted-*"):
            shutil.rmtree(gone, ignore_errors=True)


def _name(raw: str, missing: str) -> str:
    name = "".join(letter for letter in " ".join(raw.split()) if letter.isprintable())[:_LONGEST_NAME].strip()
    if not name:
        raise DeskError(missing)
    return name


def _tried(command: list[str], training: Training) -> Trial:
    try:
        done = run_to_its_end(command, training.folder, _TRIAL_PATIENCE)
        return Trial.model_validate_json(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise DeskError(texts.TRAIN_TRIED_TOO_SLOWLY.format(minutes=_TRIAL_PATIENCE / 60)) from error
    except ValidationError as error:
        said = why_it_failed(done).replace(str(training.folder.pictures), texts.TRAIN_YOUR_SET)
        raise DeskError(texts.TRAIN_TRIED_BADLY.format(reason=said)) from error
