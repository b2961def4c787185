"""The stop button: each visitor ends the work that was begun for them, and nobody else's."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gradio.context import LocalContext

from zorse.system.stopping import Stop, stopped_by

_REMEMBERED = 1000
"""Cancelled events whose work may still begin."""


class Stops:
    """Who has work going on. Safe to use from several threads."""

    def __init__(self) -> None:
        self._running: dict[str, set[Stop]] = defaultdict(set)
        self._cancelled: deque[str] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, visitor: str) -> Iterator[Callable[[], None]]:
        """Inside, `stop` reaches this work.

        Args:
            visitor: the visitor's session.

        Yields:
            To be called now and then by the work; raises `Stopped` once it shall end.
        """
        stop = Stop()
        names = {visitor, LocalContext.event_id.get(None) or visitor}
        with self._lock:
            if not names.isdisjoint(self._cancelled):
                stop.order()
            for name in names:
                self._running[name].add(stop)
        try:
            with stopped_by(stop):
                yield stop.check
        finally:
            with self._lock:
                for name in names:
                    self._running[name].discard(stop)
                    if not self._running[name]:
                        del self._running[name]

    def stop(self, name: str) -> None:
        """Ends what is going on; later work is not touched.

        Args:
            name: a visitor's session, or one of Gradio's events.
        """
        with self._lock:
            orders = list(self._running.get(name, ()))
        for stop in orders:
            stop.order()

    def cancel(self, event: str) -> None:
        """Ends the work for one of Gradio's events, also if it begins later: Gradio may just be about to."""
        with self._lock:
            self._cancelled.append(event)
        self.stop(event)
