"""Work that somebody else may end. What waits, reads or computes for long says how it is ended at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from zorse.errors import Stopped


class Stop:
    """The order to end one piece of work, once. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[object, Callable[[], None]] = {}
        self.is_wanted = False

    def order(self) -> None:
        """Ends the work: what goes on is told at once, what comes after does not begin."""
        with self._lock:
            self.is_wanted = True
            for end in self._ends.values():
                end()

    def check(self) -> None:
        """Raises `Stopped` once the work shall end."""
        if self.is_wanted:
            raise Stopped

    @contextmanager
    def tells(self, end: Callable[[], None]) -> Iterator[None]:
        """Inside, the order calls `end`, from any thread; at once if it was given before. Never afterwards."""
        key = object()
        with self._lock:
            self._ends[key] = end
            if self.is_wanted:
                end()
        try:
            yield
        finally:
            with self._lock:
                del self._ends[key]


_current: ContextVar[Stop | None] = ContextVar("stop", default=None)


@contextmanager
def stopped_by(stop: Stop) -> Iterator[None]:
    """Inside, an order ends what this thread does, and so does an order that could end it before."""
    outer = _current.get()
    token = _current.set(stop)
    try:
        if outer is None:
            yield
        else:
            with outer.tells(stop.order):
                yield
    finally:
        _current.reset(token)


def is_stopped() -> bool:
    """Whether the work that the calling thread does shall end."""
    stop = _current.get()
    return stop is not None and stop.is_wanted


def check_stopped() -> None:
    """Raises `Stopped` where the work that the calling thread does shall end."""
    if is_stopped():
        raise Stopped


@contextmanager
def ended_by(end: Callable[[], None]) -> Iterator[None]:
    """For what takes long and cannot look itself: inside, an order to stop calls `end`.

    Args:
        end: makes what goes on inside end soon, by an error or otherwise; called from another thread.

    Raises:
        Stopped: the order came, whatever the end was.
    """
    stop = _current.get()
    if stop is None:
        yield
        return
    with stop.tells(end):
        try:
            yield
        except Exception as error:
            if stop.is_wanted:
                raise Stopped from error
            raise
    stop.check()
