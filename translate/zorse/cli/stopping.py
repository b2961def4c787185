"""Other ways to be stopped than Ctrl-C, with the same care."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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
