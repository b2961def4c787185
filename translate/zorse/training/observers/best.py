"""The best checkpoint of a run: its generators are measured now and then, and those nearest to reality are kept."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from pydantic import ValidationError
from rich.console import Console

from zorse.model.architecture import Frozen
from zorse.model.card import Metric
from zorse.recipes.recipe import StepResult
from zorse.training.config import RunConfig, to_toml
from zorse.training.files import RunFolder, write_atomically
from zorse.training.loop.checkpoint import save_checkpoint
from zorse.training.loop.loop import TrainingState, check_weights, device_of, untouched_chance
from zorse.training.observers.recorder.log import append_line
from zorse.training.observers.saver import WriteGenerators
from zorse.training.observers.tensorboard import TensorBoard

Measure = Callable[[TrainingState], Mapping[str, Metric]]
"""Gives a figure of each averaged generator, by its name; lower is better."""


class BestRecord(Frozen):
    """What was measured of the best checkpoint."""

    iteration: int
    value: float
    """Mean of the figures; lower is better."""
    metrics: Mapping[str, Metric]
    """By the generators' names."""


class BestKeeper:
    """Measures the averaged generators every `evaluate_every` steps and at the end, and keeps the best so far.

    The best is what has the lowest mean figure over its generators. Beside `checkpoints/best.pt` and
    `generators_best/`, whose cards hold the figure, stands `best.json`, from which a resumed run knows what there is to
    beat.

    Args:
        run: where to.
        config: of the run.
        measure: gives the figures.
        write: writes the generators.
        titles: what to call each generator, by its name, in the line for the console.
        accelerator: of the run.
        writer: of TensorBoard.
        console: for a line at each measurement.
    """

    def __init__(
        self,
        run: RunFolder,
        config: RunConfig,
        measure: Measure,
        write: WriteGenerators,
        titles: Mapping[str, str],
        accelerator: Accelerator,
        writer: TensorBoard,
        console: Console,
    ) -> None:
        self._run = run
        self._config = config
        self._measure = measure
        self._write = write
        self._titles = titles
        self._accelerator = accelerator
        self._writer = writer
        self._console = console
        self._best = read_record(run.best_record)

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Measure every `evaluate_every` steps and after the last one."""
        if not state.is_due(self._config.training.evaluate_every):
            return
        with untouched_chance(device_of(state)):
            metrics = self._measure(state)
        value = float(np.mean([metric.value for metric in metrics.values()]))
        record = BestRecord(iteration=state.iteration, value=value, metrics=metrics)
        is_best = self._best is None or _protocols(record) != _protocols(self._best) or value < self._best.value
        if is_best:
            self._keep(state, record)
        self._tell(record, is_best)  # Only now: a full disk must not leave word of what was not kept.

    def at_end(self, state: TrainingState) -> None:
        """Nothing: an interrupted run shall stop at once."""

    def _keep(self, state: TrainingState, record: BestRecord) -> None:
        check_weights(state)
        save_checkpoint(self._run.best_checkpoint, state, self._accelerator, to_toml(self._config))
        self._write(state, self._run.best_generators, record.metrics)
        # Last, so that a run that was killed in between finds the old figure and does this again.
        write_atomically(self._run.best_record, record.model_dump_json(indent=2).encode())
        self._best = record

    def _tell(self, record: BestRecord, is_best: bool) -> None:
        figures = {name: float(f"{metric.value:.5g}") for name, metric in record.metrics.items()}
        (kind,) = {metric.name for metric in record.metrics.values()}
        line = {
            "iteration": record.iteration,
            "evaluation": {
                "figure": kind,
                "mean": float(f"{record.value:.5g}"),
                "generators": figures,
                "protocol_ids": _protocols(record),
                "best": is_best,
            },
        }
        append_line(self._run.metrics, line)
        for name, figure in figures.items():
            self._writer.add_scalar(f"evaluation/{kind} {name}", figure, record.iteration)
        each = ", ".join(f"{self._titles[name]} {figure:.3g}" for name, figure in figures.items())
        mean = f"{record.value:.3g} on average: {each}" if len(figures) > 1 else each
        verdict = "the best so far, kept" if is_best or self._best is None else f"best {self._best.value:.3g}"
        self._console.print(f"{record.iteration}: {kind} {mean} ({verdict})", markup=False, soft_wrap=True)


def read_record(file: Path) -> BestRecord | None:
    """What an earlier part of the run has kept; None if nothing, or nothing that can be read."""
    try:
        return BestRecord.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _protocols(record: BestRecord) -> dict[str, str]:
    return {name: metric.protocol_id for name, metric in record.metrics.items()}
