"""The application that commands are registered with, and the options before every command."""

from typing import Annotated

import typer

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
