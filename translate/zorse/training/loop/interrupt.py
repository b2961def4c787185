"""Ctrl-C that lets the present iteration finish, so that what is saved is a whole number of iterations."""

import signal
import sys
import threading
from types import FrameType
from typing import Any, Self

_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    _SIGNALS.append(signal.SIGBREAK)  # What one program can send to another there.


class InterruptFlag:
    """Inside the context the first Ctrl-C (or SIGTERM) raises a flag only; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.raised = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread only; elsewhere the caller has to stop the run in its own way.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._raise)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.raised = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
