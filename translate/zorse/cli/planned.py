"""What `zorse train --plan` prints."""

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING

from zorse.system.memory import format_memory

if TYPE_CHECKING:
    from zorse.training.planning.plan import Plan, StagePlan


def described(plan: "Plan") -> Iterator[str]:
    """A plan in lines of text."""
    pictures = ", ".join(f"{count} {kind}" for kind, count in plan.pictures.items())
    networks = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in plan.parameters.items())
    yield f"Plan of {plan.name} on {plan.device}; nothing is written."
    yield f"Pictures     {pictures}"
    yield f"Networks     {networks} parameters"
    yield f"Run          {plan.iterations} iterations of batch {plan.batch_size}, {plan.epochs:.4g} epochs"
    for stage in plan.stages:
        yield f"Crops        {_stage(stage)}"
    if isfinite(plan.seconds):
        yield f"Duration     {_duration(plan.seconds)}, without evaluations and grids of samples"
    fitting = f"; crops up to {plan.largest_crop} px would fit (computed)" if plan.largest_crop else ""
    yield f"Memory       {format_memory(plan.memory_bytes)} at hand{fitting}"
    yield f"Disk         up to {format_memory(plan.disk_bytes)}; a checkpoint is {format_memory(plan.checkpoint_bytes)}"
    yield "It fits." if plan.fits else "It does not fit. " + " ".join(plan.advice)


def _stage(stage: "StagePlan") -> str:
    source = "measured" if stage.measured else "computed from smaller crops, rather too high than too low"
    time = f"{stage.seconds_per_iteration:.3g} s each, " if isfinite(stage.seconds_per_iteration) else ""
    return (
        f"{stage.crop_size} px: {stage.iterations} iterations, {time}{format_memory(stage.peak_bytes)} of memory "
        f"({source}){'' if stage.fits else ': does not fit'}"
    )


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
