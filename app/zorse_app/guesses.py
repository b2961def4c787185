"""Wrong passwords: from one address only so many are looked at, so that nobody finds the right one by trying."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

_FREE = 10
"""Wrong ones that an address may send at once."""
_SECONDS = 6.0
"""After which it may send one more."""
_ADDRESSES = 10_000
"""That are remembered; the one whose last guess is longest ago makes room."""


class Guesses:
    """Counts wrong passwords by address. Safe to use from several threads.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._paid: OrderedDict[str, float] = OrderedDict()
        """Address -> time at which all its guesses are forgiven."""
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """Seconds until a password from there is looked at; 0 for at once."""
        with self._lock:
            ahead = self._paid.get(address, 0.0) - self._clock()
        return max(0.0, ahead - (_FREE - 1) * _SECONDS)

    def was_wrong(self, address: str) -> None:
        """Notes a wrong one."""
        with self._lock:
            self._paid[address] = max(self._paid.get(address, 0.0), self._clock()) + _SECONDS
            self._paid.move_to_end(address)
            while len(self._paid) > _ADDRESSES:
                self._paid.popitem(last=False)
