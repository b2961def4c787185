"""Programs that run for a stranger's file: with a limit of memory and time, and nothing of the server's."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from zorse.runtime.devices import usable_cores

_GLANCE = 0.2
"""Seconds between two looks at whether it shall go on."""


@dataclass(frozen=True)
class Confines:
    """What such a program may take."""

    memory: int
    """Bytes of data; held by the system where it can be (Linux)."""
    seconds: float
    """From its start; then it is ended."""


@dataclass(frozen=True)
class Ended:
    """How a program came to its end."""

    status: int
    """0 for well; negative where the system ended it."""
    output: bytes
    errors: str


class TooSlow(Exception):
    """It took longer than it may."""


def run_confined(
    command: list[str], given: bytes, confines: Confines, check: Callable[[], None] = lambda: None
) -> Ended:
    """Runs a program to its end.

    Args:
        command: the program and its arguments.
        given: its standard input.
        confines: memory and time.
        check: is called now and then; what it raises ends the program.

    Raises:
        TooSlow: it took longer than it may, and was ended.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(usable_cores()), "CUDA_VISIBLE_DEVICES": ""}
    with (
        _as_file(given) as source,
        subprocess.Popen(
            command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        ) as process,
    ):
        _confine(process.pid, confines)
        try:
            output, errors = _waited_for(process, confines.seconds, check)
        finally:
            process.kill()
    return Ended(process.returncode, output, errors.decode(errors="replace"))


@contextmanager
def _as_file(given: bytes) -> Iterator[IO[bytes]]:
    """Through a pipe, `communicate` would not go on writing after a look at whether to go on."""
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield file


def _waited_for(process: "subprocess.Popen[bytes]", seconds: float, check: Callable[[], None]) -> tuple[bytes, bytes]:
    end = time.monotonic() + seconds
    while True:
        try:
            return process.communicate(timeout=_GLANCE)
        except subprocess.TimeoutExpired:
            check()
            if time.monotonic() > end:
                raise TooSlow from None


def _confine(process: int, confines: Confines) -> None:
    """From outside, right after the start: between fork and program, threads make Python code unsafe."""
    if sys.platform != "linux":
        return
    import resource

    cores = usable_cores()
    with suppress(ProcessLookupError):
        for kind, limit in (
            (resource.RLIMIT_DATA, confines.memory),
            (resource.RLIMIT_CPU, int(confines.seconds * cores) + 1),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.prlimit(process, kind, (limit, limit))
