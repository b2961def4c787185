"""The observer that saves the run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from accelerate import Accelerator

from zorse.model.card import Metric
from zorse.recipes.recipe import StepResult
from zorse.training.config import RunConfig, to_toml
from zorse.training.files import RunFolder
from zorse.training.loop.checkpoint import keep_checkpoint, save_newest
from zorse.training.loop.loop import TrainingState, check_weights


class WriteGenerators(Protocol):
    """Writes the averaged generators of a run, each with its card, into a folder."""

    def __call__(self, state: TrainingState, folder: Path, metrics: Mapping[str, Metric] | None = None) -> None:
        """`metrics` are what was measured of the generators, by their names."""


class Saver:
    """Writes a checkpoint and the generators with their cards every so often, and when the run ends.

    Args:
        run: where to.
        config: of the run.
        accelerator: of the run.
        healthy: tells whether the run is, so that the checkpoint is kept until there is a newer healthy one.
        write: writes the generators.

    Raises:
        TrainingDivergedError: a weight is not finite; the checkpoint saved before is kept.
    """

    def __init__(
        self,
        run: RunFolder,
        config: RunConfig,
        accelerator: Accelerator,
        healthy: Callable[[], bool],
        write: WriteGenerators,
    ) -> None:
        self._run = run
        self._config = config
        self._accelerator = accelerator
        self._healthy = healthy
        self._write = write
        self._saved_at = -1

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Save every `save_every` steps; keep generators for good every `keep_every` steps."""
        settings = self._config.training
        if state.iteration % settings.save_every == 0:
            self._save(state)
        if settings.keep_every and state.iteration % settings.keep_every == 0:
            check_weights(state)
            self._write(state, self._run.kept_generators / f"{state.iteration:08d}")

    def at_end(self, state: TrainingState) -> None:
        """Save once more, unless that has just been done."""
        if self._saved_at != state.iteration:
            self._save(state)

    def _save(self, state: TrainingState) -> None:
        check_weights(state)
        save_newest(self._run, state, self._accelerator, to_toml(self._config))
        if self._healthy():
            keep_checkpoint(self._run.last_checkpoint, self._run.healthy_checkpoint)
        self._write(state, self._run.generators)
        self._saved_at = state.iteration
