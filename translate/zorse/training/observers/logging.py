"""What watches a run: progress on the console, losses in files, grids of pictures, checkpoints."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text
from torch import Tensor

from zorse.backends.torch.backend import as_tested
from zorse.imaging.picture import Picture
from zorse.imaging.write import encode_picture
from zorse.recipes.recipe import StepResult
from zorse.training.cards import generator_cards
from zorse.training.config import LoopConfig, TrainConfig
from zorse.training.files import RunFolder, write_atomically
from zorse.training.loop.loop import TrainingState, device_of, untouched_chance
from zorse.training.observers.recorder.log import append_line
from zorse.training.observers.tensorboard import TensorBoard


class LossMeans:
    """Means of the losses since the last time they were asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | int] = {}
        self._count = 0

    def add(self, result: StepResult) -> None:
        """Add one step's losses."""
        for name, loss in result.losses.items():
            self._sums[name] = self._sums.get(name, 0) + loss.float()
        self._count += 1

    def take(self) -> dict[str, float]:
        """The means, rounded to five digits; counting starts anew."""
        means = {name: float(f"{float(total) / self._count:.5g}") for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


class ConsoleProgress:
    """A progress bar with losses and remaining time on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, log_every: int) -> None:
        self._console = console
        self._log_every = log_every
        self._means = LossMeans()
        self._started: tuple[float, int] | None = None
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=300,  # Seconds; a step may take half a minute.
        )
        self._task = self._bar.add_task("", total=None)
        self._losses = Text()
        # The losses have a line of their own: there is no room for them beside the bar.
        self._live = Live(Group(self._bar, self._losses), console=console)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Show losses every `log_every` steps, and how far the run is."""
        if self._started is None:
            self._started = (time.monotonic(), state.iteration)
        self._means.add(result)
        due = state.iteration % self._log_every == 0 or state.iteration == state.total
        if due:
            self._losses.plain = "  ".join(f"{name} {value:.3f}" for name, value in self._means.take().items())
        if self._console.is_terminal:
            self._bar.update(self._task, completed=state.iteration, total=state.total)
        elif due:
            line = f"{state.iteration}/{state.total}  {self._losses}  {self._remaining(state)}"
            self._console.print(line, highlight=False, soft_wrap=True)

    def _remaining(self, state: TrainingState) -> str:
        assert self._started is not None  # Only for mypy: set by the first step.
        since, first = self._started
        if state.iteration == first:
            return ""
        per_step = (time.monotonic() - since) / (state.iteration - first)
        minutes = per_step * (state.total - state.iteration) / 60
        return f"{per_step:.2f} s/it, {minutes:.0f} min left"

    def at_end(self, state: TrainingState) -> None:
        """Nothing: the command says how the run ended."""


class MetricsLog:
    """Losses as lines of metrics.jsonl and as TensorBoard scalars."""

    def __init__(
        self,
        run: RunFolder,
        config: LoopConfig,
        writer: TensorBoard,
        state: TrainingState,
        signals: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self._file = run.metrics
        self._signals = signals
        self._every = config.log_every
        self._writer = writer
        self._means = LossMeans()
        self._since = time.monotonic()
        self._seconds, self._waited = state.seconds, state.waited

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Append a line every `log_every` steps."""
        self._means.add(result)
        if not state.is_due(self._every):
            return
        losses = self._means.take()
        rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in state.recipe.optimizers.items()}
        now = time.monotonic()
        line: dict[str, Any] = {
            "iteration": state.iteration,
            "losses": losses,
            "learning_rates": rates,
            "seconds_since_last_line": round(now - self._since, 3),
            "training_seconds": round(state.seconds, 1),
            "data_wait_share": round((state.waited - self._waited) / max(state.seconds - self._seconds, 1e-9), 4),
            "gradient_norms": {name: float(f"{float(norm):.5g}") for name, norm in state.gradient_norms.items()},
        }
        if signals := self._signals():
            line["signals"] = dict(signals)
        self._since, self._seconds, self._waited = now, state.seconds, state.waited
        append_line(self._file, line)
        for group in ("losses", "learning_rates", "gradient_norms", "signals"):
            for name, value in line.get(group, {}).items():
                self._writer.add_scalar(f"{group}/{name}", value, state.iteration)
        self._writer.add_scalar("data_wait_share", line["data_wait_share"], state.iteration)

    def at_end(self, state: TrainingState) -> None:
        """Flush what TensorBoard has not written yet."""
        self._writer.flush()


class SamplePictures:
    """Pictures of what the averaged generators make of the same few inputs all along, every `sample_every` steps.

    Args:
        run: where to.
        every: so many steps.
        writer: of TensorBoard.
        draw: gives the picture, uint8 RGB (H, W, 3).
    """

    def __init__(
        self, run: RunFolder, every: int, writer: TensorBoard, draw: Callable[[TrainingState], NDArray[np.uint8]]
    ) -> None:
        self._folder = run.samples
        self._every = every
        self._writer = writer
        self._draw = draw

    def after_step(self, state: TrainingState, result: StepResult, batch: Any) -> None:
        """Draw a picture when it is time, and at the end of the run."""
        if not state.is_due(self._every):
            return
        # What is drawn by chance must neither disturb the training's nor make one picture differ from the next.
        with torch.no_grad(), untouched_chance(device_of(state)):
            torch.manual_seed(0)
            picture = self._draw(state)
        write_atomically(self._folder / f"{state.iteration:08d}.png", encode_picture(Picture(picture), ".png"))
        self._writer.add_image("samples", picture, state.iteration)

    def at_end(self, state: TrainingState) -> None:
        """Nothing left to do."""


def preview_grid(config: TrainConfig, batch: Mapping[str, Any], state: TrainingState) -> NDArray[np.uint8]:
    """What the averaged generators, used as their cards say, make of a batch, beside it."""
    cards = generator_cards(config, state)
    generators = {name: as_tested(average, cards[name]) for name, average in state.averages.items()}
    return as_grid(state.recipe.preview(on_device(batch, device_of(state)), generators))


def on_device(batch: Mapping[str, Any], device: torch.device) -> Any:
    """A batch with its tensors there."""
    return {key: value.to(device) if isinstance(value, Tensor) else value for key, value in batch.items()}


def as_grid(pictures: dict[str, Tensor]) -> NDArray[np.uint8]:
    """Pictures (N, 3, H, W) in [-1, 1] -> uint8 (N * H, n_columns * W, 3): a row for each sample of the batch."""
    columns = [torch.cat(list(batch), dim=1) for batch in pictures.values()]
    grid = torch.cat(columns, dim=2).permute(1, 2, 0).float().cpu().numpy()
    return np.asarray(np.clip(np.rint((grid + 1) * 127.5), 0, 255), dtype=np.uint8)
