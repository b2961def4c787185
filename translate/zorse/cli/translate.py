"""`zorse translate`: pictures, videos, folders or standard input through a model."""

import json
import sys
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from zorse.cli.command import app
from zorse.cli.options import AllowCodeOption, ArenaOption, DeviceOption, ThreadsOption, parse_amount, parse_size
from zorse.cli.stopping import stopping_cleanly

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from zorse.files.jobs import Job, Plan
    from zorse.files.translate import Outcome
    from zorse.imaging.video.progress import VideoProgress
    from zorse.runtime.streamed.execute import Progress

_SECONDS_BETWEEN_LINES = 10.0


@app.command()
def translate(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT", help="Pictures, videos, folders, or - for standard input.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="OUT", help="File, folder, or - for standard output.", show_default="beside INPUT"
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="MODEL", help="A shipped model's name or a model file.")
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            metavar="auto|native|keep|N",
            help="Short side at which the network sees the picture: as in training (auto), the picture's own (keep), "
            "or N pixels. The result always has the picture's own size and detail: the change is enlarged along its "
            "contours. native is another word for auto.",
        ),
    ] = "auto",
    strength: Annotated[float, typer.Option(min=0.0, max=1.0, help="0 is the picture, 1 the translation.")] = 1.0,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    allow_code: AllowCodeOption = None,
    arena: ArenaOption = "auto",
    quality: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="Of JPEG, WebP, AVIF, HEIC and videos.", show_default="the input's; videos: 80"
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Leave out pictures whose result is there and not older, whichever model and options made it.",
        ),
    ] = False,
    copy_others: Annotated[
        bool,
        typer.Option(
            "--copy-others",
            help="For labelled sets: copy all other files of a folder (masks, annotations) unchanged, and write the "
            "pictures in the orientation in which they are stored, so that annotations fit.",
        ),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Translate only pictures whose name or path matches ('images/*')."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Do not translate pictures whose name or path matches ('*_mask.png')."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures in work at the same time.", show_default="one per core, at most 8"),
    ] = None,
    allow_large: Annotated[
        bool, typer.Option("--allow-large", help="Read pictures and frames of more than 250 million pixels, too.")
    ] = False,
    max_memory: Annotated[
        str | None,
        typer.Option(
            metavar="2GB",
            help="Memory for the pictures in work, their translations included. What does not fit into one pass over "
            "the whole picture is streamed in tiles, with the same result.",
            show_default="half of what is free",
        ),
    ] = None,
    tiling: Annotated[
        Literal["auto", "exact", "whole", "fast"],
        typer.Option(
            help="exact: in tiles, with the result of one pass; whole: in one pass; auto: whole where it fits, else "
            "exact; fast: in tiles with the statistics of a thumbnail, an approximation."
        ),
    ] = "auto",
    steady: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="How much the flicker of videos is held down where nothing moves; 0: not at all."
        ),
    ] = 0.8,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Write a JSON object for each file to standard output, one per line: source, target, seconds, error, "
            "skipped (why it was left out) and receipt (what was kept, converted or dropped); the last one is the "
            "summary.",
        ),
    ] = False,
) -> None:
    """Translate pictures and videos with a model.

    Without -o, photo.jpg becomes photo_MODEL.jpg beside it, and a folder farm becomes farm_MODEL. Each result has its
    picture's format, quality, metadata and time; a Note says what it could not keep. A file that cannot be read is
    reported, and the next follows; the exit code is then 1. Of a folder, what is not translated is listed as skipped:
    kinds of pictures that Zorse does not read, hidden ones, links that lead nowhere, pipes.
    """
    from zorse.files.jobs import STANDARD, plan_all
    from zorse.files.selection import Selection
    from zorse.files.translate import Settings, share_cores, translate_files
    from zorse.imaging.io import MAX_PIXELS
    from zorse.loading import load
    from zorse.runtime.devices import CPU

    if tiling == "whole" and max_memory is not None:
        raise typer.BadParameter("One pass takes what it takes: --max-memory goes with --tiling auto, exact or fast.")
    wanted_size = parse_size(size)
    memory = None if max_memory is None else parse_amount(max_memory)
    name = model or _only_model()
    selection = Selection(only=tuple(only or ()), skip=tuple(skip or ()), copy_others=copy_others)
    planned = plan_all(inputs, out, Path(name).stem, selection)
    jobs = planned.jobs
    if as_json and any(job.target == STANDARD for job in jobs):
        raise typer.BadParameter("--json writes to standard output, where the picture goes. Name a file with -o.")
    n_workers, share = share_cores(max(len(jobs), 1), workers, wanted_size)
    if memory is not None:  # goes furthest where one network runs at a time
        share = None
    translator = load(name, device, threads or share, arena)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    written = _JsonLines() if as_json else None
    bar = _bar(console)
    settings = Settings(
        workers=n_workers,
        networks=n_workers if share is not None and translator.provider == CPU else 1,
        resume=resume,
        quality=quality,
        as_stored=copy_others,
        max_pixels=None if allow_large else MAX_PIXELS,
        steadiness=steady,
        max_memory=memory,
        tile_report=_TileReport(console, bar) if len(jobs) == 1 else None,
        frame_report=_FrameReport(console, bar, alone=len(jobs) == 1),
    )
    console.print(f"{translator.card.task}: {name} on {translator.provider}", markup=False)
    work = partial(translator.translate, size=wanted_size, strength=strength, tiling=tiling)
    counts = _Counts(skipped=len(planned.left_out))
    with stopping_cleanly():
        try:
            _report(console, bar, jobs, translate_files(work, jobs, settings), counts, written)
        except KeyboardInterrupt:
            if written is not None:
                written.end(counts, planned, stopped=True)
            console.print(f"Stopped. {counts.summary(jobs)} --resume goes on.", markup=False)
            raise
    _say_left_out(console, planned)
    if len(jobs) > 1:
        console.print(counts.summary(jobs), markup=False)
    if written is not None:
        written.end(counts, planned)
    if counts.failed or any(file.is_named or file.is_folder for file in planned.left_out):
        raise typer.Exit(1)


def _only_model() -> str:
    from zorse.model.registry import shipped_models

    models = list(shipped_models())
    if len(models) == 1:
        return models[0]
    known = f"Shipped models: {', '.join(models)}." if models else "No models are shipped with this installation."
    raise typer.BadParameter(f"Say which model to use. {known}", param_hint="--model")


@dataclass
class _Counts:
    """What became of the files so far."""

    translated: int = 0
    copied: int = 0
    done_before: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, outcome: "Outcome") -> None:
        if outcome.error is not None:
            self.failed += 1
        elif outcome.was_done:
            self.done_before += 1
        elif outcome.job.is_copy:
            self.copied += 1
        else:
            self.translated += 1

    def summary(self, jobs: "list[Job]") -> str:
        pictures = sum(not job.is_copy for job in jobs)
        copies = f", {self.copied} other files copied" if len(jobs) > pictures else ""
        before = f", {self.done_before} files were done before" if self.done_before else ""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.translated} of {pictures} pictures translated{copies}{before}{skipped}."


class _JsonLines:
    """One JSON object for each file on standard output, as soon as it is done."""

    def file(self, outcome: "Outcome") -> None:
        job, receipt = outcome.job, outcome.receipt
        self._write(
            source=str(job.source),
            target=str(job.target),
            seconds=round(outcome.seconds, 3),
            error=None if outcome.error is None else str(outcome.error),
            skipped="Its result is there already." if outcome.was_done else None,
            receipt=None if receipt is None else asdict(receipt),
        )

    def end(self, counts: _Counts, planned: "Plan", *, stopped: bool = False) -> None:
        """Writes what was left out, and the summary."""
        for file in planned.left_out:
            self._write(
                source=str(file.source), target=None, seconds=0.0, error=None, skipped=file.reason, receipt=None
            )
        self._write(summary=asdict(counts) | {"other_files": dict(planned.others), "stopped": stopped})

    def _write(self, **entries: Any) -> None:
        sys.stdout.write(f"{json.dumps(entries)}\n")
        sys.stdout.flush()


@dataclass
class _TileReport:
    """Shows how far a single large picture is: on the bar, or where there is none, in a line every 10 seconds."""

    console: Console
    bar: "Bar"
    last: float = field(default_factory=time.monotonic)

    def __call__(self, _job: "Job", progress: "Progress") -> None:
        for task in self.bar.task_ids:
            self.bar.update(task, completed=progress.done)
        if not self.console.is_terminal and time.monotonic() - self.last > _SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            self.console.print(f"{progress.done:.0%}, {progress.remaining:.0f} s left", markup=False)


@dataclass
class _FrameReport:
    """Shows how far a video is: on the bar if it is alone, and without a terminal in a line every 10 seconds."""

    console: Console
    bar: "Bar"
    alone: bool
    last: float = field(default_factory=time.monotonic)

    def __call__(self, job: "Job", progress: "VideoProgress") -> None:
        if self.alone:
            for task in self.bar.task_ids:
                self.bar.update(task, completed=progress.frames, total=progress.total)
        if not self.console.is_terminal and time.monotonic() - self.last > _SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            of = "" if progress.total is None else f" of {progress.total}"
            left = "" if progress.remaining is None else f", {progress.remaining:.0f} s left"
            self.console.print(f"{job.source}: {progress.frames}{of} frames{left}", markup=False)


def _bar(console: Console) -> "Bar":
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Bar(*columns, console=console, transient=True, disable=not console.is_terminal)


def _report(
    console: Console,
    bar: "Bar",
    jobs: "list[Job]",
    outcomes: "Generator[Outcome, None, None]",
    counts: _Counts,
    written: _JsonLines | None,
) -> None:
    """Runs the jobs under a progress bar (on a terminal) and prints a line for each picture."""
    with closing(outcomes), bar as progress:
        task = progress.add_task("Translating", total=len(jobs))
        for done, outcome in enumerate(outcomes, start=1):
            progress.update(task, completed=done, total=len(jobs))
            counts.add(outcome)
            if written is not None:
                written.file(outcome)
            if outcome.error is not None:
                console.print(f"Error: {outcome.error}", style="red", markup=False)
            elif not outcome.was_done and not outcome.job.is_copy:
                line = f"{outcome.job.source} -> {outcome.job.target} ({outcome.seconds:.2f} s)"
                console.print(line, markup=False)
                for note in outcome.receipt.told() if outcome.receipt is not None else ():
                    console.print(f"Note: {note}", markup=False)


def _say_left_out(console: Console, planned: "Plan") -> None:
    from zorse.files.left_out import lines, other_line

    for line in lines(planned.left_out):
        console.print(f"Skipped: {line}", style="yellow", markup=False)
    if planned.others:
        console.print(f"Skipped: {other_line(planned.others)}", markup=False)
