"""What the training loop knows of a recipe, and the functions that recipes share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, TypeVar, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from zorse.recipes.losses import Logits

AdamBeta = Annotated[float, Field(ge=0, lt=1)]
"""Decay of one of Adam's running averages."""

Batch_contra = TypeVar("Batch_contra", contravariant=True)


class Update(Protocol):
    """Backpropagates a loss and moves the parameters of one optimizer; the loop supplies it.

    What lies between (mixed precision, loss scaling, gradient accumulation) is the loop's business.
    """

    def __call__(self, loss: Tensor, optimizer: Optimizer) -> None:
        """Take the step that `loss`, a scalar, asks of the parameters of `optimizer`."""


def plain_update(loss: Tensor, optimizer: Optimizer) -> None:
    """The update of a textbook: backward, step, zero the gradients."""
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    optimizer.zero_grad()


@dataclass(frozen=True)
class StepResult:
    """What one training step computed."""

    losses: Mapping[str, Tensor]
    """Scalars without gradient, by the names that the papers use."""
    pictures: Mapping[str, Tensor] = field(default_factory=dict)
    """(N, 3, H, W) in [-1, 1] without gradient, by the names that the papers use: real_A, fake_B, ..."""
    judged: Mapping[str, tuple[Logits, Logits]] = field(default_factory=dict)
    """Each discriminator's logits, without gradient, of real and of generated pictures, by its name."""


@runtime_checkable
class Recipe(Protocol[Batch_contra]):
    """A published method. Anything of this shape can be trained; nothing has to be registered."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """All networks that learn."""

    @property
    def generators(self) -> Mapping[str, nn.Module]:
        """Those of them that are the result of the training; the loop keeps their moving averages."""

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """All optimizers."""

    def step(self, batch: Batch_contra, iteration: int, update: Update) -> StepResult:
        """One iteration of the method on one batch."""

    def preview(self, batch: Batch_contra, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Pictures (N, 3, H, W) in [-1, 1] that show what these generators make of a batch, in the order to look."""

    def state_dict(self) -> dict[str, Any]:
        """What the recipe remembers besides networks and optimizers."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Inside, gradients pass through these networks but do not reach their parameters."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def mixes_batch(network: nn.Module) -> bool:
    """Whether a picture's result depends on the other pictures of its batch, as with BatchNorm in training."""
    return any(isinstance(module, nn.BatchNorm2d) and module.training for module in network.modules())


def together(network: nn.Module, first: Tensor, second: Tensor) -> tuple[Any, Any]:
    """network(first), network(second): in one batch where that gives the same result, which is faster."""
    return (network(first), network(second)) if mixes_batch(network) else joined(network, first, second)


def joined(network: nn.Module, first: Tensor, second: Tensor) -> tuple[Any, Any]:
    """network(first), network(second), in one batch."""
    result = network(torch.cat([first, second]))
    if isinstance(result, Tensor):
        return result[: len(first)], result[len(first) :]
    return [part[: len(first)] for part in result], [part[len(first) :] for part in result]


def detached(
    losses: Mapping[str, Tensor],
    pictures: Mapping[str, Tensor] | None = None,
    judged: Mapping[str, tuple[Logits, Logits]] | None = None,
) -> StepResult:
    """What a step computed, cut off from its graph."""
    return StepResult(
        {name: loss.detach() for name, loss in losses.items()},
        {name: picture.detach() for name, picture in (pictures or {}).items()},
        {name: (_cut_off(real), _cut_off(fake)) for name, (real, fake) in (judged or {}).items()},
    )


def _cut_off(logits: Logits) -> Logits:
    return logits.detach() if isinstance(logits, Tensor) else [scale.detach() for scale in logits]
