"""Tricks for the games of GANs, each a switch: labels that are soft or noisy, matched features, a look back, and so on.

Two more are part of the architectures (`norm = "virtual"` of a generator, `minibatch_kernels` of a discriminator), and
the moving average of the generator is the loop's (`training.ema_decay`).
"""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from zorse.gans.networks.judges import Judge
from zorse.model.architecture import DIFF_AUGMENT, Augmentation, Frozen
from zorse.networks.augment import diff_augment


class TricksConfig(Frozen):
    """All are off by default."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Real samples are labelled 1 minus this. One-sided: fakes stay 0 (Salimans et al. 2016, section 3.4)."""
    label_noise: float = Field(default=0.0, ge=0, lt=1)
    """Soft labels: each is drawn uniformly from within this distance of what it would be, inwards."""
    label_flips: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of the labels that are swapped when the discriminator learns."""
    d_steps: PositiveInt = 1
    """Steps of the discriminator for each step of the generator; each takes its part of the batch."""
    feature_matching: NonNegativeFloat = 0.0
    """Weight of ||E f(x) - E f(G(z))||^2 in the generator's loss, with the discriminator's features f (Salimans et al.
    2016, section 3.1)."""
    historical_averaging: NonNegativeFloat = 0.0
    """Weight of ||theta - mean of all earlier theta||^2 in both players' losses (likewise, section 3.3)."""
    augment: Annotated[
        tuple[Augmentation, ...],
        BeforeValidator(lambda value: (DIFF_AUGMENT if value else ()) if isinstance(value, bool) else value),
    ] = ()
    """What pictures go through before they are judged (Zhao et al. 2020); true: all of DiffAugment."""


class Tricks:
    """The tricks at work, with what they remember.

    Args:
        config: which, and how strongly.
        players: the networks that play, by their names.
    """

    def __init__(self, config: TricksConfig, players: Mapping[str, nn.Module]) -> None:
        self.config = config
        self._players = players
        self._history: dict[str, list[Tensor]] = {}
        self._steps: dict[str, int] = {}

    def shown(self, samples: Tensor) -> Tensor:
        """Samples as the discriminator sees them."""
        return diff_augment(samples, self.config.augment) if self.config.augment else samples

    def real_targets(self, logits: Tensor) -> Tensor:
        """What the discriminator should say of real samples, in [0, 1]."""
        config = self.config
        targets = torch.full_like(logits, 1.0 - config.label_smoothing)
        if config.label_noise > 0:
            targets -= config.label_noise * torch.rand_like(logits)
        return self._flipped(targets)

    def fake_targets(self, logits: Tensor) -> Tensor:
        """What it should say of generated ones."""
        targets = torch.zeros_like(logits)
        if self.config.label_noise > 0:
            targets += self.config.label_noise * torch.rand_like(logits)
        return self._flipped(targets)

    def _flipped(self, targets: Tensor) -> Tensor:
        if self.config.label_flips == 0:
            return targets
        return torch.where(torch.rand_like(targets) < self.config.label_flips, 1 - targets, targets)

    def matched_features(self, judge: Judge, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        """||E f(x) - E f(G(z))||^2, weighted; zero where that is off."""
        if self.config.feature_matching == 0:
            return real.new_zeros(())
        with torch.no_grad():
            wanted = judge.features(real, labels).mean(0)
        return self.config.feature_matching * (judge.features(fake, labels).mean(0) - wanted).square().sum()

    def look_back(self, player: str) -> Tensor | float:
        """||theta - mean of all earlier theta||^2 of a player, weighted; it then counts as one of the earlier ones."""
        if self.config.historical_averaging == 0:
            return 0.0
        parameters = list(self._players[player].parameters())
        if player not in self._history:
            self._history[player] = [parameter.detach().clone() for parameter in parameters]
            self._steps[player] = 1
            return 0.0
        means = [mean.to(now.device) for mean, now in zip(self._history[player], parameters, strict=True)]
        pairs = list(zip(parameters, means, strict=True))
        distance = torch.stack([(now - mean).square().sum() for now, mean in pairs]).sum()
        self._steps[player] += 1
        self._history[player] = [mean.lerp(now.detach(), 1 / self._steps[player]) for now, mean in pairs]
        return self.config.historical_averaging * distance

    def state_dict(self) -> dict[str, Any]:
        """The means of earlier parameters."""
        return {"history": self._history, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self._history, self._steps = dict(state["history"]), dict(state["steps"])
