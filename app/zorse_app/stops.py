"""The stop button: each visitor ends the work that was begun for them, and nobody else's."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from zorse.errors import ZorseError
from zorse_app import texts


class Stopped(ZorseError):
    """The visitor wanted no more of it."""

    def __init__(self) -> None:
        super().__init__(texts.STOPPED)


_check: ContextVar[Callable[[], None]] = ContextVar("check", default=lambda: None)


def check_stopped() -> None:
    """Raises `Stopped` where the work that the calling thread does shall end; for who cannot be told by an argument."""
    _check.get()()


class Stops:
    """Who has work going on, and whether it shall end. Safe to use from several threads."""

    def __init__(self) -> None:
        self._running: dict[str, set[threading.Event]] = defaultdict(set)
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, visitor: str) -> Iterator[Callable[[], None]]:
        """Inside, `stop` reaches this work.

        Args:
            visitor: the visitor's session.

        Yields:
            To be called now and then by the work; raises `Stopped` once it shall end.
        """
        wanted = threading.Event()
        with self._lock:
            self._running[visitor].add(wanted)

        def check() -> None:
            if wanted.is_set():
                raise Stopped

        token = _check.set(check)
        try:
            yield check
        finally:
            _check.reset(token)
            with self._lock:
                self._running[visitor].discard(wanted)
                if not self._running[visitor]:
                    del self._running[visitor]

    def stop(self, visitor: str) -> None:
        """Ends what is going on for a visitor at its next check; later work is not touched."""
        with self._lock:
            for wanted in self._running.get(visitor, ()):
                wanted.set()
