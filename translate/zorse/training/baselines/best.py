"""The best checkpoint of such a run: what measured best is kept beside the last."""

from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from zorse.card import Metric
from zorse.data.samples.dataset import SampleSet
from zorse.recipes.recipe import StepResult
from zorse.sample_file import save_sample_generator
from zorse.samples.sampler import Sampler
from zorse.training.baselines.cards import GENERATOR, sample_card
from zorse.training.baselines.config import BaselineConfig
from zorse.training.baselines.exams import Exam
from zorse.training.best import BestRecord, read_record
from zorse.training.checkpoint import save_checkpoint
from zorse.training.config import to_toml
from zorse.training.files import RunFolder, write_atomically
from zorse.training.loop import TrainingState, check_weights
from zorse.training.recorder.log import append_line


class BestSamples:
    """Measures the averaged generator every `evaluate_every` steps and at the end, and keeps the best so far.

    Args:
        run: where to.
        config: of the run.
        samples: that it learns from.
        exam: gives the figure.
        accelerator: of the run.
        writer: of TensorBoard.
        console: for a line at each measurement.
    """

    def __init__(
        self,
        run: RunFolder,
        config: BaselineConfig,
        samples: SampleSet,
        exam: Exam,
        accelerator: Accelerator,
        writer: SummaryWriter,
        console: Console,
    ) -> None:
        self._run, self._config, self._samples, self._exam = run, config, samples, exam
        self._accelerator, self._writer, self._console = accelerator, writer, console
        self._best = read_record(run.best_record)

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Measure when it is time, and after the last step."""
        if state.iteration % self._config.training.evaluate_every and state.iteration != state.total:
            return
        card = sample_card(self._config, self._samples, state)
        with torch.random.fork_rng([]):
            metric = self._exam(Sampler(state.averages[GENERATOR], card))
        record = BestRecord(iteration=state.iteration, value=metric.value, metrics={GENERATOR: metric})
        is_best = self._best is None or _protocol(self._best) != metric.protocol_id or metric.value < self._best.value
        if is_best:
            check_weights(state)
            save_checkpoint(self._run.best_checkpoint, state, self._accelerator, to_toml(self._config))
            file = self._run.best_generators / f"{GENERATOR}.safetensors"
            save_sample_generator(file, state.averages[GENERATOR], card.model_copy(update={"metrics": (metric,)}))
            # Last, so that a run that was killed in between finds the old figure and does this again.
            write_atomically(self._run.best_record, lambda file: file.write(record.model_dump_json(indent=2).encode()))
            self._best = record
        self._tell(state.iteration, metric, is_best)

    def at_end(self, state: TrainingState) -> None:
        """Nothing: an interrupted run shall stop at once."""

    def _tell(self, iteration: int, metric: Metric, is_best: bool) -> None:
        figure = float(f"{metric.value:.5g}")
        evaluation = {"figure": metric.name, "mean": figure, "protocol_ids": {GENERATOR: metric.protocol_id}}
        append_line(self._run.metrics, {"iteration": iteration, "evaluation": evaluation | {"best": is_best}})
        self._writer.add_scalar(f"evaluation/{metric.name}", figure, iteration)
        best = self._best.value if self._best else figure
        verdict = "the best so far, kept" if is_best else f"best {best:.3g}"
        self._console.print(f"{iteration}: {metric.name} {figure:.3g} ({verdict})", markup=False, soft_wrap=True)


def _protocol(record: BestRecord) -> str:
    return next((metric.protocol_id for metric in record.metrics.values()), "")
