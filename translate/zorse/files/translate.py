"""Many pictures at once: decode, network and encode overlap, a bad file stops nothing, a full disk stops cleanly."""

import os
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, TextIO

from zorse.errors import DiskFull, ImageError, ZorseError, unexpected_failure
from zorse.files.jobs import STANDARD, Job
from zorse.files.pipeline import count_written, rewrite_picture
from zorse.imaging.io import (
    MAX_PIXELS,
    Picture,
    as_stored,
    open_pictures,
    suffix_of,
    write_file,
    writing,
)
from zorse.imaging.receipt import Receipt
from zorse.runtime.devices import usable_cores
from zorse.runtime.steady import DEFAULT as USUAL_STEADINESS
from zorse.runtime.streamed.execute import Progress, Report
from zorse.runtime.translator import Size
from zorse.runtime.video import VideoOptions, translate_video, video_receipt

if TYPE_CHECKING:
    from zorse.imaging.video.progress import VideoProgress

PIXELS_AT_ONCE = 100_000_000
"""Pictures in work together have at most so many pixels; a larger one is alone."""

_BESIDE = 12
"""Bytes that each pixel of a picture takes while it is read or written beside another one's translation."""
_SHARE_BESIDE = 4
"""Such pictures get one part in so many of a memory limit."""
_TIGHT = 400 * 10**6
"""Bytes below which a limit is left to one picture at a time: the smallest tiles of large models take half of it."""

_AHEAD = 2
"""Jobs that are handed out for each worker: it finds the next one ready."""

_MOST_WORKERS = 8
"""More threads than that wait for Python's lock and for the disk."""

_SMALL_SIDE = 1024
"""Short side, in pixels, up to which several networks run at once."""

_COARSE_TIME = 2_000_000_000
"""FAT keeps times in steps of two seconds, in nanoseconds."""


@dataclass(frozen=True)
class Settings:
    """How files are worked on."""

    workers: int = 1
    """Threads, each of which takes a file from reading to writing."""
    networks: int = 1
    """How many of them may run the network at the same time."""
    resume: bool = False
    """Whether files are left out whose result is there and not older."""
    quality: int | None = None
    """Of JPEG, WebP, AVIF, HEIC and videos, 1..100; None for that of the input, and 80 for videos."""
    as_stored: bool = False
    """Whether results are written in the orientation in which the input was stored, not upright."""
    max_pixels: int | None = MAX_PIXELS
    """Larger inputs are refused; None for no limit."""
    max_memory: int | None = None
    """Bytes for all pictures in work and their translations; None: half of what is free for each translation."""
    steadiness: float = USUAL_STEADINESS
    """Of videos, 0 (frame by frame) to 1."""
    tile_report: Callable[[Job, Progress], None] | None = None
    """Is told after each tile of a streamed picture how far it is; may be called from several threads."""
    frame_report: "Callable[[Job, VideoProgress], None] | None" = None
    """Is told after each frame of a video how far it is; likewise."""


class Translate(Protocol):
    """The translation of one picture, safe to call from several threads."""

    def __call__(self, picture: Picture, *, max_memory: int | None, report: Report) -> Picture:
        """As `Translator.translate`: `report` is called after each tile, and what it raises ends the work."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    job: Job
    seconds: float
    error: ZorseError | None = None
    was_done: bool = False
    """Whether its result was there already."""
    receipt: Receipt | None = None
    """What of the file was kept, converted or dropped; None for copies, errors, and what was done before."""


def share_cores(jobs: int, workers: int | None, size: Size) -> tuple[int, int | None]:
    """How many pictures are worked on at once, and how many threads the network of each may take.

    Small pictures leave cores idle when one network after the other takes them all: each gets its own instead. A
    network at the picture's own size needs so much memory that they run one at a time.

    Args:
        jobs: how many files there are.
        workers: how many at once; None for one per core, at most 8.
        size: at which the network sees the pictures.

    Returns:
        Workers, and threads for `load`; None where one network at a time may take all cores.
    """
    cores = usable_cores()
    workers = min(jobs, workers or min(cores, _MOST_WORKERS))
    is_small = size in ("auto", "native") or (isinstance(size, int) and size <= _SMALL_SIDE)
    return workers, max(1, cores // workers) if workers > 1 and is_small else None


def translate_files(
    translate: Translate, jobs: Iterable[Job], settings: Settings | None = None
) -> Generator[Outcome, None, None]:
    """Works on all jobs; gives the outcomes in their order.

    A file that fails, for whatever reason, gives an `Outcome` with its error, and the next follows; what nobody
    expected is the `__cause__` of that error. A full disk ends the iteration after its `Outcome`. Leaving the iteration
    (Ctrl-C) drops what is in work. Files that were finished are whole in every case.

    Args:
        translate: the translation of one picture.
        jobs: as `plan` gives them.
        settings: how.
    """
    settings = settings or Settings()
    crew = _Crew(translate, settings)
    waiting: deque[Future[Outcome]] = deque()
    with ThreadPoolExecutor(settings.workers, thread_name_prefix="translate") as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(crew.run, job))
                if len(waiting) > _AHEAD * settings.workers:
                    yield from _finished(waiting.popleft())
                if crew.stopped.is_set():
                    break
            while waiting:
                yield from _finished(waiting.popleft())
        finally:
            crew.stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)


class _Crew:
    """What the workers share."""

    def __init__(self, translate: Translate, settings: Settings) -> None:
        self.stopped = threading.Event()
        self._translate = translate
        self._settings = settings
        self._network = threading.Semaphore(settings.networks)
        limit = settings.max_memory
        self._together = PIXELS_AT_ONCE
        if limit is not None:
            self._together = min(PIXELS_AT_ONCE, limit // _SHARE_BESIDE // _BESIDE) if limit >= _TIGHT else 0
        self._room = _Room(self._together)

    def run(self, job: Job) -> Outcome:
        """One job, whatever comes.

        Raises:
            CancelledError: all were stopped before it was finished.
        """
        start = time.perf_counter()
        error: ZorseError | None = None
        receipt = None
        self._go_on()
        if self._settings.resume and is_done(job):
            return Outcome(job, 0.0, was_done=True)
        try:
            if job.is_copy:
                self._copy(job)
            elif job.is_video:
                receipt = self._video(job)
            else:
                receipt = self._work(job)
        except CancelledError:
            raise
        except ZorseError as failure:
            error = failure
        except MemoryError:
            error = ImageError(f"{job.source} needs more memory than is free. Use fewer --workers or a smaller --size.")
        except Exception as failure:  # one file must not cost the others, whatever is wrong with it or with Zorse
            error = _unexpected(job, failure)
        if isinstance(error, DiskFull):
            self.stopped.set()
        return Outcome(job, time.perf_counter() - start, error, receipt=receipt)

    def _work(self, job: Job) -> Receipt:
        source = _standard(sys.stdin, "input") if job.source == STANDARD else job.source
        with open_pictures(source, self._settings.max_pixels) as file:
            suffix = suffix_of(file.format) if job.target == STANDARD else job.target.suffix
            pixels, count = file.pixels, count_written(file, suffix)
            with self._room.of(count * pixels):
                content, receipt = rewrite_picture(
                    file,
                    suffix,
                    lambda picture: self._frame(job, picture, pixels, count),
                    self._settings.quality,
                    job.source.suffix,
                )
        self._go_on()
        if job.target == STANDARD:
            _write_to_standard_output(content)
        else:
            write_file(job.target, content)
            _mirror_time(job)
        return receipt

    def _frame(self, job: Job, picture: Picture, pixels: int, count: int) -> Picture:
        """One of `count` frames of so many pixels."""

        def report(progress: Progress) -> None:
            self._go_on()
            if self._settings.tile_report is not None:
                self._settings.tile_report(job, progress)

        translated = self._translated(job, picture, self._memory(pixels, count), report)
        return as_stored(translated) if self._settings.as_stored else translated

    def _translated(self, job: Job, picture: Picture, max_memory: int | None, report: Report) -> Picture:
        with self._network:
            self._go_on()
            try:
                return self._translate(picture, max_memory=max_memory, report=report)
            except ImageError as error:  # says how large the picture is, not which
                raise ImageError(f"{job.source}: {error}") from error

    def _memory(self, pixels: int, count: int) -> int | None:
        """What the translation of one frame may take where pictures in work, and other frames, take their share."""
        limit = self._settings.max_memory
        if limit is None:
            return None
        is_alone = self._settings.workers == 1 or count * pixels > self._together
        share = limit if is_alone else limit - limit // _SHARE_BESIDE
        return max(1, share // self._settings.networks - 3 * pixels * (count - 1))

    def _video(self, job: Job) -> Receipt:
        settings = self._settings

        def report(progress: "VideoProgress") -> None:
            if settings.frame_report is not None:
                settings.frame_report(job, progress)

        def translate(frame: Picture) -> Picture:
            memory = self._memory(frame.height * frame.width, 1)
            return self._translated(job, frame, memory, lambda _progress: self._go_on())

        options = VideoOptions(settings.steadiness, settings.quality, settings.max_pixels)
        made = translate_video(translate, job.source, job.target, options, report)
        _mirror_time(job)
        if made.damage:
            raise ImageError(
                f"{job.source} is damaged: {made.damage}. What could be read, {made.frames} pictures, is translated in "
                f"{job.target}."
            )
        return video_receipt(made, job.target)

    def _copy(self, job: Job) -> None:
        try:
            source = job.source.open("rb")
        except OSError as error:
            raise ImageError(f"{job.source} cannot be copied ({error.strerror}). Check its permissions.") from error
        with source, writing(job.target) as target:
            shutil.copyfileobj(source, target)
        _mirror_time(job)

    def _go_on(self) -> None:
        if self.stopped.is_set():
            raise CancelledError


class _Room:
    """Bounds the pixels in work; a picture of more than that is let in when it is alone."""

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + pixels <= self._pixels)
            self._used += pixels
        try:
            yield
        finally:
            with self._changed:
                self._used -= pixels
                self._changed.notify_all()


def is_done(job: Job) -> bool:
    """Whether a job's result is there, whole and not older than its source.

    Results appear whole or not at all, with their source's time; a source that changed since is newer than its result.
    """
    try:
        target, source = job.target.stat(), job.source.stat()
    except OSError:
        return False
    is_coarse = target.st_mtime_ns % _COARSE_TIME == 0
    return target.st_size > 0 and target.st_mtime_ns + _COARSE_TIME * is_coarse >= source.st_mtime_ns


def _unexpected(job: Job, failure: Exception) -> ZorseError:
    """An error for what is not one of Zorse's."""
    if isinstance(failure, OSError) and DiskFull.is_meant_by(failure):
        error: ZorseError = DiskFull.of(job.target, failure)
    else:
        error = ImageError(unexpected_failure(str(job.source), failure))
    error.__cause__ = failure
    return error


def _mirror_time(job: Job) -> None:
    if job.source == STANDARD:
        return
    with suppress(OSError):  # some network drives refuse it: the picture matters more
        times = job.source.stat()
        os.utime(job.target, ns=(times.st_atime_ns, times.st_mtime_ns))


def _standard(stream: TextIO | None, name: str) -> BinaryIO:
    if stream is None:  # a shell's `<&-`, or a program without a console
        raise ImageError(f"Standard {name} is closed, so that no picture can go through it. Name a file instead of -.")
    return stream.buffer


def _write_to_standard_output(content: bytes) -> None:
    output = _standard(sys.stdout, "output")
    rest = memoryview(content)
    try:
        while rest:  # with PYTHONUNBUFFERED, a write may end early
            rest = rest[output.write(rest) :]
        output.flush()
    except OSError as error:
        raise ImageError(
            f"The picture could not be written to standard output ({error.strerror}). Has the program behind the pipe "
            "ended, or is the disk full?"
        ) from error


def _finished(future: Future[Outcome]) -> Iterator[Outcome]:
    """A job's outcome, unless the job was dropped."""
    while not future.done():  # in short steps: Windows tells of Ctrl-C only between them
        wait([future], timeout=0.2)
    try:
        outcome = future.result()
    except CancelledError:
        return
    yield outcome
