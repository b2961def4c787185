"""Gradient checkpointing: less memory for more time.

What a network computes on the way is kept until the way back needs it. A part that is recomputed keeps its input only,
and computes the rest once more when the gradient arrives: about a third more time for a step.

Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from zorse.errors import ConfigError


class Recomputable(nn.Module):
    """A network, or a part of one, whose parts can be computed anew on the way back instead of being kept."""

    recompute = False
    """Set by `recompute_blocks`."""

    def passing(self, part: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """part(*inputs); if `recompute` is set, nothing but the inputs is kept for the way back.

        Results and gradients are the same either way: dropout drops the same values the second time.
        """
        if not (self.recompute and torch.is_grad_enabled()):
            return part(*inputs)
        out: Tensor = checkpoint(
            part, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), statistics_untouched(self))
        )
        return out


class Residual(Recomputable):
    """x + body(x); the shape stays."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.passing(self.body, x)


def recompute_blocks(network: nn.Module) -> None:
    """Let every part of the network that can be recomputed keep its input only.

    Raises:
        ConfigError: it has no such part.
    """
    parts = [module for module in network.modules() if isinstance(module, Recomputable)]
    if not parts:
        raise ConfigError(
            f"training.checkpoint_blocks needs a network with parts that can be computed again, which "
            f"{type(network).__name__} lacks. Make its blocks from zorse.networks.recompute.Recomputable, or leave "
            "the setting out."
        )
    for part in parts:
        part.recompute = True


@contextmanager
def statistics_untouched(network: nn.Module) -> Iterator[None]:
    """Inside, BatchNorm normalises as it does in training, but its running statistics do not see the batch again."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
