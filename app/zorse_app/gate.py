"""The gate that all translations go through: as many at a time as the memory holds, the others wait in line.

The page, its tabs and the API share one gate. It bounds memory, the length of the queue and each visitor's time.
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Unpack

from zorse.errors import ConfigError, ImageError, IncompatibleWeights, ZorseError
from zorse.imaging.io import Picture
from zorse.runtime.cost import one_pass
from zorse.runtime.devices import usable_cores
from zorse.runtime.guided import FIT_PLANES
from zorse.runtime.passes import Streamable, padded_side
from zorse.runtime.streamed.execute import Progress, Report
from zorse.runtime.translator import Options, Translator, working_size
from zorse.system.memory import Returning, available_memory, parse_memory
from zorse_app import texts
from zorse_app.limits import WINDOW, Limits, TooLarge

PIXEL_BYTES = 24
"""Bytes that a pixel of a picture takes around the network: decoded, translated, at 16 bits with alpha, encoded."""

_SEEN_BYTES = PIXEL_BYTES + 4 * FIT_PLANES
"""Bytes that a pixel takes as the network sees it: also what brings the change back to a larger picture."""

_LEAST = 64 * 10**6
"""Bytes that any work is reckoned with: a tiny picture still needs Python objects, file contents, a slice of the
network's own memory."""

_ONE_PASS = 2**19
"""Pixels that the network sees at once. Larger pictures go in tiles, which takes as long and gives the same: between
two of them the page hears how far the picture is, and can stop it."""

_SURE = 0.05
"""Share of the work from which on the time of the rest is known well enough to be believed."""

_LENIENT = 1.5
"""And so many times a visitor's time it has to be before the work is given up: others may leave, and it go faster."""

_UNUSED = 64 * 10**6
"""Freed bytes that the process may keep for itself: many threads with pictures of many sizes leave holes."""


class Busy(ZorseError):
    """Too many wait already."""

    def __init__(self) -> None:
        super().__init__(texts.BUSY)


class TimeUsedUp(ZorseError):
    """A visitor has had what one may take for now.

    Args:
        limit: seconds of work in ten minutes.
        wait: seconds until there is some again.
    """

    def __init__(self, limit: float, wait: float) -> None:
        super().__init__(texts.TIME_USED_UP.format(limit=f"{limit:.0f}", wait=max(1, round(wait))))
        self.wait = wait


class TakesTooLong(ZorseError):
    """Work that is under way would take longer than a visitor's time in all.

    Args:
        limit: seconds of work in ten minutes.
        seconds: what it would take.
    """

    def __init__(self, limit: float, seconds: float) -> None:
        super().__init__(texts.TAKES_TOO_LONG.format(limit=f"{limit:.0f}", seconds=f"{seconds:.2g}"))


class Gate:
    """Lets work in by memory, in the order in which it comes. Safe to use from several threads.

    Args:
        limits: memory, length of the queue, and time for each visitor.
        visitor: says for whom the calling thread works; "" for nobody in particular, whose time is not counted.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        visitor: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = limits or Limits()
        self.memory = limits.memory or max(available_memory() // 2, _LEAST)
        self.limits = limits
        self._visitor = visitor
        self._clock = clock
        self._places = usable_cores()
        self._give_back = Returning(_UNUSED)
        self._used = 0
        self._inside = 0
        self._line: deque[object] = deque()
        self._changed = threading.Condition()
        self._spent: defaultdict[str, deque[tuple[float, float]]] = defaultdict(deque)
        self._granted: ContextVar[int | None] = ContextVar("granted", default=None)
        self._begun: ContextVar[float | None] = ContextVar("begun", default=None)

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._line)

    @property
    def working(self) -> int:
        """How many are inside."""
        return self._inside

    def has_room(self, needed: int) -> bool:
        """Whether work that takes so many bytes would be let in at once."""
        with self._changed:
            return not self._line and self._has_room(self._share(needed))

    @contextmanager
    def work(self, needed: int) -> Iterator[int]:
        """Waits for a turn; work inside of work that was let in goes on with what it has.

        Args:
            needed: bytes that the work takes.

        Yields:
            Bytes that it may take: what it needs, or all that the page has.

        Raises:
            Busy: too many wait.
            TimeUsedUp: this visitor has used up the time that one may take.
        """
        had = self._granted.get()
        if had is not None:
            yield had
            return
        visitor = self._visitor()
        share = self._share(needed)
        self._check_time(visitor)
        self._enter(share)
        start = self._clock()
        token, begun = self._granted.set(share), self._begun.set(None)
        try:
            yield share
        finally:
            self._granted.reset(token)
            self._begun.reset(begun)
            self._leave(share)
            self._book(visitor, start)
            self._give_back()

    def timed(self, report: Report | None) -> Report:
        """A report of streamed work that also ends the work when it takes longer than a visitor's time in all.

        What would take much longer ends as soon as that is known. Frames that were let in together share the time: it
        counts from the first of them.

        Args:
            report: is told as well.

        Raises:
            TimeUsedUp: the frames before took that long already.
        """
        begun = self._begun.get()
        start = self._clock() if begun is None else begun
        self._begun.set(start)
        limit = self.limits.seconds if self._visitor() else None

        def elapsed() -> float:
            seconds = self._clock() - start
            if limit is not None and seconds > limit:
                raise TimeUsedUp(limit, WINDOW)
            return seconds

        def told(progress: Progress) -> None:
            needed = elapsed() + progress.remaining
            if limit is not None and progress.done >= _SURE and needed > _LENIENT * limit:
                raise TakesTooLong(limit, needed)
            if report is not None:
                report(progress)

        if begun is not None:
            elapsed()
        return told

    def _enter(self, share: int) -> None:
        ticket = object()
        with self._changed:
            if self._line and len(self._line) >= self.limits.queue:
                raise Busy
            self._line.append(ticket)
            try:
                self._changed.wait_for(lambda: self._line[0] is ticket and self._has_room(share))
            finally:
                self._line.remove(ticket)
                self._changed.notify_all()
            self._used += share
            self._inside += 1

    def _share(self, needed: int) -> int:
        return min(max(needed, _LEAST), self.memory)

    def _has_room(self, share: int) -> bool:
        return self._inside < self._places and self._used + share <= self.memory

    def _leave(self, share: int) -> None:
        with self._changed:
            self._used -= share
            self._inside -= 1
            self._changed.notify_all()

    def _check_time(self, visitor: str) -> None:
        limit = self.limits.seconds
        if limit is None or not visitor:
            return
        with self._changed:
            spent = self._recent(visitor)
            excess = sum(seconds for _, seconds in spent) - limit
            if excess < 0:
                return
            for end, seconds in spent:
                excess -= seconds
                if excess < 0:
                    raise TimeUsedUp(limit, end + WINDOW - self._clock())

    def _book(self, visitor: str, start: float) -> None:
        if self.limits.seconds is None or not visitor:
            return
        with self._changed:
            self._recent(visitor).append((self._clock(), self._clock() - start))
            for other in [name for name in self._spent if not self._recent(name)]:
                del self._spent[other]

    def _recent(self, visitor: str) -> deque[tuple[float, float]]:
        """End and length of a visitor's work in the last ten minutes, oldest first."""
        spent = self._spent[visitor]
        while spent and spent[0][0] < self._clock() - WINDOW:
            spent.popleft()
        return spent


class GatedTranslator(Translator):
    """A translator whose every picture goes through the gate, with the memory that it is granted there.

    Args:
        translator: what translates.
        gate: what lets it.
        own_memory: bytes that its network takes whatever the picture; None where they follow from the card.
    """

    def __init__(self, translator: Translator, gate: Gate, own_memory: int | None = None) -> None:
        super().__init__(translator.card, translator.backend, translator.provider)
        self._gate = gate
        self._own_memory = own_memory

    def translate(self, picture: Picture, **options: Unpack[Options]) -> Picture:
        """Waits for its turn, then translates; see `Translator.translate`.

        Raises:
            TooLarge: the picture, or the work for it, is beyond the page's limits.
            Busy: too many wait.
            TimeUsedUp: the visitor has used up the time that one may take.
            TakesTooLong: the picture would take more than that.
        """
        with self._gate.work(self.needed(picture.height, picture.width, options)) as granted:
            wanted = options.get("max_memory")
            wanted = parse_memory(wanted) if isinstance(wanted, str) else wanted
            options["max_memory"] = granted if wanted is None else min(wanted, granted)
            options["report"] = self._gate.timed(options.get("report"))
            if self._goes_in_tiles(picture, options):
                with suppress(IncompatibleWeights, ConfigError, ImageError):  # some can or need one pass only
                    return super().translate(picture, **(options | {"tiling": "exact"}))
            return super().translate(picture, **options)

    def needed(self, height: int, width: int, options: Options, frames: int = 1) -> int:
        """Bytes that it takes to translate a picture in one pass, the picture and its result included.

        Args:
            height: of the picture, pixels.
            width: of the picture, pixels.
            options: as for `translate`.
            frames: of an animation, which is held as a whole.

        Raises:
            TooLarge: the picture, or the work for it, is beyond the page's limits.
        """
        limit = self._gate.limits.pixels
        self._gate.limits.check_picture(height, width, frames)
        size = self._seen_size(height, width, options)
        if size[0] * size[1] > limit:
            raise TooLarge(texts.WORK_TOO_LARGE.format(size=f"{size[1]}x{size[0]}", limit=f"{limit / 10**6:.3g}"))
        if self._own_memory is None:
            self._check_work(*size, frames)
        around = PIXEL_BYTES * height * width * frames + _SEEN_BYTES * size[0] * size[1]
        return around + (self._network_memory(*size) if self._own_memory is None else self._own_memory)

    def _check_work(self, height: int, width: int, frames: int) -> None:
        """What the network would have to compute; a visitor's own model has limits of its own."""
        rows, columns = (padded_side(side, self.card.size_multiple) for side in (height, width))
        products, most = frames * one_pass(self.backend, rows, columns).products, self._gate.limits.products
        if products > most:
            came = frames * rows * columns / 10**6
            raise TooLarge(texts.WORK_TOO_MUCH.format(came=f"{came:.3g}", limit=f"{came * most / products:.3g}"))

    def _network_memory(self, height: int, width: int) -> int:
        """Bytes of one pass; the network gets the picture with sides that it can halve."""
        rows, columns = (padded_side(side, self.card.size_multiple) for side in (height, width))
        return one_pass(self.backend, rows, columns).memory

    def _goes_in_tiles(self, picture: Picture, options: Options) -> bool:
        """Large ones on the CPU, where nothing else is wanted; GPUs are quick, and quickest in one pass."""
        height, width = self._seen_size(picture.height, picture.width, options)
        on_cpu = isinstance(self.backend, Streamable) and not self.backend.on_gpu
        return on_cpu and height * width > _ONE_PASS and options.get("tiling", "auto") == "auto"

    def _seen_size(self, height: int, width: int, options: Options) -> tuple[int, int]:
        """Height and width at which the network sees a picture; of a size that makes no sense `translate` tells."""
        wanted = options.get("size", "auto")
        is_size = wanted in ("auto", "native", "keep") or (isinstance(wanted, int) and wanted >= 1)
        least = padded_side(1, self.card.size_multiple)
        return working_size(height, width, wanted if is_size else "auto", self.card.native_size, least)
