"""The application that commands are registered with, and the options before every command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zorse.cli.console import echo
from zorse.system.texts import visible


class _Commands(TyperGroup):
    """All commands. What it says of wrong arguments repeats them, and Typer prints it."""

    def invoke(self, *arguments: Any, **settings: Any) -> Any:
        with _visible_arguments():
            return super().invoke(*arguments, **settings)

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        with _visible_arguments():
            return super().make_context(*arguments, **settings)


@contextmanager
def _visible_arguments() -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:
        error.message = visible(error.message)
        raise


app = typer.Typer(
    name="zorse",
    cls=_Commands,
    help="Image-to-image translation: translate, train (pix2pix, CycleGAN, CUT), export to ONNX, open the page.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from zorse import __version__

        echo(f"zorse {__version__}")
        raise typer.Exit


@app.callback()
def _of_every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that need no command."""
