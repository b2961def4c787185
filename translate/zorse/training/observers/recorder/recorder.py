"""The observer that reads the gauges, watches the alarms and tells of them."""

from typing import Any

import torch
from rich.console import Console

from zorse.recipes.recipe import StepResult
from zorse.training.config import RunConfig
from zorse.training.files import RunFolder
from zorse.training.loop.loop import TrainingState
from zorse.training.observers.recorder.alarms import AlarmBoard, Event
from zorse.training.observers.recorder.gauges import Gauges
from zorse.training.observers.recorder.log import alarm_summary, append_line, read_log
from zorse.training.observers.tensorboard import TensorBoard

WARNING = "bold yellow"


class FlightRecorder:
    """Reads the signals every `log_every` steps, and raises alarms on the console, in metrics.jsonl and TensorBoard.

    It stands before `MetricsLog`, which writes the signals, and before `Saver`, which asks whether the run is healthy.
    With `training.rollback` an alarm of a collapse ends `fit`.

    Args:
        run: its metrics.jsonl is read for what an earlier part of the run has seen.
        config: of the run.
        writer: of TensorBoard.
        console: for alarms; above the progress bar if that is on the same console.
        state: at the beginning, fresh or restored.
    """

    def __init__(
        self, run: RunFolder, config: RunConfig, writer: TensorBoard, console: Console, state: TrainingState
    ) -> None:
        settings = config.training
        self.signals: dict[str, float] = {}
        """The last reading."""
        self._file = run.metrics
        self._writer = writer
        self._console = console
        self._every = settings.log_every
        self._rollback = settings.rollback
        self._gauges = Gauges(config.boundary, self._every, state)
        warm_up = settings.warm_up or 0
        self._board = AlarmBoard(config.keeps_scene, state.total, settings.silence, warm_up)
        for line in read_log(run.metrics):
            self._board.update(line["iteration"], line.get("signals", {}))

    @property
    def healthy(self) -> bool:
        """Whether no collapse stands or is in sight, so that a checkpoint saved now is worth going back to."""
        return self._board.healthy

    @torch.no_grad()
    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Take the step in; read the signals when it is time."""
        self._gauges.add(state, result)
        if not state.is_due(self._every):
            return
        self.signals = self._gauges.read(state, result)
        for event in self._board.update(state.iteration, self.signals):
            self._tell(event)
        if self._rollback and (collapse := self._board.collapse):
            state.collapse = (
                f"In iteration {collapse.iteration} the alarm {collapse.alarm.name} was raised: {collapse.seen}"
            )

    def at_end(self, state: TrainingState) -> None:
        """List the alarms of the whole run."""
        told = alarm_summary(read_log(self._file))
        for line in ["Alarms of this run (with causes and remedies in metrics.jsonl):", *told] if told else []:
            self._console.print(line, style=WARNING)

    def tell_failure(self, state: TrainingState, reason: str) -> None:
        """Note that the loop stopped at values that are not finite.

        Args:
            state: where it stopped; the iteration that failed is the next one.
            reason: the loop's message, which names the loss and the pictures, or the network.
        """
        alarm = {"name": "non_finite", "about": "", "state": "raised", "collapse": True, "cause": reason}
        append_line(self._file, {"iteration": state.iteration + 1, "alarm": alarm})
        self._writer.add_text("alarms", f"**Alarm: non_finite.** {reason}", state.iteration + 1)

    def _tell(self, event: Event) -> None:
        alarm = event.alarm
        record: dict[str, Any] = {
            "name": alarm.name,
            "about": event.about,
            "state": "raised" if event.raised else "cleared",
            "value": float(f"{event.value:.4g}"),
        }
        text = event.seen
        if event.raised:
            record |= {"collapse": alarm.collapse, "cause": alarm.cause, "remedy": alarm.remedy}
            text = f"{text} {alarm.cause} What to do: {alarm.remedy}"
        append_line(self._file, {"iteration": event.iteration, "alarm": record})
        headline = f"{'Alarm' if event.raised else 'Alarm cleared'} in iteration {event.iteration}: {alarm.name}."
        self._console.print(f"{headline} {text}", style=WARNING if event.raised else "green")
        self._writer.add_text("alarms", f"**{headline}** {text}", event.iteration)
