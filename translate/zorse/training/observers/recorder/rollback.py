"""Going back: a run that has collapsed is restored from its last healthy checkpoint, with lower learning rates."""

from typing import Any

from accelerate import Accelerator
from rich.console import Console

from zorse.errors import TrainingDivergedError
from zorse.training.config import LoopConfig, RunConfig, to_toml
from zorse.training.files import RunFolder
from zorse.training.loop.checkpoint import restore_checkpoint, save_newest
from zorse.training.loop.loop import TrainingState
from zorse.training.observers.recorder.log import append_line, forget_after, read_log
from zorse.training.observers.tensorboard import TensorBoard


def roll_back(
    run: RunFolder,
    config: RunConfig,
    state: TrainingState,
    accelerator: Accelerator,
    console: Console,
    reason: str,
) -> None:
    """Bring a collapsed run back to its last healthy checkpoint, with lower learning rates.

    All processes call it and read the same file; the main one writes. The order of the data goes back with the state.
    In metrics.jsonl the lines of the undone iterations give way to one line that tells of the rollback and of the
    alarms that were raised in them. The state is saved at once, so that a run that is stopped now goes on from here.

    Args:
        run: with a healthy checkpoint.
        config: of the run.
        state: collapsed; it is changed in place.
        accelerator: of the run.
        console: where to tell of it.
        reason: what was wrong, one sentence or more.

    Raises:
        TrainingDivergedError: rollbacks are off, or `rollback_limit` of them have been tried.
    """
    settings = config.training
    if not settings.rollback or state.rollbacks >= settings.rollback_limit:
        raise TrainingDivergedError(f"{reason}{_tried(run, settings, state)}")
    before, tried, factor = state.iteration, state.rollbacks + 1, state.rate_factor * settings.rollback_factor
    restore_checkpoint(run.healthy_checkpoint, state, accelerator)
    # Not those of the checkpoint, which may be older than the rollback before this one.
    state.rollbacks, state.rate_factor = tried, factor
    state.collapse, state.interrupted = None, False
    state.gradient_norms.clear()
    if not accelerator.is_main_process:
        return
    save_newest(run, state, accelerator, to_toml(config))
    undone = [
        line["alarm"] for line in read_log(run.metrics) if line["iteration"] > state.iteration and "alarm" in line
    ]
    record: dict[str, Any] = {"from": before, "number": tried, "rate_factor": factor, "reason": reason}
    forget_after(run.metrics, state.iteration)
    append_line(run.metrics, {"iteration": state.iteration, "rollback": record | {"alarms": undone}})
    told = (
        f"Rollback {tried} of at most {settings.rollback_limit}: from iteration {before} to {state.iteration}, where "
        f"the run was healthy; learning rates are {factor:g} times those of the settings from now on. {reason}"
    )
    console.print(told, style="bold yellow")
    with TensorBoard(run.tensorboard, state.iteration, console) as writer:
        writer.add_text("alarms", told, state.iteration)


def _tried(run: RunFolder, settings: LoopConfig, state: TrainingState) -> str:
    """What was done about the collapse so far, as an end of the message."""
    if not settings.rollback:
        return ""
    return (
        f" {state.rollbacks} rollbacks were tried (training.rollback_limit), the last with learning rates "
        f"{state.rate_factor:g} times those of the settings: the run collapsed again each time. The last healthy state "
        f"is {run.healthy_checkpoint}. Change what the alarm names (see metrics.jsonl) and start anew, or allow more "
        "rollbacks with a higher training.rollback_limit and --resume."
    )
