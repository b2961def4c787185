"""The `zorse` command. Each module here holds one group of commands; each command only parses, calls, prints.

Exit codes: 0 done, 1 failed (with a paragraph that says what to do), 2 wrong usage, 130 stopped with Ctrl-C.
"""

import io
import os
import sys
from typing import NoReturn

# Importing a module registers its commands.
from zorse.cli import (  # noqa: F401
    compare,
    data,
    distill,
    doctor,
    evaluate,
    export,
    models,
    settings,
    train,
    translate,
    ui,
)
from zorse.cli.command import app
from zorse.cli.console import Console
from zorse.cli.gans import benchmark, lesson, sample  # noqa: F401
from zorse.errors import ZorseError

__all__ = ["app", "main"]


def main() -> None:
    """Entry point: runs the command and turns Zorse's errors into one clear paragraph."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a console of few letters cannot show is written out, too
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except ZorseError as error:
        Console(stderr=True).print(f"Error: {error}", style="red")
        _end(1)
    except KeyboardInterrupt:
        _end(130)
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        _end(end.code)


def _end(code: int) -> NoReturn:
    """Ends the process; one of several that train together at once, without taking the interpreter down in order.

    A thread of PyTorch that talks to the other processes may still let go of a tensor then: that aborts the process.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
