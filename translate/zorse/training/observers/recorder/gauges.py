"""Turns the steps of a run into signals: numbers by name, once in a while, at little cost."""

import math
from collections import deque
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zorse.errors import MissingExtraError
from zorse.networks.efficientnet import load_efficientnet
from zorse.recipes.recipe import StepResult
from zorse.training.loop.loop import TrainingState
from zorse.training.observers.recorder.signals import (
    accuracy,
    checkerboard,
    coverage,
    diversity,
    luma_correlation,
    luma_crops,
    mean_change,
    movement,
    some_weights,
    thumbnails,
)

TRANSLATIONS = {"fake_B": ("real_A", "real_B"), "fake_A": ("real_B", "real_A")}
"""What generated pictures were made from, and what they shall look like."""
REMEMBERED = 8
"""Generated pictures that are compared with each other; a batch is often a single one."""
PICTURE_SIDE = 32
"""Smallest pictures, in pixels, whose spectrum tells anything about checkerboards."""


class Gauges:
    """Collects what steps show, and sums it up as signals.

    | signal | what it is |
    |---|---|
    | accuracy_D | share of D's logits on the right side of its decision boundary |
    | gradient_G | root mean square of the gradient, per weight of the optimizer |
    | movement_G_AB | share of their size by which a generator's weights move in a step, before the schedule |
    | diversity_fake_B | how much generated pictures differ, relative to inputs and real pictures |
    | luma_correlation_fake_B | correlation of the brightness of output and input |
    | change_fake_B | mean absolute difference of output and input, in [0, 2] |
    | coverage_fake | share of real samples with a generated one in their neighbourhood, of GANs without an input |
    | checkerboard_fake_B | strength of periodic patterns beyond that in inputs and real pictures, in units of [-1, 1] |

    Between two readings it only adds up a few numbers on the device. A reading looks at the last eight pictures.

    Args:
        boundary: logit at which the discriminators decide; None for critics, which decide nothing.
        every: steps between readings.
        state: at the run's beginning.
    """

    def __init__(self, boundary: float | None, every: int, state: TrainingState) -> None:
        self._boundary = boundary
        self._every = every
        self._features: Callable[[Tensor], Tensor] | None = None
        self._thumbnails: dict[str, deque[Tensor]] = {}
        self._crops: dict[str, deque[Tensor]] = {}
        self._new = 0
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._last_norms: dict[str, Tensor] = {}
        self._pace: dict[str, float] = {}
        """Steps since the last reading, each as long as the schedule made it."""
        self._sizes = {
            name: sum(p.numel() for group in optimizer.param_groups for p in group["params"])
            for name, optimizer in state.recipe.optimizers.items()
        }
        self._movers = _optimizers_of_generators(state)
        self._weights = {name: some_weights(network) for name, network in state.recipe.generators.items()}

    def add(self, state: TrainingState, result: StepResult) -> None:
        """Take in one step."""
        for name, (real, fake) in result.judged.items():
            if self._boundary is not None:
                self._count(f"accuracy_{name}", accuracy(real, fake, self._boundary))
        for name, norm in state.gradient_norms.items():
            if norm is not self._last_norms.get(name):  # Otherwise the optimizer took no step.
                self._last_norms[name] = norm
                rate = state.recipe.optimizers[name].param_groups[0]["lr"]
                self._pace[name] = self._pace.get(name, 0.0) + rate / (state.base_rates[name] * state.rate_factor)
                # Under fp16 a step may overflow, and is skipped then.
                finite = torch.nan_to_num(norm.float(), nan=0.0, posinf=0.0)
                self._count(f"gradient_{name}", finite / math.sqrt(self._sizes[name]))
        for name, source, _ in _translations(result.pictures):
            self._count(f"change_{name}", mean_change(result.pictures[name], result.pictures[source]))
        batch_size = max((len(pictures) for pictures in result.pictures.values()), default=1)
        if -state.iteration % self._every < -(-REMEMBERED // batch_size):
            self._new = min(REMEMBERED, self._new + batch_size)
            for name in {name for translation in _translations(result.pictures) for name in translation}:
                pictures = result.pictures[name]
                kept = self._thumbnails.setdefault(name, deque(maxlen=REMEMBERED))
                kept.extend(thumbnails(pictures))
                crops, kept = luma_crops(pictures), self._crops.setdefault(name, deque(maxlen=REMEMBERED))
                if kept and kept[0].shape != crops[0].shape:
                    kept.clear()  # A stage with larger pictures has begun.
                kept.extend(crops)

    def read(self, state: TrainingState, result: StepResult) -> dict[str, float]:
        """The signals since the last reading; those that cannot be told are left out.

        Args:
            state: after the step that was added last.
            result: of that step.
        """
        signals: dict[str, float] = self._movements(state)
        for name, total in self._sums.items():
            signals[name] = float(total) / self._counts[name]
        signals |= self._picture_signals(result.pictures)
        if {"real", "fake"} <= result.pictures.keys():
            signals["coverage_fake"] = coverage(result.pictures["real"], result.pictures["fake"])
        self._sums, self._counts, self._pace, self._new = {}, {}, {}, 0
        return {name: float(f"{value:.4g}") for name, value in signals.items() if math.isfinite(value)}

    def _count(self, name: str, value: Tensor) -> None:
        self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts[name] = self._counts.get(name, 0) + 1

    def _movements(self, state: TrainingState) -> dict[str, float]:
        found = {}
        for name, network in state.recipe.generators.items():
            before, self._weights[name] = self._weights[name], some_weights(network)
            pace = self._pace.get(self._movers.get(name, ""), 0.0)
            if pace > 0:  # Otherwise it is not being trained now.
                found[f"movement_{name}"] = movement(before, self._weights[name]) / pace
        return found

    def _picture_signals(self, pictures: Mapping[str, Tensor]) -> dict[str, float]:
        found: dict[str, float | None] = {}
        # A run may end long before the next reading was due, when none of its last pictures were kept.
        translations = _translations(pictures) if self._new else []
        features = self._features_of({name for translation in translations for name in translation})
        for name, source, target in translations:
            new = [torch.stack(list(self._thumbnails[key]))[-self._new :] for key in (name, source)]
            found[f"luma_correlation_{name}"] = luma_correlation(*new)
            if features:
                found[f"diversity_{name}"] = diversity(features[name], features[source], features[target])
            if min(pictures[name].shape[-2:]) >= PICTURE_SIDE:
                # Stripes that the input has, or that the output shall have, are no flaw of the generator.
                drawn, *given = (checkerboard(torch.stack(list(self._crops[key]))) for key in (name, source, target))
                found[f"checkerboard_{name}"] = max(0.0, drawn - max(given))
        return {name: value for name, value in found.items() if value is not None}

    def _features_of(self, names: set[str]) -> dict[str, Tensor]:
        """Features of the remembered pictures; nothing as long as there are too few of them."""
        order = sorted(names)
        if not order or any(len(self._thumbnails[name]) < REMEMBERED for name in order):
            return {}
        if self._features is None:
            self._features = feature_space(self._thumbnails[order[0]][0].device)
        together = torch.cat([torch.stack(list(self._thumbnails[name])) for name in order])
        features = self._features(together)
        return dict(zip(order, torch.split(features, REMEMBERED), strict=True))


def feature_space(device: torch.device) -> Callable[[Tensor], Tensor]:
    """What tells pictures (N, 3, 64, 64) apart: EfficientNet-Lite0, or a coarse view where it is not installed."""
    try:
        with torch.random.fork_rng([]):  # Building its layers draws random numbers.
            return load_efficientnet("lite0").to(device, torch.float32)
    except MissingExtraError:
        return lambda pictures: F.interpolate(pictures, size=(8, 8), mode="area").flatten(1)


def _translations(pictures: Mapping[str, Tensor]) -> list[tuple[str, str, str]]:
    """Names of generated pictures, their sources and their targets, of those that a step showed."""
    return [
        (name, source, target)
        for name, (source, target) in TRANSLATIONS.items()
        if {name, source, target} <= pictures.keys() and pictures[name].shape == pictures[source].shape
    ]


def _optimizers_of_generators(state: TrainingState) -> dict[str, str]:
    """Which optimizer moves each generator, by their names."""
    return {
        name: optimizer_name
        for name, network in state.recipe.generators.items()
        for optimizer_name, optimizer in state.recipe.optimizers.items()
        if _shares_parameters(network, optimizer.param_groups)
    }


def _shares_parameters(network: nn.Module, groups: list[dict[str, list[Tensor]]]) -> bool:
    own = {id(parameter) for parameter in network.parameters()}
    return any(id(parameter) in own for group in groups for parameter in group["params"])
