"""TensorBoard's event files: nice to have, so what goes wrong with them never ends a run."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import summary as torch_summary

summary: Any = torch_summary
"""It has no types."""


class TensorBoard:
    """Writes until something goes wrong (a full disk, a folder that was deleted), tells of it once, and rests.

    PyTorch's `SummaryWriter` writes in a thread of its own, whose errors reach the terminal and later calls.

    Args:
        folder: of the event files; made where it is missing.
        iteration: what is there of later iterations is taken back, since the run does them again.
        console: where to tell of what went wrong.
    """

    def __init__(self, folder: Path, iteration: int, console: Console) -> None:
        self._folder = folder
        self._console = console
        self._writer: RecordWriter | None = None
        self._try(self._open)
        self._write(Event(file_version="brain.Event:2"))
        self._write(Event(step=iteration + 1, session_log=SessionLog(status=SessionLog.START)))

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads the files in the order of their names.
        self._writer = RecordWriter((self._folder / f"events.out.tfevents.{time.time_ns():019d}").open("wb"))

    def add_scalar(self, name: str, value: float, iteration: int) -> None:
        """A point of a curve."""
        self._add(summary.scalar(name, value), iteration)

    def add_text(self, name: str, text: str, iteration: int) -> None:
        """A note in Markdown."""
        self._add(summary.text(name, text), iteration)

    def add_image(self, name: str, picture: NDArray[np.uint8], iteration: int) -> None:
        """A picture, (height, width, 3) uint8."""
        self._add(summary.image(name, picture, dataformats="HWC"), iteration)

    def flush(self) -> None:
        """See that all is on the disk."""
        if self._writer is not None:
            self._try(self._writer.flush)

    def _add(self, content: Summary, iteration: int) -> None:
        self._write(Event(step=iteration, summary=content))

    def _write(self, event: Event) -> None:
        if self._writer is not None:
            event.wall_time = time.time()
            writer = self._writer
            self._try(lambda: writer.write(event.SerializeToString()))

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except OSError as error:
            if self._writer is not None:
                with suppress(OSError):
                    self._writer.close()
                self._writer = None
            self._console.print(
                f"TensorBoard's files could not be written ({error.strerror}); the run goes on without them.",
                style="yellow",
                markup=False,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._try(self._writer.close)
