"""How long a file takes on this computer."""

import time
from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np
import onnxruntime

from zorse.backends.onnx.rewrite import faster
from zorse.imaging.tensor import Tensor
from zorse.model.architecture import Frozen
from zorse.model.card import ModelCard
from zorse_export.parity import open_session, run_graph

ROUNDS = 9


class Speed(Frozen):
    """Milliseconds for a picture of the native size: medians of alternating runs, each graph in its faster form."""

    fp32: float
    here: float

    @property
    def is_faster(self) -> bool:
        """Whether the file is faster than one in 32 bits."""
        return self.here < self.fp32


def compare_speed(fp32: bytes, here: bytes, card: ModelCard) -> Speed:
    """Runs two float graphs in turn, so that what else the computer does slows both.

    Each is run as it is and as our runtime rewrites it: 8 bits gain nothing over 32 where these are faster rewritten.

    Args:
        fp32: the graph in 32 bits.
        here: the graph of the file.
        card: gives channels and native size.
    """
    side = -(-card.native_size // card.size_multiple) * card.size_multiple
    picture = np.random.default_rng(0).uniform(-1, 1, (1, card.architecture.in_channels, side, side))
    sessions = [[open_session(form, card) for form in _forms(model)] for model in (fp32, here)]
    rounds = [
        [[_milliseconds(session, picture.astype(np.float32)) for session in forms] for forms in sessions]
        for _ in range(1 + ROUNDS)
    ]
    of_fp32, of_here = zip(*rounds[1:], strict=True)
    return Speed(fp32=_fastest(of_fp32), here=_fastest(of_here))


def _forms(model: bytes) -> list[bytes]:
    """A graph as it is, and as our runtime rewrites it."""
    rewritten = faster(model)
    return [model] if rewritten is None else [model, rewritten]


def _fastest(rounds: Sequence[Sequence[float]]) -> float:
    """The median over all rounds of the form with the least."""
    forms: Iterable[Sequence[float]] = zip(*rounds, strict=True)
    return min(map(median, forms))


def _milliseconds(session: onnxruntime.InferenceSession, picture: Tensor) -> float:
    start = time.perf_counter()
    run_graph(session, picture)
    return 1000 * (time.perf_counter() - start)
