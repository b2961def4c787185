"""The `zorse` command. Each module here holds one group of commands; each command only parses, calls, prints.

Exit codes: 0 done, 1 failed (with a paragraph that says what to do), 2 wrong usage, 130 stopped with Ctrl-C.
"""

import os
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from zorse.errors import ZorseError

app = typer.Typer(
    name="zorse",
    help="Image-to-image translation: translate, train (pix2pix, CycleGAN, CUT), export to ONNX, open the page.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from zorse import __version__

        typer.echo(f"zorse {__version__}")
        raise typer.Exit


@app.callback()
def _of_every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that need no command."""


def main() -> None:
    """Entry point: runs the command and turns Zorse's errors into one clear paragraph."""
    try:
        app()
    except ZorseError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"Error: {error}", style="red", markup=False)
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


# Importing a module registers its commands.
from zorse.cli import (  # noqa: E402, F401
    benchmark,
    compare,
    data,
    distill,
    doctor,
    evaluate,
    export,
    lesson,
    models,
    sample,
    train,
    translate,
    ui,
)
