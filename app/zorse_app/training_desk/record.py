"""What is on the disk of a training: its folder, the record of what was asked for, and what follows from both."""

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt, ValidationError

from zorse.model.architecture import Frozen
from zorse.system.atomic import replacing
from zorse.training.files import RunFolder
from zorse_app import texts

Kind = Literal["unpaired", "paired", "edges"]
"""What the pictures are: two kinds, pairs, or photos whose lines are drawn while training."""

Speed = Literal["quick", "normal", "long"]

Wanted = Literal["draft", "queued", "running", "paused", "stopped"]
"""What the visitor asked for last, or, with `running`, what the desk has done about it."""

INTERRUPTED_EXIT = 130


class State(StrEnum):
    """Where a training is."""

    DRAFT = "draft"
    """Pictures have come; nothing is started."""
    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    """It will be paused as soon as all is saved."""
    STOPPING = "stopping"
    PAUSED = "paused"
    STOPPED = "stopped"
    """Ended before its time, because the visitor had seen enough."""
    DONE = "done"
    INTERRUPTED = "interrupted"
    """It ended without being asked to: the computer was switched off, or its process was ended."""
    FAILED = "failed"


class Wish(Frozen):
    """What a visitor wants to be trained."""

    kind: Kind
    name_a: str
    """What the pictures of the first kind show: "horses"."""
    name_b: str
    n_pictures: int = 0
    start: tuple[str, ...] = ()
    """Shipped models to start from."""
    speed: Speed = "normal"
    iterations: PositiveInt = 1
    seconds_per_iteration: float | None = None
    """As it was measured before the start."""


class Record(Frozen):
    """The file training.json."""

    wish: Wish
    wanted: Wanted = "draft"
    created: float
    """Seconds since 1970."""
    turn: float = 0.0
    """Queued ones are started in this order."""


@dataclass(frozen=True)
class TrainingFolder:
    """Where the files of a training are."""

    root: Path

    @property
    def record(self) -> Path:
        """What was asked for."""
        return self.root / "training.json"

    @property
    def pictures(self) -> Path:
        """The set, laid out as `zorse train` wants it."""
        return self.root / "pictures"

    @property
    def run(self) -> RunFolder:
        """Of `zorse train`."""
        return RunFolder(self.root / "run")

    @property
    def log(self) -> Path:
        """All that the command has said."""
        return self.root / "log.txt"

    @property
    def keeper_pid(self) -> Path:
        """Number of the process that keeps the training."""
        return self.root / "keeper.pid"

    @property
    def training_pid(self) -> Path:
        """Number of the process that trains."""
        return self.root / "training.pid"

    @property
    def interrupt(self) -> Path:
        """As long as this file is there, the training is asked to save and end."""
        return self.root / "interrupt"

    @property
    def ended(self) -> Path:
        """How the training ended; the keeper writes it."""
        return self.root / "ended.json"

    @property
    def models(self) -> Path:
        """Folder of exported models."""
        return self.root / "models"


@dataclass(frozen=True)
class Training:
    """A training as it stands at one moment."""

    folder: TrainingFolder
    record: Record
    alive: bool
    """Whether its process is."""

    @property
    def key(self) -> str:
        """What it is known by."""
        return self.folder.root.name

    @property
    def wish(self) -> Wish:
        """What the visitor wanted."""
        return self.record.wish

    @property
    def title(self) -> str:
        """For people."""
        ways = texts.TRAIN_BOTH_WAYS if self.wish.kind == "unpaired" else texts.TRAIN_ONE_WAY
        return ways.format(a=self.wish.name_a, b=self.wish.name_b)

    @cached_property
    def exit_code(self) -> int | None:
        """Of the last process; None if there is none, it still runs, or it ended without a word."""
        if self.alive:
            return None
        try:
            code = json.loads(self.folder.ended.read_bytes())["code"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return code if isinstance(code, int) else None

    @cached_property
    def state(self) -> State:
        """Where it is."""
        wanted = self.record.wanted
        if self.alive:
            return {"paused": State.PAUSING, "stopped": State.STOPPING}.get(wanted, State.RUNNING)
        if wanted == "draft":
            return State.DRAFT
        if wanted == "queued":
            return State.QUEUED
        code = self.exit_code
        if code == 0:
            return State.DONE
        if code == INTERRUPTED_EXIT or not self.has_begun:
            return {"paused": State.PAUSED, "stopped": State.STOPPED}.get(wanted, State.INTERRUPTED)
        return State.FAILED if code is not None and code > 0 else State.INTERRUPTED

    @property
    def has_begun(self) -> bool:
        """Whether it was ever started; otherwise it was taken out of the queue before."""
        return self.folder.keeper_pid.exists()

    @property
    def can_resume(self) -> bool:
        """Whether there is more to learn."""
        return self.state in (State.PAUSED, State.STOPPED, State.INTERRUPTED, State.FAILED)

    @property
    def has_models(self) -> bool:
        """Whether there is something to try."""
        return any(self.folder.run.generators.glob("*.safetensors"))


def read_record(folder: TrainingFolder) -> Record | None:
    """What was asked for; None if there is no such file, or none that can be read."""
    try:
        return Record.model_validate_json(folder.record.read_bytes())
    except (OSError, ValidationError):
        return None


def write_record(folder: TrainingFolder, record: Record) -> None:
    """Write it, complete or not at all."""
    with replacing(folder.record) as file:
        file.write(record.model_dump_json(indent=1).encode())


def now() -> float:
    """Seconds since 1970."""
    return time.time()
