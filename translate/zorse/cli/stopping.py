"""Commands that are stopped: other ways than Ctrl-C, with the same care, and how a training goes on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import typer

from zorse.cli.console import Console

if TYPE_CHECKING:
    from zorse.training.loop.loop import TrainingState

_SIGNALS = ("SIGTERM", "SIGHUP")
"""A request to end, and a terminal that was closed; not every system has both."""


@contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Inside, a request to end works as Ctrl-C does, so that no unfinished file is left; then it ends the process.

    Signals that are ignored, as SIGHUP under nohup, stay so.
    """
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():  # others get no signals
        numbers = []
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
        if received:
            signal.raise_signal(received[0])


def say_stopped(state: "TrainingState", folder: Path, console: Console, left_out: str = "") -> NoReturn:
    """Tells how a training that was stopped goes on, and ends the command with the exit code of Ctrl-C.

    Args:
        state: at the end.
        folder: of the run.
        console: to tell it on.
        left_out: options of the command that are not to be repeated.

    Raises:
        typer.Exit: always.
    """
    without = f", without {left_out}," if left_out else ""
    console.print(
        f"Stopped after iteration {state.iteration} of {state.total}; everything is saved. Go on with the same "
        f"command{without} and: --out {folder} --resume"
    )
    raise typer.Exit(130)
