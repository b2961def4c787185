"""How long a file takes on this computer."""

import time
from statistics import median

import numpy as np
import onnxruntime

from zorse.architecture import Frozen
from zorse.card import ModelCard
from zorse.imaging.tensor import Tensor
from zorse_export.parity import open_session, run_core

ROUNDS = 9


class Speed(Frozen):
    """Milliseconds for a picture of the native size, medians of alternating runs."""

    fp32: float
    here: float

    @property
    def is_faster(self) -> bool:
        """Whether the file is faster than one in 32 bits."""
        return self.here < self.fp32


def compare_speed(fp32: bytes, here: bytes, card: ModelCard) -> Speed:
    """Runs two float graphs in turn, so that what else the computer does slows both.

    Args:
        fp32: the graph in 32 bits.
        here: the graph of the file.
        card: gives channels and native size.
    """
    side = -(-card.native_size // card.size_multiple) * card.size_multiple
    picture = np.random.default_rng(0).uniform(-1, 1, (1, card.architecture.in_channels, side, side))
    sessions = [open_session(model, card) for model in (fp32, here)]
    times = [[_milliseconds(session, picture.astype(np.float32)) for session in sessions] for _ in range(1 + ROUNDS)]
    return Speed(fp32=median(row[0] for row in times[1:]), here=median(row[1] for row in times[1:]))


def _milliseconds(session: onnxruntime.InferenceSession, picture: Tensor) -> float:
    start = time.perf_counter()
    run_core(session, picture)
    return 1000 * (time.perf_counter() - start)
