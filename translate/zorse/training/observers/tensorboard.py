"""TensorBoard's event files: nice to have, so what goes wrong with them never ends a run."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter


class TensorBoard:
    """Writes until something goes wrong (a full disk, a folder that was deleted), tells of it once, and rests.

    Args:
        folder: of the event files; made where it is missing.
        iteration: what is there of later iterations is taken back, since the run does them again.
        console: where to tell of what went wrong.
    """

    def __init__(self, folder: Path, iteration: int, console: Console) -> None:
        self._console = console
        self._writer: SummaryWriter | None = None
        self._try(lambda: self._open(folder, iteration))

    def _open(self, folder: Path, iteration: int) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=iteration + 1)

    def add_scalar(self, name: str, value: float, iteration: int) -> None:
        """A point of a curve."""
        self._write(lambda writer: writer.add_scalar(name, value, iteration))

    def add_text(self, name: str, text: str, iteration: int) -> None:
        """A note in Markdown."""
        self._write(lambda writer: writer.add_text(name, text, iteration))

    def add_image(self, name: str, picture: NDArray[np.uint8], iteration: int) -> None:
        """A picture, (height, width, 3) uint8."""
        self._write(lambda writer: writer.add_image(name, picture, iteration, dataformats="HWC"))

    def flush(self) -> None:
        """See that all is on the disk."""
        self._write(lambda writer: writer.flush())

    def _write(self, action: Callable[[SummaryWriter], Any]) -> None:
        writer = self._writer
        if writer is not None:
            self._try(lambda: action(writer))

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except Exception as error:  # Its own thread writes, and hands over whatever happened there.
            self._writer = None
            self._console.print(
                f"TensorBoard's files could not be written ({error}); the run goes on without them.",
                style="yellow",
                markup=False,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._write(lambda writer: writer.close())
