"""A few steps of a run, to see what they take."""

from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from zorse.data.config import DataConfig
from zorse.data.dataset import open_dataset
from zorse.data.loader import batches
from zorse.errors import ConfigError
from zorse.recipes.recipe import StepResult
from zorse.system.memory import available_memory
from zorse.training.config import TrainConfig, validated
from zorse.training.loop.loop import TrainingState, device_of, fit
from zorse.training.planning.peak import forget_peak, memory_held, memory_peak

UPDATES = 2
"""The first one also sets up what the optimizers remember; those after it are timed."""
LARGE, FRACTION = 256, 4
"""On a CPU, crops of so many pixels are tried at a fourth of their side first: a process that asks for more memory than
there is gets killed without a word."""
SAFE_SHARE = 0.9
"""Of the memory; the rest is for pictures in preparation and for what else the computer does."""


@dataclass(frozen=True)
class Trial:
    """What steps with crops of one size take."""

    crop: int
    seconds: float
    """For one iteration."""
    peak: int
    """Most bytes of memory."""
    measured: bool = True
    """Otherwise computed from smaller crops."""


class TrialBench:
    """Tries crops of growing size on the same networks.

    Args:
        config: of the run.
        data: folder of the pictures.
        state: fresh; the trials train it.
        accelerator: of the run.
        updates: of each trial, at least 2.
    """

    def __init__(
        self, config: TrainConfig, data: Path, state: TrainingState, accelerator: Accelerator, updates: int = UPDATES
    ) -> None:
        self._config = config
        self._data = data
        self._state = state
        self._accelerator = accelerator
        self._device = device_of(state)
        self._updates = updates
        self._last: Trial | None = None
        held = memory_held(self._device)
        # Gradients and Adam's two averages are still to come. None of it depends on the crop.
        trained = (p for network in state.recipe.networks.values() for p in network.parameters() if p.requires_grad)
        self._fixed = held + 3 * sum(parameter.nbytes for parameter in trained)
        on_gpu = self._device.type == "cuda"
        self.memory = held + (torch.cuda.mem_get_info(self._device)[0] if on_gpu else available_memory())
        """Bytes that the process can take, including what it holds already."""

    def trial(self, data: DataConfig) -> Trial:
        """Train with these crops if that may fit."""
        small = self._smaller(data)
        if self._last is None and small is not None:
            self._last = self._measured(small)
        if self._last is not None:
            expected = self._expected(self._last, data.crop_size)
            if expected.peak > self.memory:
                return expected
        try:
            self._last = self._measured(data)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            too_much = Trial(data.crop_size, float("nan"), self.memory + 1, measured=False)
            return too_much if self._last is None else self._expected(self._last, data.crop_size)
        return self._last

    def largest_crop(self) -> int | None:
        """Computed from the largest crop tried: the largest one that would fit; None if that cannot be told."""
        if self._last is None or self._last.peak <= self._fixed:  # Beside the networks so small crops do not show.
            return None
        per_pixel = (self._last.peak - self._fixed) / self._last.crop**2
        multiple = self._config.recipe.generator.size_multiple
        side = sqrt(max(SAFE_SHARE * self.memory - self._fixed, 0) / per_pixel)
        return int(side // multiple * multiple)

    def _expected(self, trial: Trial, crop: int) -> Trial:
        ratio = crop**2 / trial.crop**2
        peak = self._fixed + max(trial.peak - self._fixed, 0) * ratio
        return Trial(crop, trial.seconds * ratio, round(peak), measured=False)

    def _smaller(self, data: DataConfig) -> DataConfig | None:
        """Crops to try first; None where that is not necessary, or the networks take none so small."""
        if self._device.type == "cuda" or data.crop_size < LARGE:
            return None
        multiple = self._config.recipe.generator.size_multiple
        crop = -(-data.crop_size // FRACTION // multiple) * multiple
        small = data.model_copy(
            update={"crop_size": crop, "load_size": -(-data.load_size * crop // data.crop_size) + 1}
        )
        try:
            config = validated(self._config.model_copy(update={"data": small}).model_dump())
        except ConfigError:
            return None
        return config.data if crop < data.crop_size else None

    def _measured(self, data: DataConfig) -> Trial:
        settings, state = self._config.training, self._state
        dataset = open_dataset(data, self._data, seed=settings.seed)
        steps = self._updates * settings.accumulate
        state.total = state.iteration + steps
        clock = _Clock()
        forget_peak(self._device)
        source = batches(dataset, settings.batch_size, first_sample=0, n_batches=steps, num_workers=0)
        fit(state, source, settings, self._accelerator, [clock])
        if state.interrupted:
            raise KeyboardInterrupt
        computing, loading = clock.per_step(steps - settings.accumulate)
        workers = settings.num_workers
        # Workers load while the networks compute.
        seconds = max(computing, loading / workers) if workers else computing + loading
        return Trial(data.crop_size, seconds, memory_peak(self._device))


class _Clock:
    """Observes what each step takes."""

    def __init__(self) -> None:
        self._times: list[tuple[float, float]] = [(0.0, 0.0)]

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Read the clocks."""
        self._times.append((state.seconds, state.waited))

    def at_end(self, state: TrainingState) -> None:
        """Nothing left to do."""

    def per_step(self, steps: int) -> tuple[float, float]:
        """Mean seconds of the last steps: for computing, and for loading the pictures."""
        (seconds, waited), (seconds_before, waited_before) = self._times[-1], self._times[-1 - steps]
        loading = (waited - waited_before) / steps
        return (seconds - seconds_before) / steps - loading, loading
