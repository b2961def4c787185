"""How long models take for one picture: in turn, so that what else the computer does meets all of them alike."""

import time
from collections.abc import Sequence
from statistics import median

import numpy as np

from zorse.model.architecture import Frozen
from zorse.runtime.passes import MIN_SIDE
from zorse.runtime.translator import Translator

ROUNDS = 9


class Latency(Frozen):
    """What a network takes for one picture: medians over the rounds."""

    model: str
    processor_seconds: float
    """Of all cores together."""
    wall_seconds: float


class LatencyComparison(Frozen):
    """Networks that were timed in turn."""

    provider: str
    """Where they ran."""
    side: int
    """Of the square picture, in pixels."""
    rounds: int
    latencies: tuple[Latency, ...]

    def processor_ratio(self, model: int, other: int) -> float:
        """Processor time of one model relative to that of another one, by their numbers."""
        return self.latencies[model].processor_seconds / self.latencies[other].processor_seconds


def compare_latency(translators: Sequence[Translator], rounds: int = ROUNDS) -> LatencyComparison:
    """Run the networks on the same picture of noise, one after the other, round after round.

    Only the networks are timed: reading, resizing and writing a picture take the same time for all of them.

    Args:
        translators: at least one. The picture has the native size of the first one.
        rounds: how often each one runs, after one run that does not count.
    """
    multiple = max(MIN_SIDE, *(translator.card.size_multiple for translator in translators))
    side = -(-translators[0].card.native_size // multiple) * multiple
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 3, side, side)).astype(np.float32)
    times: list[list[tuple[float, float]]] = [[] for _ in translators]
    for translator in translators:
        translator.backend(picture)
    for _ in range(rounds):
        for translator, taken in zip(translators, times, strict=True):
            wall, processor = time.perf_counter(), time.process_time()
            translator.backend(picture)
            taken.append((time.process_time() - processor, time.perf_counter() - wall))
    return LatencyComparison(
        provider=translators[0].provider,
        side=side,
        rounds=rounds,
        latencies=tuple(
            Latency(
                model=translator.card.name,
                processor_seconds=median(processor for processor, _ in taken),
                wall_seconds=median(wall for _, wall in taken),
            )
            for translator, taken in zip(translators, times, strict=True)
        ),
    )
