"""Learning rates and moving averages as functions of the iteration: nothing to save, nothing to lose on a resume."""

import math
from typing import Literal

import torch
from torch import nn


def learning_rate_factor(
    iteration: int, total: int, schedule: Literal["linear", "cosine", "constant"], decay_from: float
) -> float:
    """What the base learning rate is multiplied with in one iteration, in (0, 1].

    Args:
        iteration: from 0 to total - 1.
        total: iterations of the run.
        schedule: shape of the fall.
        decay_from: share of the run after which the rate falls; it would reach zero in iteration `total`.
    """
    start = decay_from * total
    if schedule == "constant" or iteration < start:
        return 1.0
    fallen = (iteration - start) / max(total - start, 1.0)
    return 1.0 - fallen if schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * fallen))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, iteration: int, decay: float) -> None:
    """Move the exponential moving average of a network's weights towards its present weights.

    In the first iterations the decay is smaller, (1 + i) / (10 + i), so that the random initial weights are soon
    forgotten. Buffers (BatchNorm's statistics) are copied.
    """
    decay = min(decay, (1 + iteration) / (10 + iteration))
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - decay)
    for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(buffer)
