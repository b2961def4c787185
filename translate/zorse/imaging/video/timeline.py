"""New time stamps: they begin at 0 and go on where a file's own ones jump, as in transport streams put together."""

from collections.abc import Iterator
from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

_BACK = Fraction(1, 10)
"""Seconds back from which on time stamps jump: less is disorder."""
_AHEAD = Fraction(10)
"""Seconds ahead from which on they jump, in formats that are joined by putting one behind the other."""
_MOST_LATE, _LATE = 32, Fraction(1, 2)
"""Pictures after a jump among which some may belong before it, and seconds by which these would have followed it."""
_APART = Fraction(5)
"""Seconds that sound and pictures may begin apart from each other behind a jump."""
_MOST_HELD = 1000
"""Packets of a stream that wait for the pictures to jump: decoders and files are a second or two behind."""


class Timeline:
    """Where the pictures and packets of a file come in the new one.

    A file is a row of parts, each with an amount that is added to its time stamps. The pictures say where a part ends:
    the next one goes on after the last frame's duration. Sound changes to the next part's amount where it jumps
    itself, so that it stays in sync. In seconds.

    Args:
        start: what comes at 0.
        may_jump_ahead: whether a long step ahead is a jump too; else it is a long pause.
    """

    def __init__(self, start: Fraction, may_jump_ahead: bool) -> None:
        self.may_jump_ahead = may_jump_ahead
        self.amounts = [-start]
        self.jumps: list[Fraction] = []
        """New times at which parts begin, but for the first one."""
        self._now: Fraction | None = None
        self._duration = 0
        self._late = 0
        """How many of the next pictures may come from before the last jump."""
        self._others: list[StreamClock] = []

    def picture(self, stamp: int | None, time_base: Fraction, duration: int) -> int | None:
        """New time stamp of the next picture; None for one that comes too late to be shown.

        Args:
            stamp: the old one; None where the file has none.
            time_base: seconds in one step of both.
            duration: of a picture, in such steps.
        """
        last = None if self._now is None else round(self._now / time_base)
        following = 0 if last is None else last + self._duration
        new = following if stamp is None else stamp + round(self.amounts[-1] / time_base)
        if last is not None and self._is_late(new * time_base, following * time_base):
            self.amounts[-1] += self._duration * time_base  # those to come make room
            new = following
        elif last is not None and self._jumps((new - last) * time_base):
            self.amounts.append(self.amounts[-1] + (following - new) * time_base)
            new = following
            self.jumps.append(new * time_base)
            self._late = _MOST_LATE
        elif last is not None and new <= last:
            return None
        self._now, self._duration = new * time_base, duration
        return new

    def clock(self, stream: Stream) -> "StreamClock":
        """The clock of a stream beside the pictures."""
        if stream.type == "subtitle":
            return _SubtitleClock(self)
        clock = StreamClock(self)
        self._others.append(clock)
        return clock

    def nearest(self, time: Fraction) -> Fraction:
        """The amount that brings an old time nearest to the newest picture."""
        now = self._now or Fraction(0)
        return min(reversed(self.amounts), key=lambda amount: abs(time + amount - now))

    def _is_late(self, time: Fraction, following: Fraction) -> bool:
        """Whether a picture with that new time, not the one that follows, belongs before the last jump.

        Where parts begin in the middle of things, decoders give the last pictures of one after the first of the next.
        """
        self._late -= 1
        if self._late < 0 or abs(time - following) <= _BACK:
            return False
        behind_the_jump = time - self.amounts[-1] + self.amounts[-2] - self.jumps[-1]
        return -_BACK / 2 <= behind_the_jump <= _LATE

    def _jumps(self, step: Fraction) -> bool:
        if step < -_BACK:
            return True
        if not self.may_jump_ahead or step <= _AHEAD or self._now is None:
            return False
        # A picture may stand for long while sound goes on.
        reached = [clock.reached for clock in self._others if clock.reached is not None]
        return max(reached, default=self._now) < self._now + step - _AHEAD / 2


class StreamClock:
    """New time stamps of one stream beside the pictures."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._part = 0
        self._own = Fraction(0)
        """Added where this stream jumps and the pictures do not."""
        self._held: list[Packet[Stream]] = []
        self.reached: Fraction | None = None
        """New time at which the last packet ends."""

    def __call__(self, packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        """The next packet; gives it, and those that waited, with new time stamps as soon as these are known.

        The empty one at the end lets all go.
        """
        if is_last(packet):
            yield from self._released(at_last=True)
            yield packet
        elif _time(packet) is None:
            yield packet
        elif self._held:
            self._held.append(packet)
            yield from self._released(at_last=len(self._held) >= _MOST_HELD)
        elif self._jumps(self._step(packet, self._part, self._own)):
            self._held.append(packet)
            yield from self._released()
        else:
            yield self._moved(packet)

    def _released(self, at_last: bool = False) -> "Iterator[Packet[Stream]]":
        if not self._held:
            return
        known = range(self._part + 1, len(self._timeline.amounts))
        fitting = [part for part in known if abs(self._step(self._held[0], part)) < _APART]
        if fitting:
            self._part, self._own = fitting[0], Fraction(0)
        elif not at_last:
            return
        elif (step := self._step(self._held[0], self._part, self._own)) < -_BACK:
            self._own -= step
        held, self._held = self._held, []
        yield self._moved(held[0])
        for packet in held[1:]:
            yield from self(packet)
        if at_last:
            yield from self._released(at_last=True)

    def _step(self, packet: "Packet[Stream]", part: int, own: Fraction = Fraction(0)) -> Fraction:
        """From the end of the last packet to this one, if it were of that part."""
        time = (_time(packet) or 0) + self._timeline.amounts[part] + own
        return time - self.reached if self.reached is not None else Fraction(0)

    def _jumps(self, step: Fraction) -> bool:
        return step < -_BACK or (self._timeline.may_jump_ahead and step > _AHEAD)

    def _moved(self, packet: "Packet[Stream]") -> "Packet[Stream]":
        _move(packet, self._timeline.amounts[self._part] + self._own)
        self.reached = (_time(packet) or 0) + (packet.duration or 0) * packet.time_base
        return packet


class _SubtitleClock(StreamClock):
    """Subtitles come seldom, so that their own time stamps do not tell of a jump: they go by the pictures."""

    def __call__(self, packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        time = _time(packet)
        if time is not None:
            _move(packet, self._timeline.nearest(time))
        yield packet


def is_last(packet: "Packet[Stream]") -> bool:
    """Whether it is the empty one that follows a stream's last packet."""
    return packet.size == 0 and _time(packet) is None


def _time(packet: "Packet[Stream]") -> Fraction | None:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return None if stamp is None else stamp * packet.time_base


def _move(packet: "Packet[Stream]", amount: Fraction) -> None:
    steps = round(amount / packet.time_base)
    if packet.pts is not None:
        packet.pts += steps
    if packet.dts is not None:
        packet.dts += steps
