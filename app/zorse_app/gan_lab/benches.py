"""Whose game is where: one for each visitor, bounded in number, in time and in steps."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zorse.errors import ZorseError
from zorse.gans.data.config import MixtureShape
from zorse_app import texts
from zorse_app.gate import Gate

if TYPE_CHECKING:
    from zorse_app.gan_lab.experiment import Experiment, View

MOST_GAMES = 16
"""The one that was begun longest ago makes room."""
MOST_STEPS = 20_000
"""Of one game."""
SLICE = 0.3
"""Seconds of play between two looks; the gate is asked before each."""
SLICE_STEPS = 50
PLAY_SECONDS = 90.0
"""Of play, waiting not counted; then a game pauses by itself: nobody may be looking any more."""
MEMORY = 64 * 10**6
"""Bytes that a game takes."""


class NoGame(ZorseError):
    """The visitor has no game (any more)."""

    def __init__(self) -> None:
        super().__init__(texts.LAB_FORGOTTEN)


@dataclass(eq=False)
class _Bench:
    experiment: "Experiment"
    player: object | None = None
    """Who plays now: a new one takes over from an earlier one; None while the game is paused."""
    ran_out: bool = False
    """Whether the last play ended because it took its whole time."""


class Benches:
    """The games of all visitors. Safe to use from several threads.

    Args:
        gate: lets each slice of play in, and counts the visitor's time.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._benches: OrderedDict[str, _Bench] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def games(self) -> int:
        """How many there are."""
        return len(self._benches)

    def begin(self, visitor: str, method: str, distribution: MixtureShape, seed: int) -> "View":
        """A new game for a visitor, in place of the one before; it is paused.

        Raises:
            Busy, TimeUsedUp: see `Gate.work`.
        """
        from zorse_app.gan_lab.experiment import Experiment  # imports torch

        with self._gate.work(MEMORY):
            experiment = Experiment(method, distribution, seed)
            view = experiment.look()
        with self._lock:
            self._benches.pop(visitor, None)
            self._benches[visitor] = _Bench(experiment)
            while len(self._benches) > MOST_GAMES:
                self._benches.popitem(last=False)
        return view

    def step(self, visitor: str) -> "View":
        """Plays one step, and pauses.

        Raises:
            NoGame: there is none.
            Busy, TimeUsedUp: see `Gate.work`.
        """
        bench = self._of(visitor)
        bench.player = None
        return self._played(bench, 1)

    def play(self, visitor: str) -> Iterator["View"]:
        """Plays on, a view for each slice, until it is paused, another game is begun, or a bound is reached.

        Raises:
            NoGame: there is none.
            Busy, TimeUsedUp: see `Gate.work`.
        """
        bench, me, slices = self._of(visitor), object(), int(PLAY_SECONDS / SLICE)
        bench.player, bench.ran_out = me, False
        try:
            for _ in range(slices):
                if bench.player is not me or self._benches.get(visitor) is not bench:
                    return
                if bench.experiment.step >= MOST_STEPS:
                    return
                view = self._played(bench, SLICE_STEPS)
                yield view
                if not view.finite:
                    return
            bench.ran_out = True
        finally:  # Also where nobody asks for a further view: the visitor has left.
            if bench.player is me:
                bench.player = None

    def has_game(self, visitor: str) -> bool:
        """Whether there is something to play."""
        return visitor in self._benches

    def ran_out(self, visitor: str) -> bool:
        """Whether the visitor's last play ended because it took its whole time."""
        bench = self._benches.get(visitor)
        return bench is not None and bench.ran_out

    def pause(self, visitor: str) -> None:
        """Ends the visitor's play after the present slice."""
        bench = self._benches.get(visitor)
        if bench is not None:
            bench.player = None

    def forget(self, visitor: str) -> None:
        """The visitor has left."""
        with self._lock:
            self._benches.pop(visitor, None)

    def _of(self, visitor: str) -> _Bench:
        bench = self._benches.get(visitor)
        if bench is None:
            raise NoGame
        return bench

    def _played(self, bench: _Bench, steps: int) -> "View":
        left = MOST_STEPS - bench.experiment.step
        with self._gate.work(MEMORY):
            if left > 0:
                bench.experiment.advance(min(steps, left), SLICE)
            return bench.experiment.look()
